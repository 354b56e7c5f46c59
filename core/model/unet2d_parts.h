/* unet2d_parts.h - the modules that a UNet2DModel is made of: each call adds operations to the
 * network and tensors to the list. For unet2d_build.c only; one owner, one thread.
 *
 * Tensor names are PREFIX and a name, where the prefix ends with its dot. */
#ifndef UNET2D_PARTS_H
#define UNET2D_PARTS_H

#include "core/model/unet2d.h"

/* A view of H,W,C numbers in a buffer of the network; with a scale_shift a convolution reads them
 * through that norm and the activation. */
struct map {
    struct operand at;
    size_t height, width, channels;
    struct operand scale_shift;
    enum activation activation;
};

struct builder {
    const struct unet2d_config *config;
    struct network *network;
    struct tensor_list *tensors;
    const char *path; /* of config.json, for messages */
    struct error *error;
    bool failed;

    /* All time_emb_proj of the network are one matrix, and their outputs one vector. */
    struct operand time;
    size_t time_matrix, time_bias, time_rows, time_used;

    struct map image; /* beside the path of Skip blocks; no channels: there is none */

    struct map stack[UNET2D_BLOCKS_MAX * (UNET2D_LAYERS_MAX + 1)];
    size_t pushed;
};

struct conv_options {
    size_t stride, pad;
    bool upsampled;
    const struct map *residual; /* NULL: none */
};

/* How a norm cuts its channels, and the words of config.json that say so, for a refusal. */
struct groups {
    size_t count;
    const char *key;
};

struct norm_options {
    struct groups groups;
    enum activation activation;
    struct operand modulation;
    bool for_conv; /* only a convolution reads the result */
};

struct resnet_options {
    struct groups in, out; /* of its two norms */
    double scale;
    bool filtered; /* sampled by the filter of fir.h, with a 1x1 convolution beside it always */
};

struct map builder_map(struct builder *b, size_t height, size_t width, size_t channels);
void builder_image_in(struct builder *b, const struct map *out);
void builder_image_out(struct builder *b, const struct map *in);
void builder_copy(struct builder *b, const struct map *in, const struct map *out);
/* Half or twice the size. */
void builder_filter(struct builder *b, const struct map *in, const struct map *out);

/* Embeddings of time and class, their sum, and what every resnet takes of it. */
void builder_time(struct builder *b, size_t *frequencies);

void builder_conv(struct builder *b, const char *prefix, const struct map *in,
                  const struct map *out, const struct conv_options *options);
/* 1x1; residual NULL: none. */
void builder_pixels(struct builder *b, const char *prefix, const struct map *in,
                    const struct map *out, const struct map *residual);
/* The normed map: one of its own, or `in`, read through the norm. */
struct map builder_norm(struct builder *b, const char *prefix, const struct map *in,
                        const struct norm_options *options);

/* Maps of another size: the resnet samples up or down, filtered, or nearest neighbour and means of
 * 2 x 2. */
void builder_resnet(struct builder *b, const char *prefix, const struct map *in,
                    const struct map *out, const struct resnet_options *options);

struct attention_options {
    struct groups groups; /* count 0: without a norm */
    double scale;
};

void builder_attention(struct builder *b, const char *prefix, const struct map *in,
                       const struct map *out, const struct attention_options *options);

#endif
