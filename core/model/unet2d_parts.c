#include "core/model/unet2d_parts.h"

#include "core/model/attention_merge.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

static struct map_shape map_shape(const struct map *map)
{
    return (struct map_shape){map->height, map->width, map->channels};
}

static size_t pixels(const struct map *map)
{
    return map->height * map->width;
}

struct map builder_map(struct builder *b, size_t height, size_t width, size_t channels)
{
    return (struct map){.at = network_buffer(b->network, height * width, channels),
                        .height = height,
                        .width = width,
                        .channels = channels,
                        .scale_shift = OPERAND_NONE};
}

void builder_image_in(struct builder *b, const struct map *out)
{
    struct op op = op_of(b->config->center_input_sample ? &op_image_in_centered : &op_image_in,
                         OPERAND_NONE, out->at);
    op.shape.map = map_shape(out);
    network_add(b->network, &op);
}

static void add_map_op(struct builder *b, const struct op_kind *kind, const struct map *in,
                       struct operand out)
{
    struct op op = op_of(kind, in->at, out);
    op.shape.map = map_shape(in);
    network_add(b->network, &op);
}

void builder_image_out(struct builder *b, const struct map *in)
{
    bool fourier = b->config->time_kind == TIME_FOURIER;
    add_map_op(b, fourier ? &op_image_out_over_time : &op_image_out, in, OPERAND_NONE);
}

void builder_copy(struct builder *b, const struct map *in, const struct map *out)
{
    add_map_op(b, &op_copy, in, out->at);
}

void builder_filter(struct builder *b, const struct map *in, const struct map *out)
{
    add_map_op(b, out->height > in->height ? &op_fir_up : &op_fir_down, in, out->at);
}

/* --- tensors ---------------------------------------------------------------------------------- */

static struct tensor_shape vector_shape(size_t count)
{
    return (struct tensor_shape){.rank = 1, .size = {count}};
}

static struct tensor_shape table_shape(size_t rows, size_t columns)
{
    return (struct tensor_shape){.rank = 2, .size = {rows, columns}};
}

static struct tensor_shape kernel_shape(size_t out, size_t in, size_t side)
{
    return (struct tensor_shape){.rank = 4, .size = {out, in, side, side}};
}

static size_t add_vector(struct builder *b, const char *prefix, const char *suffix, size_t count)
{
    size_t offset = tensor_list_room(b->tensors, count);
    tensor_list_add(b->tensors, offset, vector_shape(count), prefix, suffix);
    return offset;
}

/* A linear layer of one tensor and its bias. */
static void add_linear(struct builder *b, const char *prefix, struct tensor_shape shape,
                       size_t rows, struct op *op)
{
    op->shape.linear =
        (struct linear_shape){.rows = rows, .in = shape.size[1], .out = shape.size[0]};
    size_t matrix = tensor_list_linear(b->tensors, &op->shape.linear);
    tensor_list_stack(b->tensors, matrix, 0, shape, prefix, "weight");
    op->weights = tensor_list_offset(b->tensors, matrix);
    op->bias = add_vector(b, prefix, "bias", shape.size[0]);
    network_add(b->network, op);
}

void builder_pixels(struct builder *b, const char *prefix, const struct map *in,
                    const struct map *out, const struct map *residual)
{
    struct op op = op_of(&op_linear, in->at, out->at);
    if (residual != NULL)
        op.residual = residual->at;
    add_linear(b, prefix, kernel_shape(out->channels, in->channels, 1), pixels(out), &op);
}

/* --- embeddings ------------------------------------------------------------------------------- */

static struct operand vector_buffer(struct builder *b, size_t count)
{
    return network_buffer(b->network, 1, count);
}

static void add_activate(struct builder *b, struct operand in, struct operand out,
                         enum activation activation)
{
    struct op op = op_of(&op_activate, in, out);
    op.shape.activate = (struct activate_shape){.count = in.ld, .activation = activation};
    network_add(b->network, &op);
}

static const struct op_kind *const PROJECTION[] = {
    [TIME_POSITIONAL] = &op_sinusoidal,
    [TIME_LEARNED] = &op_table_row,
    [TIME_FOURIER] = &op_fourier,
};

/* Time, or the label as one. */
static struct operand project(struct builder *b, bool of_label, size_t weights)
{
    const struct unet2d_config *config = b->config;
    size_t count = config->channels[0] * (config->time_kind == TIME_FOURIER ? 2 : 1);
    struct operand out = vector_buffer(b, count);
    struct op op = op_of(PROJECTION[config->time_kind], OPERAND_NONE, out);
    op.weights = weights;
    op.shape.embedding = (struct embedding_shape){
        .of_label = of_label,
        .count = count,
        .rows = config->time_rows,
        .cosine_first = config->flip_sin_to_cos,
    };
    network_add(b->network, &op);
    return out;
}

/* TimestepEmbedding: linear, SiLU, linear; `added` joins the result. */
static struct operand embed(struct builder *b, const char *prefix, struct operand in,
                            struct operand added)
{
    char name[TENSOR_NAME_MAX];
    size_t dim = b->config->time_dim;
    struct operand first = vector_buffer(b, dim), active = vector_buffer(b, dim);
    struct operand out = vector_buffer(b, dim);
    snprintf(name, sizeof name, "%slinear_1.", prefix);
    struct op op = op_of(&op_linear, in, first);
    add_linear(b, name, table_shape(dim, in.ld), 1, &op);
    add_activate(b, first, active, ACTIVATION_SILU);
    snprintf(name, sizeof name, "%slinear_2.", prefix);
    op = op_of(&op_linear, active, out);
    op.residual = added;
    add_linear(b, name, table_shape(dim, dim), 1, &op);
    return out;
}

/* What the class adds to the embedding; NONE where there are no classes. */
static struct operand class_embedding(struct builder *b, size_t time_weights)
{
    const struct unet2d_config *config = b->config;
    if (config->class_kind == CLASS_NONE)
        return OPERAND_NONE;
    if (config->class_kind == CLASS_TIMESTEP)
        return embed(b, "class_embedding.", project(b, true, time_weights), OPERAND_NONE);
    struct operand out = vector_buffer(b, config->time_dim);
    bool table = config->class_kind == CLASS_TABLE;
    struct op op = op_of(table ? &op_table_row : &op_vector_in, OPERAND_NONE, out);
    op.shape.embedding = (struct embedding_shape){
        .of_label = true, .count = config->time_dim, .rows = config->class_count};
    if (table) {
        op.weights = tensor_list_room(b->tensors, config->class_count * config->time_dim);
        tensor_list_add(b->tensors, op.weights, table_shape(config->class_count, config->time_dim),
                        "class_embedding.", "weight");
    }
    network_add(b->network, &op);
    return out;
}

/* Numbers that all resnets take from the embedding. */
static size_t count_time_rows(const struct unet2d_config *config)
{
    size_t rows = config->has_mid ? 2 * config->channels[config->blocks - 1] : 0;
    for (size_t i = 0; i < config->blocks; i++) {
        size_t resnets = 2 * config->layers + 1, last = i + 1 == config->blocks;
        resnets += config->down[i].resnet_sampler && !last;
        resnets += config->up[config->blocks - 1 - i].resnet_sampler && i > 0;
        rows += resnets * config->channels[i];
    }
    return config->scale_shift ? 2 * rows : rows;
}

/* The numbers that the projection is made of: stored, or, positional, computed. */
static size_t projection_weights(struct builder *b)
{
    const struct unet2d_config *config = b->config;
    size_t count = config->channels[0];
    if (config->time_kind == TIME_FOURIER)
        return add_vector(b, "time_proj.", "weight", count);
    if (config->time_kind == TIME_POSITIONAL)
        return tensor_list_room(b->tensors, count / 2);
    size_t table = tensor_list_room(b->tensors, config->time_rows * count);
    tensor_list_add(b->tensors, table, table_shape(config->time_rows, count), "time_proj.",
                    "weight");
    return table;
}

void builder_time(struct builder *b, size_t *frequencies)
{
    const struct unet2d_config *config = b->config;
    size_t weights = projection_weights(b);
    *frequencies = weights;
    struct operand class = class_embedding(b, weights);
    struct operand sum = embed(b, "time_embedding.", project(b, false, weights), class);
    struct operand active = vector_buffer(b, config->time_dim);
    add_activate(b, sum, active, config->activation);

    b->time_rows = count_time_rows(config);
    struct op op = op_of(&op_linear, active, vector_buffer(b, b->time_rows));
    op.shape.linear = (struct linear_shape){.rows = 1, .in = config->time_dim, .out = b->time_rows};
    b->time = op.out;
    b->time_matrix = tensor_list_linear(b->tensors, &op.shape.linear);
    b->time_bias = tensor_list_room(b->tensors, b->time_rows);
    op.weights = tensor_list_offset(b->tensors, b->time_matrix);
    op.bias = b->time_bias;
    network_add(b->network, &op);
    if (config->class_kind != CLASS_IDENTITY)
        network_remember(b->network, op.out);
}

/* --- convolution and norm --------------------------------------------------------------------- */

/* Without its bias, and not yet added. */
static struct op conv_op(struct builder *b, const char *prefix, const struct map *in,
                         const struct map *out, const struct conv_options *options)
{
    struct op op = op_of(&op_conv, in->at, out->at);
    op.scale_shift = in->scale_shift;
    op.activation = in->activation;
    op.shape.conv = (struct conv_shape){.in_height = in->height,
                                        .in_width = in->width,
                                        .in_channels = in->channels,
                                        .out_height = out->height,
                                        .out_width = out->width,
                                        .out_channels = out->channels,
                                        .stride = options->stride,
                                        .pad = options->pad,
                                        .upsampled = options->upsampled};
    size_t matrix = tensor_list_conv(b->tensors, &op.shape.conv);
    tensor_list_stack(b->tensors, matrix, 0, kernel_shape(out->channels, in->channels, 3), prefix,
                      "weight");
    op.weights = tensor_list_offset(b->tensors, matrix);
    return op;
}

void builder_conv(struct builder *b, const char *prefix, const struct map *in,
                  const struct map *out, const struct conv_options *options)
{
    struct op op = conv_op(b, prefix, in, out, options);
    op.bias = add_vector(b, prefix, "bias", out->channels);
    if (options->residual != NULL)
        op.residual = options->residual->at;
    network_add(b->network, &op);
}

static struct map normed_map(struct builder *b, const struct map *in, const struct op *norm,
                             bool for_conv)
{
    struct map out = *in;
    if (for_conv && b->network->kernels->conv_reads_normed) {
        out.scale_shift = norm->scale_shift;
        out.activation = norm->shape.norm.activation;
        return out;
    }
    out = builder_map(b, in->height, in->width, in->channels);
    struct op op = *norm;
    op.kind = &op_norm_apply;
    op.out = out.at;
    network_add(b->network, &op);
    return out;
}

struct map builder_norm(struct builder *b, const char *prefix, const struct map *in,
                        const struct norm_options *options)
{
    const struct groups *groups = &options->groups;
    if (groups->count == 0 || in->channels % groups->count != 0) {
        b->failed = b->failed ||
                    !error_set(b->error, ERROR_BAD_MODEL,
                               "%s: %s %zu does not divide the %zu channels of %.*s", b->path,
                               groups->key, groups->count, in->channels, TENSOR_NAME_MAX, prefix);
        return *in;
    }
    struct op op = op_of(&op_norm_statistics, in->at, OPERAND_NONE);
    op.shape.norm = (struct norm_shape){.height = in->height,
                                        .width = in->width,
                                        .channels = in->channels,
                                        .groups = groups->count,
                                        .epsilon = b->config->epsilon,
                                        .activation = options->activation};
    op.scale_shift = vector_buffer(b, 2 * in->channels);
    op.vector = options->modulation;
    op.weights = add_vector(b, prefix, "weight", in->channels);
    op.bias = add_vector(b, prefix, "bias", in->channels);
    network_add(b->network, &op);
    return normed_map(b, in, &op, options->for_conv);
}

/* --- resnet ----------------------------------------------------------------------------------- */

/* The resnet's part of the time vector; the bias of `conv1` joins it where it is added there. */
static struct operand time_part(struct builder *b, const char *prefix, size_t channels)
{
    size_t rows = b->config->scale_shift ? 2 * channels : channels;
    assert(b->time_used + rows <= b->time_rows);
    struct operand part = b->time;
    part.offset = b->time_used;
    tensor_list_stack(b->tensors, b->time_matrix, b->time_used,
                      table_shape(rows, b->config->time_dim), prefix, "time_emb_proj.weight");
    size_t bias = b->time_bias + b->time_used;
    tensor_list_add(b->tensors, bias, vector_shape(rows), prefix, "time_emb_proj.bias");
    if (!b->config->scale_shift)
        tensor_list_add(b->tensors, bias, vector_shape(channels), prefix, "conv1.bias");
    b->time_used += rows;
    return part;
}

struct resnet {
    const char *prefix;
    const struct map *in, *out;
    const struct resnet_options *options;
    struct operand time;
};

/* A map at the size of the output. */
static struct map sampled(struct builder *b, const struct resnet *resnet, const struct map *in)
{
    const struct map *out = resnet->out;
    struct map to = builder_map(b, out->height, out->width, in->channels);
    if (resnet->options->filtered)
        builder_filter(b, in, &to);
    else
        add_map_op(b, out->height < in->height ? &op_average : &op_upsample, in, to.at);
    return to;
}

/* h = conv1(act(norm1(x))), sampled between; the time is conv1's bias where it is not norm2's
 * modulation. */
static struct map first_half(struct builder *b, const struct resnet *resnet)
{
    char name[TENSOR_NAME_MAX];
    const struct map *in = resnet->in, *out = resnet->out;
    bool conv_enlarges = out->height > in->height && !resnet->options->filtered;
    bool is_sampled = out->height != in->height && !conv_enlarges;
    struct norm_options norm = {.groups = resnet->options->in,
                                .activation = b->config->activation,
                                .modulation = OPERAND_NONE,
                                .for_conv = !is_sampled};
    snprintf(name, sizeof name, "%snorm1.", resnet->prefix);
    struct map from = builder_norm(b, name, in, &norm);
    if (is_sampled)
        from = sampled(b, resnet, &from);
    struct map hidden = builder_map(b, out->height, out->width, out->channels);
    struct conv_options conv = {.stride = 1, .pad = 1, .upsampled = conv_enlarges};
    snprintf(name, sizeof name, "%sconv1.", resnet->prefix);
    struct op op = conv_op(b, name, &from, &hidden, &conv);
    if (b->config->scale_shift)
        op.bias = add_vector(b, name, "bias", out->channels);
    else
        op.vector = resnet->time;
    network_add(b->network, &op);
    return hidden;
}

/* What is added at the end: x, sampled, and through a 1x1 convolution if the channels change. */
static struct operand shortcut(struct builder *b, const struct resnet *resnet)
{
    const struct map *in = resnet->in, *out = resnet->out;
    struct map from = out->height == in->height ? *in : sampled(b, resnet, in);
    if (in->channels == out->channels && !resnet->options->filtered)
        return from.at;
    char name[TENSOR_NAME_MAX];
    struct map to = builder_map(b, out->height, out->width, out->channels);
    snprintf(name, sizeof name, "%sconv_shortcut.", resnet->prefix);
    builder_pixels(b, name, &from, &to, NULL);
    return to.at;
}

void builder_resnet(struct builder *b, const char *prefix, const struct map *in,
                    const struct map *out, const struct resnet_options *options)
{
    char name[TENSOR_NAME_MAX];
    const struct resnet resnet = {prefix, in, out, options, time_part(b, prefix, out->channels)};
    struct map hidden = first_half(b, &resnet);
    struct norm_options norm = {.groups = options->out,
                                .activation = b->config->activation,
                                .modulation = b->config->scale_shift ? resnet.time : OPERAND_NONE,
                                .for_conv = true};
    snprintf(name, sizeof name, "%snorm2.", prefix);
    struct map normed = builder_norm(b, name, &hidden, &norm);
    struct operand residual = shortcut(b, &resnet);
    struct conv_options conv = {.stride = 1, .pad = 1};
    snprintf(name, sizeof name, "%sconv2.", prefix);
    struct op op = conv_op(b, name, &normed, out, &conv);
    op.bias = add_vector(b, name, "bias", out->channels);
    op.residual = residual;
    op.divisor = (float)options->scale;
    network_add(b->network, &op);
}

/* --- attention -------------------------------------------------------------------------------- */

struct attention {
    const char *prefix;
    const struct map *normed, *in, *out;
    size_t heads, head_dim;
    float divisor;
};

static const char *const PROJECTION_WEIGHT[] = {"to_q.weight", "to_k.weight", "to_v.weight",
                                                "to_out.0.weight"};
static const char *const PROJECTION_BIAS[] = {"to_q.bias", "to_k.bias", "to_v.bias",
                                              "to_out.0.bias"};

/* q, k and v side by side, from one product. */
static struct operand queries_keys_values(struct builder *b, const struct attention *attention)
{
    const struct map *in = attention->normed;
    size_t inner = attention->heads * attention->head_dim;
    struct op op = op_of(&op_linear, in->at, network_buffer(b->network, pixels(in), 3 * inner));
    op.shape.linear =
        (struct linear_shape){.rows = pixels(in), .in = in->channels, .out = 3 * inner};
    size_t matrix = tensor_list_linear(b->tensors, &op.shape.linear);
    op.weights = tensor_list_offset(b->tensors, matrix);
    op.bias = tensor_list_room(b->tensors, 3 * inner);
    for (size_t i = 0; i < 3; i++) {
        tensor_list_stack(b->tensors, matrix, i * inner, table_shape(inner, in->channels),
                          attention->prefix, PROJECTION_WEIGHT[i]);
        tensor_list_add(b->tensors, op.bias + i * inner, vector_shape(inner), attention->prefix,
                        PROJECTION_BIAS[i]);
    }
    network_add(b->network, &op);
    return op.out;
}

static void add_heads(struct builder *b, const struct attention *attention)
{
    char name[TENSOR_NAME_MAX];
    const struct map *in = attention->in;
    size_t inner = attention->heads * attention->head_dim;
    struct op op = op_of(&op_attention, queries_keys_values(b, attention),
                         network_buffer(b->network, pixels(in), inner));
    op.shape.attention =
        (struct attention_shape){.tokens = pixels(in),
                                 .heads = attention->heads,
                                 .head_dim = attention->head_dim,
                                 .scale = (float)(1.0 / sqrt((double)attention->head_dim))};
    network_add(b->network, &op);
    struct op last = op_of(&op_linear, op.out, attention->out->at);
    last.residual = in->at;
    last.divisor = attention->divisor;
    snprintf(name, sizeof name, "%sto_out.0.", attention->prefix);
    add_linear(b, name, table_shape(in->channels, inner), pixels(in), &last);
}

/* One head as wide as the map: attention_merge.h. */
static void add_merged(struct builder *b, const struct attention *attention)
{
    const struct map *in = attention->in;
    size_t channels = in->channels;
    struct op op = op_of(&op_linear, attention->normed->at,
                         network_buffer(b->network, pixels(in), 2 * channels));
    op.shape.linear =
        (struct linear_shape){.rows = pixels(in), .in = channels, .out = 2 * channels};
    op.bias = tensor_list_room(b->tensors, 2 * channels);
    size_t out_bias = tensor_list_room(b->tensors, channels);
    size_t matrix = tensor_list_attention(b->tensors, &op.shape.linear,
                                          1.0 / sqrt((double)channels), op.bias, out_bias);
    op.weights = tensor_list_offset(b->tensors, matrix);
    for (size_t i = 0; i < 4; i++) {
        tensor_list_stack(b->tensors, matrix, i * channels, table_shape(channels, channels),
                          attention->prefix, PROJECTION_WEIGHT[i]);
        tensor_list_stack(b->tensors, matrix, attention_bias_place(channels, i),
                          vector_shape(channels), attention->prefix, PROJECTION_BIAS[i]);
    }
    network_add(b->network, &op);
    struct op last = op_of(&op_attention, op.out, attention->out->at);
    last.shape.attention = (struct attention_shape){
        .tokens = pixels(in), .heads = 1, .head_dim = channels, .scale = 1.0f};
    last.keys = attention->normed->at;
    last.bias = out_bias;
    last.residual = in->at;
    last.divisor = attention->divisor;
    network_add(b->network, &last);
}

void builder_attention(struct builder *b, const char *prefix, const struct map *in,
                       const struct map *out, const struct attention_options *options)
{
    char name[TENSOR_NAME_MAX];
    struct map normed = *in;
    if (options->groups.count > 0) {
        struct norm_options norm = {
            .groups = options->groups, .activation = ACTIVATION_NONE, .modulation = OPERAND_NONE};
        snprintf(name, sizeof name, "%sgroup_norm.", prefix);
        normed = builder_norm(b, name, in, &norm);
    }
    size_t head_dim = b->config->head_dim > 0 ? b->config->head_dim : in->channels;
    const struct attention attention = {.prefix = prefix,
                                        .normed = &normed,
                                        .in = in,
                                        .out = out,
                                        .heads = in->channels / head_dim,
                                        .head_dim = head_dim,
                                        .divisor = (float)options->scale};
    if (head_dim == in->channels)
        add_merged(b, &attention);
    else
        add_heads(b, &attention);
}
