/* unet2d_parts.h - the modules that a UNet2DModel is made of: each call adds operations to the
 * network and tensors to the list. For unet2d_build.c only; one owner, one thread.
 *
 * Tensor names are PREFIX and a name, where the prefix ends with its dot. */
#ifndef UNET2D_PARTS_H
#define UNET2D_PARTS_H

#include "core/model/unet2d.h"

/* A view of H,W,C numbers in a buffer of the network. */
struct map {
    struct operand at;
    size_t height, width, channels;
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

    struct map stack[UNET2D_BLOCKS_MAX * (UNET2D_LAYERS_MAX + 1)];
    size_t pushed;
};

struct conv_options {
    size_t stride, pad;
    bool upsampled;
};

struct norm_options {
    size_t groups;
    enum activation activation;
    struct operand modulation;
};

struct map builder_map(struct builder *b, size_t height, size_t width, size_t channels);
void builder_image_in(struct builder *b, const struct map *out);
void builder_image_out(struct builder *b, const struct map *in);
void builder_copy(struct builder *b, const struct map *in, const struct map *out);

/* Embeddings of time and class, their sum, and what every resnet takes of it. */
void builder_time(struct builder *b, size_t *frequencies);

void builder_conv(struct builder *b, const char *prefix, const struct map *in,
                  const struct map *out, const struct conv_options *options);
void builder_norm(struct builder *b, const char *prefix, const struct map *in,
                  const struct map *out, const struct norm_options *options);

/* Maps of another size: the resnet samples up or down, nearest neighbour or means of 2 x 2. */
void builder_resnet(struct builder *b, const char *prefix, const struct map *in,
                    const struct map *out, double scale);

/* groups 0: without a norm. */
void builder_attention(struct builder *b, const char *prefix, const struct map *in,
                       const struct map *out, size_t groups, double scale);

#endif
