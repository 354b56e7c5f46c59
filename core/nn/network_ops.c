/* What each kind of operation does with one evaluation, or with a group of them. */
#include "core/nn/embedding.h"
#include "core/nn/fir.h"
#include "core/nn/network.h"

#include <string.h>

static float *at(const struct op_run *run, struct operand operand)
{
    if (operand.buffer == NETWORK_NONE)
        return NULL;
    return run->activations + run->network->buffers[operand.buffer].offset + operand.offset;
}

static const float *weights_at(const struct op_run *run, size_t offset)
{
    return offset == NETWORK_NONE ? NULL : run->network->weights + offset;
}

static size_t one_part(const struct kernels *kernels, const struct op *op)
{
    (void)kernels;
    (void)op;
    return 1;
}

static size_t no_scratch(const struct kernels *kernels, const struct op *op)
{
    (void)kernels;
    (void)op;
    return 0;
}

#define SIMPLE_OP(name)                                                                            \
    const struct op_kind op_##name = {                                                             \
        .parts = one_part, .scratch_floats = no_scratch, .run = name##_run}

/* --- in and out ------------------------------------------------------------------------------- */

static void image_in_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct map_shape *map = &run->op->shape.map;
    size_t pixels = map->height * map->width;
    float *out = at(run, run->op->out);
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < map->channels; c++)
            out[p * run->op->out.ld + c] = run->evaluation->x[c * pixels + p];
}
SIMPLE_OP(image_in);

static void image_in_centered_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct map_shape *map = &run->op->shape.map;
    size_t pixels = map->height * map->width;
    float *out = at(run, run->op->out);
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < map->channels; c++)
            out[p * run->op->out.ld + c] = 2.0f * run->evaluation->x[c * pixels + p] - 1.0f;
}
SIMPLE_OP(image_in_centered);

static void image_out_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct map_shape *map = &run->op->shape.map;
    size_t pixels = map->height * map->width;
    const float *in = at(run, run->op->in);
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < map->channels; c++)
            run->evaluation->output[c * pixels + p] = in[p * run->op->in.ld + c];
}
SIMPLE_OP(image_out);

static void image_out_over_time_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct map_shape *map = &run->op->shape.map;
    size_t pixels = map->height * map->width;
    const float *in = at(run, run->op->in), time = (float)run->evaluation->time;
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < map->channels; c++)
            run->evaluation->output[c * pixels + p] = in[p * run->op->in.ld + c] / time;
}
SIMPLE_OP(image_out_over_time);

static void vector_in_run(const struct op_run *run, size_t part)
{
    (void)part;
    size_t bytes = run->op->shape.embedding.count * sizeof(float);
    if (run->evaluation->vector == NULL)
        memset(at(run, run->op->out), 0, bytes);
    else
        memcpy(at(run, run->op->out), run->evaluation->vector, bytes);
}
SIMPLE_OP(vector_in);

static double embedded(const struct op_run *run)
{
    return run->op->shape.embedding.of_label ? (double)run->evaluation->label
                                             : run->evaluation->time;
}

static void sinusoidal_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct embedding_shape *shape = &run->op->shape.embedding;
    float *out = at(run, run->op->out);
    embedding_sinusoidal(weights_at(run, run->op->weights), shape->count / 2, embedded(run),
                         shape->cosine_first, out);
    if (shape->count % 2 != 0)
        out[shape->count - 1] = 0.0f;
}
SIMPLE_OP(sinusoidal);

static void fourier_run(const struct op_run *run, size_t part)
{
    (void)part;
    embedding_fourier(weights_at(run, run->op->weights), run->op->shape.embedding.count / 2,
                      embedded(run), at(run, run->op->out));
}
SIMPLE_OP(fourier);

/* Callers have checked labels; a time between two rows takes the nearer, one past the end the
 * last. */
static void table_row_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct embedding_shape *shape = &run->op->shape.embedding;
    double last = (double)(shape->rows - 1), number = embedded(run) + 0.5;
    number = number > 0 ? number : 0;
    size_t row = (size_t)(number < last ? number : last);
    memcpy(at(run, run->op->out), weights_at(run, run->op->weights) + row * shape->count,
           shape->count * sizeof(float));
}
SIMPLE_OP(table_row);

/* --- layers ----------------------------------------------------------------------------------- */

static struct channel_sums channel_sums(const struct op_run *run)
{
    const struct op *op = run->op;
    float *floats = run->in_parts ? NULL : at(run, op->sums);
    return (struct channel_sums){(double *)(void *)floats, op->sums.ld, op->image_width};
}

static struct layer_call layer_call(const struct op_run *run)
{
    const struct op *op = run->op;
    const float *vector = at(run, op->vector);
    size_t stride = run->network->activation_floats;
    return (struct layer_call){.weights = weights_at(run, op->weights),
                               .bias = vector != NULL ? vector : weights_at(run, op->bias),
                               .bias_stride = vector != NULL ? stride : 0,
                               .samples = run->samples,
                               .stride = stride,
                               .scale_shift = at(run, op->scale_shift),
                               .activation = op->activation,
                               .in = at(run, op->in),
                               .in_ld = op->in.ld,
                               .residual = at(run, op->residual),
                               .residual_ld = op->residual.ld,
                               .out = at(run, op->out),
                               .out_ld = op->out.ld,
                               .sums = channel_sums(run),
                               .divisor = op->divisor};
}

static size_t conv_parts(const struct kernels *kernels, const struct op *op)
{
    return kernels->conv->parts(&op->shape.conv);
}

static size_t conv_scratch(const struct kernels *kernels, const struct op *op)
{
    return kernels->conv->scratch_floats(&op->shape.conv);
}

static void conv_run(const struct op_run *run, struct parts parts)
{
    const struct kernels *kernels = run->network->kernels;
    struct layer_call call = layer_call(run);
    kernels->conv->run(kernels, &run->op->shape.conv, &call, parts, run->scratch);
}

static size_t conv_summed(const struct kernels *kernels, const struct op *op)
{
    const struct conv_kernel *kernel = kernels->conv;
    const struct conv_shape *shape = &op->shape.conv;
    bool leaves = kernel->leaves_sums != NULL && kernel->leaves_sums(shape);
    return leaves ? shape->out_channels : 0;
}

const struct op_kind op_conv = {.parts = conv_parts,
                                .scratch_floats = conv_scratch,
                                .summed_channels = conv_summed,
                                .run_group = conv_run};

static size_t linear_parts(const struct kernels *kernels, const struct op *op)
{
    return kernels->linear->parts(&op->shape.linear);
}

static void linear_run(const struct op_run *run, struct parts parts)
{
    const struct kernels *kernels = run->network->kernels;
    struct layer_call call = layer_call(run);
    kernels->linear->run(kernels, &run->op->shape.linear, &call, parts);
}

static size_t linear_summed(const struct kernels *kernels, const struct op *op)
{
    const struct linear_shape *shape = &op->shape.linear;
    return kernels->linear->leaves_sums && shape->rows > 1 ? shape->out : 0;
}

const struct op_kind op_linear = {.parts = linear_parts,
                                  .scratch_floats = no_scratch,
                                  .summed_channels = linear_summed,
                                  .run_group = linear_run};

/* --- norm and activation ---------------------------------------------------------------------- */

static struct norm_call norm_call(const struct op_run *run)
{
    const struct op *op = run->op;
    return (struct norm_call){.gamma = weights_at(run, op->weights),
                              .beta = weights_at(run, op->bias),
                              .modulation = at(run, op->vector),
                              .in = at(run, op->in),
                              .in_ld = op->in.ld,
                              .sums = channel_sums(run),
                              .out = at(run, op->out),
                              .out_ld = op->out.ld,
                              .scale_shift = at(run, op->scale_shift)};
}

static size_t norm_statistics_parts(const struct kernels *kernels, const struct op *op)
{
    return kernels->pointwise->norm.statistics_parts(&op->shape.norm);
}

static size_t norm_statistics_scratch(const struct kernels *kernels, const struct op *op)
{
    return kernels->pointwise->norm.statistics_scratch_floats(&op->shape.norm);
}

static void norm_statistics_run(const struct op_run *run, size_t part)
{
    struct norm_call call = norm_call(run);
    run->network->kernels->pointwise->norm.statistics(&run->op->shape.norm, &call, part,
                                                      run->scratch);
}

const struct op_kind op_norm_statistics = {.parts = norm_statistics_parts,
                                           .scratch_floats = norm_statistics_scratch,
                                           .run = norm_statistics_run};

static size_t norm_apply_parts(const struct kernels *kernels, const struct op *op)
{
    return kernels->pointwise->norm.apply_parts(&op->shape.norm);
}

static void norm_apply_run(const struct op_run *run, size_t part)
{
    struct norm_call call = norm_call(run);
    run->network->kernels->pointwise->norm.apply(&run->op->shape.norm, &call, part);
}

const struct op_kind op_norm_apply = {
    .parts = norm_apply_parts, .scratch_floats = no_scratch, .run = norm_apply_run};

static void activate_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct activate_shape *shape = &run->op->shape.activate;
    run->network->kernels->pointwise->activate(shape->activation, at(run, run->op->in),
                                               at(run, run->op->out), shape->count);
}
SIMPLE_OP(activate);

/* --- attention -------------------------------------------------------------------------------- */

static size_t attention_parts(const struct kernels *kernels, const struct op *op)
{
    return kernels->attention->parts(&op->shape.attention);
}

static size_t attention_scratch(const struct kernels *kernels, const struct op *op)
{
    return kernels->attention->scratch_floats(&op->shape.attention);
}

/* q, k and v side by side; or, where `keys` is given, q and v, and k there. */
static void attention_run(const struct op_run *run, struct parts parts)
{
    const struct kernels *kernels = run->network->kernels;
    const struct op *op = run->op;
    size_t inner = op->shape.attention.heads * op->shape.attention.head_dim;
    const float *in = at(run, op->in), *keys = at(run, op->keys);
    struct attention_call call = {.q = in,
                                  .q_ld = op->in.ld,
                                  .k = keys != NULL ? keys : in + inner,
                                  .k_ld = keys != NULL ? op->keys.ld : op->in.ld,
                                  .v = in + (keys != NULL ? inner : 2 * inner),
                                  .v_ld = op->in.ld,
                                  .bias = weights_at(run, op->bias),
                                  .residual = at(run, op->residual),
                                  .residual_ld = op->residual.ld,
                                  .out = at(run, op->out),
                                  .out_ld = op->out.ld,
                                  .divisor = op->divisor,
                                  .sums = channel_sums(run),
                                  .samples = run->samples,
                                  .stride = run->network->activation_floats};
    kernels->attention->run(kernels, &op->shape.attention, &call, parts, run->scratch);
}

static size_t attention_summed(const struct kernels *kernels, const struct op *op)
{
    const struct attention_shape *shape = &op->shape.attention;
    return kernels->attention->leaves_sums ? shape->heads * shape->head_dim : 0;
}

const struct op_kind op_attention = {.parts = attention_parts,
                                     .scratch_floats = attention_scratch,
                                     .summed_channels = attention_summed,
                                     .run_group = attention_run};

/* --- resampling ------------------------------------------------------------------------------- */

static void copy_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct op *op = run->op;
    const struct map_shape *map = &op->shape.map;
    for (size_t p = 0; p < map->height * map->width; p++)
        memcpy(at(run, op->out) + p * op->out.ld, at(run, op->in) + p * op->in.ld,
               map->channels * sizeof(float));
}
SIMPLE_OP(copy);

static void upsample_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct op *op = run->op;
    const struct map_shape *map = &op->shape.map;
    float *out = at(run, op->out);
    const float *in = at(run, op->in);
    for (size_t y = 0; y < 2 * map->height; y++)
        for (size_t x = 0; x < 2 * map->width; x++)
            memcpy(out + (y * 2 * map->width + x) * op->out.ld,
                   in + (y / 2 * map->width + x / 2) * op->in.ld, map->channels * sizeof *out);
}
SIMPLE_OP(upsample);

static void average_run(const struct op_run *run, size_t part)
{
    (void)part;
    const struct op *op = run->op;
    const struct map_shape *map = &op->shape.map;
    float *out = at(run, op->out);
    size_t below = map->width * op->in.ld, right = op->in.ld;
    for (size_t y = 0; y < map->height / 2; y++)
        for (size_t x = 0; x < map->width / 2; x++, out += op->out.ld) {
            const float *in = at(run, op->in) + (2 * y * map->width + 2 * x) * op->in.ld;
            for (size_t c = 0; c < map->channels; c++)
                out[c] =
                    ((in[c] + in[right + c]) + (in[below + c] + in[below + right + c])) * 0.25f;
        }
}
SIMPLE_OP(average);

static struct fir fir_shape(const struct op *op)
{
    const struct map_shape *map = &op->shape.map;
    return (struct fir){.height = map->height,
                        .width = map->width,
                        .channels = map->channels,
                        .up = op->kind == &op_fir_up};
}

static size_t fir_op_parts(const struct kernels *kernels, const struct op *op)
{
    (void)kernels;
    const struct fir fir = fir_shape(op);
    return fir_parts(&fir);
}

static void fir_op_run(const struct op_run *run, size_t part)
{
    struct fir fir = fir_shape(run->op);
    fir.in = at(run, run->op->in);
    fir.in_ld = run->op->in.ld;
    fir.out = at(run, run->op->out);
    fir.out_ld = run->op->out.ld;
    fir_run(&fir, part);
}

const struct op_kind op_fir_up = {
    .parts = fir_op_parts, .scratch_floats = no_scratch, .run = fir_op_run};
const struct op_kind op_fir_down = {
    .parts = fir_op_parts, .scratch_floats = no_scratch, .run = fir_op_run};
