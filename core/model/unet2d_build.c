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

static struct groups skip_groups(size_t channels)
{
    return (struct groups){unet2d_skip_groups(channels),
                           "block_out_channels: the number of groups"};
}

/* Of norms that no Skip block has. */
static struct groups plain_groups(const struct unet2d_config *config, size_t channels)
{
    if (config->groups == 0)
        return skip_groups(channels);
    return (struct groups){config->groups, "norm_num_groups"};
}

struct layer {
    const struct unet2d_block *block;
    const char *prefix;
    size_t index, attention_index;
    bool attention;          /* after the resnet */
    struct groups in_groups; /* of a Skip block's first norm */
};

#define SQRT_2 0x1.6a09e667f3bcdp+0 /* what Skip blocks divide every sum by */

static struct resnet_options resnet_of(struct builder *b, const struct layer *layer, size_t out)
{
    if (layer->block->skip)
        return (struct resnet_options){
            .in = layer->in_groups, .out = skip_groups(out), .scale = SQRT_2};
    struct groups groups = plain_groups(b->config, out);
    return (struct resnet_options){.in = groups, .out = groups, .scale = 1};
}

static struct attention_options attention_of(struct builder *b, const struct layer *layer,
                                             size_t channels)
{
    struct groups of_skip = {32, skip_groups(channels).key};
    if (layer->block->skip)
        return (struct attention_options){of_skip, SQRT_2};
    return (struct attention_options){plain_groups(b->config, channels), 1};
}

static void add_layer(struct builder *b, const struct layer *layer, const struct map *in,
                      const struct map *out)
{
    char name[TENSOR_NAME_MAX];
    struct map between =
        layer->attention ? builder_map(b, out->height, out->width, out->channels) : *out;
    struct resnet_options resnet = resnet_of(b, layer, out->channels);
    snprintf(name, sizeof name, "%sresnets.%zu.", layer->prefix, layer->index);
    builder_resnet(b, name, in, &between, &resnet);
    if (layer->attention) {
        struct attention_options attention = attention_of(b, layer, out->channels);
        snprintf(name, sizeof name, "%sattentions.%zu.", layer->prefix, layer->attention_index);
        builder_attention(b, name, &between, out, &attention);
    }
}

/* The filtered image joins the path through a 1x1 convolution. */
static void skip_down(struct builder *b, const char *prefix, const struct map *in,
                      const struct map *out)
{
    char name[TENSOR_NAME_MAX];
    struct map image = builder_map(b, out->height, out->width, b->image.channels);
    struct map hidden = builder_map(b, out->height, out->width, out->channels);
    struct groups groups = skip_groups(in->channels);
    struct resnet_options resnet = {groups, groups, SQRT_2, .filtered = true};
    snprintf(name, sizeof name, "%sresnet_down.", prefix);
    builder_resnet(b, name, in, &hidden, &resnet);
    builder_filter(b, &b->image, &image);
    snprintf(name, sizeof name, "%sskip_conv.", prefix);
    builder_pixels(b, name, &image, out, &hidden);
    b->image = image;
}

/* The image at the size of the path, out of a block's last map. */
static void skip_image(struct builder *b, const char *prefix, const struct map *in,
                       const struct map *below)
{
    char name[TENSOR_NAME_MAX];
    struct norm_options norm = {.groups = skip_groups(in->channels),
                                .activation = ACTIVATION_SILU,
                                .modulation = OPERAND_NONE,
                                .for_conv = true};
    snprintf(name, sizeof name, "%sskip_norm.", prefix);
    struct map normed = builder_norm(b, name, in, &norm);
    b->image = builder_map(b, in->height, in->width, b->config->out_channels);
    struct conv_options conv = {.stride = 1, .pad = 1, .residual = below};
    snprintf(name, sizeof name, "%sskip_conv.", prefix);
    builder_conv(b, name, &normed, &b->image, &conv);
}

/* What came from the block below, at twice its size; no channels where there is none. */
static struct map enlarged_image(struct builder *b)
{
    struct map out = {0};
    if (b->image.channels == 0)
        return out;
    out = builder_map(b, 2 * b->image.height, 2 * b->image.width, b->image.channels);
    builder_filter(b, &b->image, &out);
    return out;
}

static void downsample(struct builder *b, const struct unet2d_block *block, const char *prefix,
                       const struct map *in, const struct map *out)
{
    char name[TENSOR_NAME_MAX];
    if (block->skip) {
        skip_down(b, prefix, in, out);
    } else if (block->resnet_sampler) {
        struct groups groups = plain_groups(b->config, in->channels);
        struct resnet_options resnet = {groups, groups, 1, .filtered = false};
        snprintf(name, sizeof name, "%sdownsamplers.0.", prefix);
        builder_resnet(b, name, in, out, &resnet);
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
        struct groups groups =
            block->skip ? skip_groups(in->channels) : plain_groups(b->config, in->channels);
        struct resnet_options resnet = {groups, groups, block->skip ? SQRT_2 : 1,
                                        .filtered = block->skip};
        snprintf(name, sizeof name, "%s%s", prefix, block->skip ? "resnet_up." : "upsamplers.0.");
        builder_resnet(b, name, in, out, &resnet);
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
        const struct unet2d_block *block = &config->down[i];
        char prefix[40];
        snprintf(prefix, sizeof prefix, "down_blocks.%zu.", i);
        for (size_t j = 0; j < config->layers; j++) {
            struct map out = push(b, x.height, x.width, config->channels[i]);
            struct layer layer = {block, prefix, j, j, block->attention, skip_groups(x.channels)};
            add_layer(b, &layer, &x, &out);
            x = out;
        }
        if (i + 1 < config->blocks) {
            struct map out = push(b, x.height / 2, x.width / 2, config->channels[i]);
            downsample(b, block, prefix, &x, &out);
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
    struct groups groups = plain_groups(config, in->channels);
    struct resnet_options resnet = {groups, groups, config->mid_scale, .filtered = false};
    struct map x = builder_map(b, in->height, in->width, in->channels);
    builder_resnet(b, "mid_block.resnets.0.", in, &x, &resnet);
    if (config->mid_attention) {
        struct map y = builder_map(b, in->height, in->width, in->channels);
        struct attention_options attention = {groups, config->mid_scale};
        if (config->mid_groups != groups.count)
            attention.groups = (struct groups){config->mid_groups, "attn_norm_num_groups"};
        builder_attention(b, "mid_block.attentions.0.", &x, &y, &attention);
        x = y;
    }
    builder_resnet(b, "mid_block.resnets.1.", &x, out, &resnet);
}

/* Groups of the first norm of up resnet `index`. The precedence in the second line is diffusers'
 * (AttnSkipUpBlock2D), and trained weights go by it. */
static struct groups up_groups(const struct unet2d_config *config, const struct unet2d_block *block,
                               size_t index, size_t channels)
{
    struct groups groups = skip_groups(channels);
    size_t hidden = hidden_channels(config, index), count = hidden + (channels - hidden) / 4;
    if (block->attention)
        groups.count = count < 32 ? count : 32;
    return groups;
}

/* An attention follows every layer, but in a Skip block only the last. */
static struct map up_layers(struct builder *b, size_t i, const char *prefix)
{
    const struct unet2d_config *config = b->config;
    const struct unet2d_block *block = &config->up[i];
    size_t channels = config->channels[config->blocks - 1 - i], last = resnets_up(config) - 1;
    struct map out = {0};
    for (size_t j = 0; j <= config->layers; j++) {
        size_t index = i * (config->layers + 1) + j;
        struct map in = b->stack[last - index];
        out = j < config->layers ? hidden_room(b, index + 1)
                                 : builder_map(b, in.height, in.width, channels);
        struct layer layer = {.block = block,
                              .prefix = prefix,
                              .index = j,
                              .attention_index = block->skip ? 0 : j,
                              .attention =
                                  block->attention && (!block->skip || j == config->layers),
                              .in_groups = up_groups(config, block, index, in.channels)};
        add_layer(b, &layer, &in, &out);
    }
    return out;
}

/* The last layer's map of block `i`: into the next resnet's buffer, by way of the upsampler. */
static struct map up_block(struct builder *b, size_t i)
{
    const struct unet2d_config *config = b->config;
    bool last = i + 1 == config->blocks;
    char prefix[40];
    snprintf(prefix, sizeof prefix, "up_blocks.%zu.", i);
    struct map out = up_layers(b, i, prefix);
    if (config->up[i].skip) {
        struct map below = enlarged_image(b);
        if (last)
            b->image = below;
        else
            skip_image(b, prefix, &out, below.channels > 0 ? &below : NULL);
    }
    if (!last) {
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
    b->image = image;
    struct conv_options same = {.stride = 1, .pad = 1};
    struct map x = push(b, config->height, config->width, config->channels[0]);
    builder_conv(b, "conv_in.", &image, &x, &same);
    x = down_path(b, x);
    assert(b->pushed == resnets_up(config));
    struct map room = hidden_room(b, 0);
    mid_block(b, &x, &room);
    b->image = (struct map){0};
    for (size_t i = 0; i < config->blocks; i++)
        x = up_block(b, i);
    struct norm_options silu = {.groups = plain_groups(config, x.channels),
                                .activation = ACTIVATION_SILU,
                                .modulation = OPERAND_NONE,
                                .for_conv = true};
    struct map normed = builder_norm(b, "conv_norm_out.", &x, &silu);
    struct map out = builder_map(b, x.height, x.width, config->out_channels);
    if (b->image.channels > 0)
        same.residual = &b->image;
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
