/* unet2d_config.h - config.json of a UNet2DModel, checked: what is here can be built.
 *
 * Numbers are in the ranges that config.json may give, sizes divide as they must, and every block
 * is one that is served. Strings and cJSON stay behind. */
#ifndef UNET2D_CONFIG_H
#define UNET2D_CONFIG_H

#include "core/base/error.h"
#include "core/nn/activation.h"

#include <stddef.h>

#define UNET2D_BLOCKS_MAX 16
#define UNET2D_LAYERS_MAX 64

struct folder;

enum time_kind { TIME_POSITIONAL, TIME_LEARNED, TIME_FOURIER };
enum class_kind { CLASS_NONE, CLASS_TABLE, CLASS_TIMESTEP, CLASS_IDENTITY };

struct unet2d_block {
    bool attention;
    bool resnet_sampler; /* a resnet changes the size, not a convolution */
    bool skip;           /* the image goes beside the path, filtered; its resnet samples so too */
};

struct unet2d_config {
    size_t height, width, in_channels, out_channels;
    bool center_input_sample;
    enum time_kind time_kind;
    size_t time_dim;  /* E: of the embedding */
    size_t time_rows; /* learned: rows of the table */
    double freq_shift;
    bool flip_sin_to_cos;
    size_t blocks;                      /* n */
    size_t channels[UNET2D_BLOCKS_MAX]; /* of each resolution, the highest first */
    struct unet2d_block down[UNET2D_BLOCKS_MAX];
    struct unet2d_block up[UNET2D_BLOCKS_MAX]; /* the lowest resolution first */
    size_t layers;                             /* resnets in a down block; up: one more */
    bool has_mid, mid_attention;
    double mid_scale;
    size_t downsample_padding; /* 0: one row and column of zeros below and right */
    enum activation activation;
    size_t head_dim;   /* 0: one head */
    size_t groups;     /* of norms; 0: unet2d_skip_groups */
    size_t mid_groups; /* of the one in the mid attention; 0: none there */
    double epsilon;
    bool scale_shift;
    enum class_kind class_kind;
    size_t class_count; /* CLASS_TABLE */
};

/* Groups of a norm in a Skip block; 0 for fewer than four channels, which cannot be built. */
size_t unet2d_skip_groups(size_t channels);

/* BAD_MODEL names file, key, rule. Warns of keys that UNet2DModel does not have. */
MUST_CHECK bool unet2d_config_read(struct folder *folder, struct unet2d_config *config,
                                   struct error *error);

#endif
