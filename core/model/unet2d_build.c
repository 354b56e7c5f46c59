/* From a configuration to operations and expected tensors: diffusers' UNet2DModel.forward, block by
 * block. */
#include "core/model/unet2d_parts.h"

#include <assert.h>
#include <stdio.h>

/* --- the skip stack ---------------------------------------------------------------------------
 * The k-th map pushed by the down blocks is read by the k-th up resnet from the end, beside the
 * hidden map: both are written into one buffer, hidden channels first, so nothing is copied. */

static size_t resnets_up(const struct unet2d_config *config)
{
    return config->blocks * (config->layers + 1);
}

/* Channels that enter up resnet `index` from below. */
static size_t hidden_channels(const struct unet2d_config *config, size_t index)
{
    size_t block = index / (config->layers + 1), first = index % (config->layers + 1) == 0;
    size_t below = first && block > 0 ? block - 1 : block;
    return config->channels[config->blocks - 1 - below];
}

/* A map of the down path, pushed: it is written beside the room of its hidden map. */
static struct map push(struct builder *b, size_t height, size_t width, size_t channels)
{
    size_t hidden = hidden_channels(b->config, resnets_up(b->config) - 1 - b->pushed);
    struct map whole = builder_map(b, height, width, hidden + channels);
    b->stack[b->pushed++] = whole;
    struct map view = whole;
    view.channels = channels;
    view.at.offset = hidden;
    return view;
}

/* Where the map that enters up resnet `index` is to be written. */
static struct map hidden_room(struct builder *b, size_t index)
{
    struct map room = b->stack[resnets_up(b->config) - 1 - index];
    room.channels = hidden_channels(b->config, index);
    return room;
}

/* --- blocks ----------------------------------------------------------------------------------- */

/* A resnet, and an attention after it where the block has one. */
static void layer(struct builder *b, const struct unet2d_block *block, const char *prefix,
                  size_t index, const struct map *in, const struct map *out)
{
    char name[TENSOR_NAME_MAX];
    struct map between =
        block->attention ? builder_map(b, out->height, out->width, out->channels) : *out;
    snprintf(name, sizeof name, "%sresnets.%zu.", prefix, index);
    builder_resnet(b, name, in, &between, 1);
    if (block->attention) {
        snprintf(name, sizeof name, "%sattentions.%zu.", prefix, index);
        builder_attention(b, name, &between, out, b->config->groups, 1);
    }
}

static void downsample(struct builder *b, const struct unet2d_block *block, const char *prefix,
                       const struct map *in, const struct map *out)
{
    char name[TENSOR_NAME_MAX];
    if (block->resnet_sampler) {
        snprintf(name, sizeof name, "%sdownsamplers.0.", prefix);
        builder_resnet(b, name, in, out, 1);
    } else {
        snprintf(name, sizeof name, "%sdownsamplers.0.conv.", prefix);
        struct conv_options options = {.stride = 2, .pad = b->config->downsample_padding};
        builder_conv(b, name, in, out, &options);
    }
}

static void upsample(struct builder *b, const struct unet2d_block *block, const char *prefix,
                     const struct map *in, const struct map *out)
{
    char name[TENSOR_NAME_MAX];
    if (block->resnet_sampler) {
        snprintf(name, sizeof name, "%supsamplers.0.", prefix);
        builder_resnet(b, name, in, out, 1);
    } else {
        snprintf(name, sizeof name, "%supsamplers.0.conv.", prefix);
        struct conv_options options = {.stride = 1, .pad = 1, .upsampled = true};
        builder_conv(b, name, in, out, &options);
    }
}

static struct map down_path(struct builder *b, struct map x)
{
    const struct unet2d_config *config = b->config;
    for (size_t i = 0; i < config->blocks; i++) {
        char prefix[40];
        snprintf(prefix, sizeof prefix, "down_blocks.%zu.", i);
        for (size_t j = 0; j < config->layers; j++) {
            struct map out = push(b, x.height, x.width, config->channels[i]);
            layer(b, &config->down[i], prefix, j, &x, &out);
            x = out;
        }
        if (i + 1 < config->blocks) {
            struct map out = push(b, x.height / 2, x.width / 2, config->channels[i]);
            downsample(b, &config->down[i], prefix, &x, &out);
            x = out;
        }
    }
    return x;
}

static void mid_block(struct builder *b, const struct map *in, const struct map *out)
{
    const struct unet2d_config *config = b->config;
    if (!config->has_mid) {
        builder_copy(b, in, out);
        return;
    }
    struct map x = builder_map(b, in->height, in->width, in->channels);
    builder_resnet(b, "mid_block.resnets.0.", in, &x, config->mid_scale);
    if (config->mid_attention) {
        struct map y = builder_map(b, in->height, in->width, in->channels);
        builder_attention(b, "mid_block.attentions.0.", &x, &y, config->mid_groups,
                          config->mid_scale);
        x = y;
    }
    builder_resnet(b, "mid_block.resnets.1.", &x, out, config->mid_scale);
}

/* The last layer's map of block `i`: into the next resnet's buffer, by way of the upsampler. */
static struct map up_block(struct builder *b, size_t i)
{
    const struct unet2d_config *config = b->config;
    size_t channels = config->channels[config->blocks - 1 - i], last = resnets_up(config) - 1;
    struct map out = {0};
    char prefix[40];
    snprintf(prefix, sizeof prefix, "up_blocks.%zu.", i);
    for (size_t j = 0; j <= config->layers; j++) {
        size_t index = i * (config->layers + 1) + j;
        struct map in = b->stack[last - index];
        out = j < config->layers ? hidden_room(b, index + 1)
                                 : builder_map(b, in.height, in.width, channels);
        layer(b, &config->up[i], prefix, j, &in, &out);
    }
    if (i + 1 < config->blocks) {
        struct map in = out;
        out = hidden_room(b, (i + 1) * (config->layers + 1));
        upsample(b, &config->up[i], prefix, &in, &out);
    }
    return out;
}

static void image_path(struct builder *b)
{
    const struct unet2d_config *config = b->config;
    struct map image = builder_map(b, config->height, config->width, config->in_channels);
    builder_image_in(b, &image);
    struct conv_options same = {.stride = 1, .pad = 1};
    struct map x = push(b, config->height, config->width, config->channels[0]);
    builder_conv(b, "conv_in.", &image, &x, &same);
    x = down_path(b, x);
    assert(b->pushed == resnets_up(config));
    struct map room = hidden_room(b, 0);
    mid_block(b, &x, &room);
    for (size_t i = 0; i < config->blocks; i++)
        x = up_block(b, i);
    struct map normed = builder_map(b, x.height, x.width, x.channels);
    struct norm_options silu = {
        .groups = config->groups, .activation = ACTIVATION_SILU, .modulation = OPERAND_NONE};
    builder_norm(b, "conv_norm_out.", &x, &normed, &silu);
    struct map out = builder_map(b, x.height, x.width, config->out_channels);
    builder_conv(b, "conv_out.", &normed, &out, &same);
    builder_image_out(b, &out);
}

bool unet2d_build(struct unet2d *unet, const struct kernels *kernels, const char *path,
                  struct error *error)
{
    struct builder builder = {.config = &unet->config,
                              .network = &unet->network,
                              .tensors = &unet->tensors,
                              .path = path,
                              .error = error};
    unet->network.kernels = kernels;
    unet->tensors.kernels = kernels;
    builder_time(&builder, &unet->frequencies);
    image_path(&builder);
    assert(builder.failed || builder.time_used == builder.time_rows);
    return !builder.failed && network_plan(&unet->network, error);
}

void unet2d_finish(struct unet2d *unet)
{
    network_finish(&unet->network);
    tensor_list_finish(&unet->tensors);
    arena_finish(&unet->arena);
}
