/* y = (x W + bias + residual) / divisor on rows. Compiled for several CPUs; see the Makefile.
 *
 * Blocks of rows, the samples' together where they have few, take a chunk of columns at a time:
 * its weights stay in a cache for all samples, its sums in the first one until they are finished.
 * Where a sample has one row, the group is one matrix with a row per sample. */
#include "core/nn/channel_sums.h"
#include "core/nn/cut.h"
#include "core/nn/group.h"
#include "core/nn/native.h"
#include "core/nn/panel.h"
#include "core/nn/pixels.h"

#include <assert.h>

enum { ROWS_AT_ONCE = 64, SHARED_COLUMNS = 128 };

/* 256 KiB of weights: of a network of such layers, step after step, some stay in a second cache. */
enum { NEAR_FLOATS = 1 << 16 };

struct layer {
    const struct linear_shape *shape;
    struct layer_call call;
    size_t bias_row_stride;
};

/* Into the second cache, all at once: rows are too short for the CPU to see streams in them, and
 * one miss after the other takes a fifth of the time of a product. */
static void fetch_rows(const float *from, size_t ld, size_t rows, size_t count)
{
    for (size_t i = 0; i < rows; i++, from += ld)
        for (size_t k = 0; k < count; k += LANES)
            __builtin_prefetch(from + k, 0, 2);
}

static void fetch_block(const struct layer *layer, const struct layer_call *call,
                        struct cut_block block)
{
    fetch_rows(call->in + block.row * call->in_ld, call->in_ld, block.rows, layer->shape->in);
    if (call->residual != NULL)
        fetch_rows(call->residual + block.row * call->residual_ld + block.column, call->residual_ld,
                   block.rows, block.columns);
}

/* Columns [column, column + columns) of some rows of one sample. */
static void run_block(const struct layer *layer, const struct layer_call *call,
                      struct cut_block block)
{
    float *out = call->out + block.row * call->out_ld + block.column;
    struct panel_product product = {.rows = block.rows,
                                    .columns = block.columns,
                                    .depth = layer->shape->in,
                                    .a = call->in + block.row * call->in_ld,
                                    .a_ld = call->in_ld,
                                    .panels = call->weights,
                                    .c = out,
                                    .c_ld = call->out_ld,
                                    .all_columns = layer->shape->out,
                                    .first_column = block.column,
                                    .near = layer->shape->in * layer->shape->out <= NEAR_FLOATS};
    ISA(panel_product)(&product);
    if (call->bias == NULL && call->residual == NULL && call->divisor == 1.0f)
        return;
    const float *bias = NULL, *residual = NULL;
    for (size_t i = 0; i < block.rows; i++) {
        size_t row = block.row + i;
        if (call->bias != NULL)
            bias = call->bias + row * layer->bias_row_stride + block.column;
        if (call->residual != NULL)
            residual = call->residual + row * call->residual_ld + block.column;
        float *y = out + i * call->out_ld;
        pixels_finish(y, bias, residual, call->divisor, y, block.columns);
    }
}

/* Some rows of each of some samples: what is wanted of a chunk of weights is done at once. */
static void run_rows(const struct layer *layer, struct cut_block block, size_t sample,
                     size_t samples)
{
    size_t end = block.column + block.columns;
    size_t chunk = cut_chunk(block.rows, block.columns, layer->shape->in);
    if (samples > 1 && chunk > SHARED_COLUMNS)
        chunk = SHARED_COLUMNS;
    for (size_t i = 0; i < samples; i++) {
        struct layer_call call = group_layer(&layer->call, sample + i);
        fetch_block(layer, &call, block);
    }
    for (; block.column < end; block.column += chunk) {
        block.columns = end - block.column < chunk ? end - block.column : chunk;
        for (size_t i = 0; i < samples; i++) {
            struct layer_call call = group_layer(&layer->call, sample + i);
            run_block(layer, &call, block);
            channel_sums_add(&call.sums, call.out, call.out_ld,
                             (struct parts){block.row, block.row + block.rows},
                             (struct parts){block.column, block.column + block.columns});
        }
    }
}

static void run_samples(const struct layer *layer, struct cut_block part)
{
    size_t at_once = part.rows < ROWS_AT_ONCE ? ROWS_AT_ONCE / part.rows : 1;
    size_t samples = layer->call.samples, row_end = part.row + part.rows;
    for (size_t sample = 0; sample < samples; sample += at_once) {
        size_t count = samples - sample < at_once ? samples - sample : at_once;
        struct cut_block block = part;
        for (; block.row < row_end; block.row += ROWS_AT_ONCE) {
            block.rows = row_end - block.row < ROWS_AT_ONCE ? row_end - block.row : ROWS_AT_ONCE;
            run_rows(layer, block, sample, count);
        }
    }
}

static struct cut linear_cut(const struct linear_shape *shape)
{
    return cut_product(shape->rows, shape->out, shape->in);
}

static size_t linear_parts(const struct linear_shape *shape)
{
    return linear_cut(shape).parts;
}

static void linear_run(const struct kernels *kernels, const struct linear_shape *shape,
                       const struct layer_call *call, struct parts parts)
{
    (void)kernels;
    assert(call->scale_shift == NULL);
    struct cut cut = linear_cut(shape);
    struct cut_block part = cut_block(&cut, parts);
    struct layer layer = {.shape = shape, .call = *call};
    if (shape->rows == 1 && call->samples > 1) {
        layer.call.in_ld = layer.call.out_ld = layer.call.residual_ld = call->stride;
        layer.bias_row_stride = call->bias_stride;
        layer.call.samples = 1;
        part.rows = call->samples;
    }
    run_samples(&layer, part);
}

static void prepare(const struct kernels *kernels, const struct linear_shape *shape,
                    const float *weights, float *packed)
{
    (void)kernels;
    linear_prepare(shape, weights, packed);
}

const struct linear_kernel ISA(native_linear) = {
    .weight_floats = linear_weight_floats,
    .prepare = prepare,
    .parts = linear_parts,
    .leaves_sums = true,
    .run = linear_run,
};
