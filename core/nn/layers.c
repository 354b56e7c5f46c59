#include "core/nn/layers.h"

#include "core/nn/group.h"
#include "core/nn/sizes.h"

#include <assert.h>
#include <string.h>

/* --- how a product is cut: into blocks of rows, or, where rows are few, of columns ------------ */

enum {
    BLOCK_FLOATS = 1 << 17,  /* of copied windows: half of a second cache of 1 MiB */
    BLOCK_ROWS_MAX = 256,    /* more rows gain nothing */
    BLOCK_ROWS_MIN = 32,     /* fewer waste the product's start-up */
    ROWS_WORTH_CUTTING = 64, /* up to here columns are cut */
    BLOCK_COLUMNS = 128,     /* and this is a block of them */
    VECTOR_WORK = 1 << 19,   /* multiply-adds of a part where there is one row */
    VECTOR_STEP = 64,        /* whose columns are a multiple of this */
    SMALL_WORK = 1 << 19     /* multiply-adds that are not worth a second part */
};

struct cut {
    size_t rows, columns; /* of a block; the last ones may be smaller */
    size_t row_blocks, column_blocks;
};

/* Equal blocks, of a multiple of 8, none above `limit`. */
static size_t even_block(size_t total, size_t limit, size_t blocks_min)
{
    size_t blocks = size_blocks(total, limit);
    blocks = blocks < blocks_min ? blocks_min : blocks;
    return (size_blocks(total, blocks) + 7) / 8 * 8;
}

/* `copied`: the rows of a are copied first, and a block of them should stay in the cache. */
static struct cut cut_product(size_t rows, size_t columns, size_t depth, bool copied)
{
    struct cut cut = {.rows = rows, .columns = columns};
    size_t blocks_min = rows * columns * depth < SMALL_WORK ? 1 : 2;
    if (rows == 1) {
        size_t limit = VECTOR_WORK / depth / VECTOR_STEP * VECTOR_STEP;
        limit = limit < VECTOR_STEP ? VECTOR_STEP : limit;
        cut.columns = columns < limit ? columns : limit;
    } else if (rows > ROWS_WORTH_CUTTING) {
        size_t limit = copied ? BLOCK_FLOATS / depth : BLOCK_ROWS_MAX;
        limit = limit < BLOCK_ROWS_MIN ? BLOCK_ROWS_MIN : limit;
        cut.rows = even_block(rows, limit < BLOCK_ROWS_MAX ? limit : BLOCK_ROWS_MAX, blocks_min);
    } else if (blocks_min > 1) {
        cut.columns = even_block(columns, columns, columns / BLOCK_COLUMNS);
    }
    cut.row_blocks = size_blocks(rows, cut.rows);
    cut.column_blocks = size_blocks(columns, cut.columns);
    return cut;
}

struct block {
    size_t row, rows, column, columns;
};

static struct block block_at(const struct cut *cut, size_t rows, size_t columns, size_t part)
{
    struct block block = {.row = part / cut->column_blocks * cut->rows,
                          .column = part % cut->column_blocks * cut->columns};
    block.rows = rows - block.row < cut->rows ? rows - block.row : cut->rows;
    block.columns = columns - block.column < cut->columns ? columns - block.column : cut->columns;
    return block;
}

/* --- products by prepared weights -------------------------------------------------------------
 * The weights lie in the order in which the backend's tiles read them: blocks of depth, in each
 * its panels of columns, in each row after row. */

struct product {
    const float *a;
    size_t a_ld, columns, depth; /* of the whole layer */
};

/* Where the panel that begins at `column` begins, in the block of depth that begins at `k`. */
static size_t panel_offset(const struct product *product, size_t k, size_t depth, size_t column)
{
    return k * product->columns + column * depth;
}

/* The numbers that feed output `out`, `step` apart, to their places. */
static void pack_output(const struct kernels *kernels, const struct product *product, size_t out,
                        const float *(*at)(const struct product *product, size_t out, size_t k),
                        float *packed)
{
    struct gemm_tile tile = kernels->tile(product->columns, product->depth);
    size_t panel = out / tile.columns * tile.columns;
    size_t width = size_smaller(tile.columns, product->columns - panel);
    for (size_t k = 0; k < product->depth; k += tile.depth) {
        size_t depth = size_smaller(tile.depth, product->depth - k);
        float *to = packed + panel_offset(product, k, depth, panel) + (out - panel);
        for (size_t i = 0; i < depth; i++)
            to[i * width] = *at(product, out, k + i);
    }
}

/* One panel, in tiles of rows. */
static void run_panel(const struct kernels *kernels, size_t rows_at_once, struct gemm gemm)
{
    size_t rows = gemm.rows;
    for (size_t row = 0; row < rows; row += gemm.rows) {
        gemm.rows = size_smaller(rows_at_once, rows - row);
        kernels->gemm(&gemm);
        gemm.a += gemm.rows * gemm.a_ld;
        gemm.c += gemm.rows * gemm.c_ld;
        if (gemm.residual != NULL)
            gemm.residual += gemm.rows * gemm.residual_ld;
    }
}

/* Columns [column, column + columns) of a block, all in one panel, and one block of depth. */
static struct gemm piece_of(const struct layer_call *call, const struct block *block,
                            const struct product *product, size_t column, size_t k)
{
    struct gemm gemm = {
        .rows = block->rows,
        .a = product->a + k,
        .a_ld = product->a_ld,
        .c = call->out + block->row * call->out_ld + column,
        .c_ld = call->out_ld,
        .accumulates = k > 0,
        .residual_ld = call->residual_ld,
        .divisor = 1.0f,
    };
    if (call->bias != NULL && k == 0)
        gemm.bias = call->bias + column;
    if (call->residual != NULL && k == 0)
        gemm.residual = call->residual + block->row * call->residual_ld + column;
    return gemm;
}

static void run_product(const struct kernels *kernels, const struct layer_call *call,
                        const struct block *block, const struct product *product)
{
    struct gemm_tile tile = kernels->tile(product->columns, product->depth);
    size_t end = block->column + block->columns;
    for (size_t k = 0; k < product->depth; k += tile.depth) {
        size_t depth = size_smaller(tile.depth, product->depth - k);
        for (size_t column = block->column, next; column < end; column = next) {
            size_t panel = column / tile.columns * tile.columns;
            next = size_smaller(panel + tile.columns, end);
            struct gemm gemm = piece_of(call, block, product, column, k);
            gemm.columns = next - column;
            gemm.depth = depth;
            gemm.b = call->weights + panel_offset(product, k, depth, panel) + (column - panel);
            gemm.b_ld = size_smaller(tile.columns, product->columns - panel);
            if (k + depth == product->depth)
                gemm.divisor = call->divisor;
            run_panel(kernels, tile.rows, gemm);
        }
    }
}

/* --- linear ----------------------------------------------------------------------------------- */

static size_t linear_weight_floats(const struct linear_shape *shape)
{
    return shape->in * shape->out;
}

static const float *linear_weight(const struct product *product, size_t out, size_t k)
{
    return product->a + out * product->depth + k;
}

static void linear_prepare(const struct kernels *kernels, const struct linear_shape *shape,
                           const float *weights, float *packed)
{
    struct product product = {.a = weights, .columns = shape->out, .depth = shape->in};
    for (size_t out = 0; out < shape->out; out++)
        pack_output(kernels, &product, out, linear_weight, packed);
}

static struct cut linear_cut(const struct linear_shape *shape)
{
    return cut_product(shape->rows, shape->out, shape->in, false);
}

static size_t linear_parts(const struct linear_shape *shape)
{
    struct cut cut = linear_cut(shape);
    return cut.row_blocks * cut.column_blocks;
}

static void linear_part(const struct kernels *kernels, const struct linear_shape *shape,
                        const struct layer_call *call, size_t part)
{
    struct cut cut = linear_cut(shape);
    struct block block = block_at(&cut, shape->rows, shape->out, part);
    struct product product = {.a = call->in + block.row * call->in_ld,
                              .a_ld = call->in_ld,
                              .columns = shape->out,
                              .depth = shape->in};
    run_product(kernels, call, &block, &product);
}

static void linear_run(const struct kernels *kernels, const struct linear_shape *shape,
                       const struct layer_call *group, struct parts parts)
{
    for (size_t sample = 0; sample < group->samples; sample++) {
        struct layer_call call = group_layer(group, sample);
        for (size_t part = parts.begin; part < parts.end; part++)
            linear_part(kernels, shape, &call, part);
    }
}

const struct linear_kernel linear_by_gemm = {
    .weight_floats = linear_weight_floats,
    .prepare = linear_prepare,
    .parts = linear_parts,
    .run = linear_run,
};

/* --- convolution ------------------------------------------------------------------------------ */

enum { SIDE = 3, TAPS = SIDE * SIDE };

static size_t conv_weight_floats(const struct conv_shape *shape)
{
    return TAPS * shape->in_channels * shape->out_channels;
}

/* k = tap * in_channels + channel, taps from left to right and top to bottom. */
static const float *conv_weight(const struct product *product, size_t out, size_t k)
{
    size_t channels = product->depth / TAPS;
    return product->a + (out * channels + k % channels) * TAPS + k / channels;
}

static void conv_prepare(const struct kernels *kernels, const struct conv_shape *shape,
                         const float *weights, float *packed)
{
    struct product product = {
        .a = weights, .columns = shape->out_channels, .depth = TAPS * shape->in_channels};
    for (size_t out = 0; out < shape->out_channels; out++)
        pack_output(kernels, &product, out, conv_weight, packed);
}

static struct cut conv_cut(const struct conv_shape *shape)
{
    return cut_product(shape->out_height * shape->out_width, shape->out_channels,
                       TAPS * shape->in_channels, true);
}

static size_t conv_parts(const struct conv_shape *shape)
{
    struct cut cut = conv_cut(shape);
    return cut.row_blocks * cut.column_blocks;
}

static size_t conv_scratch_floats(const struct conv_shape *shape)
{
    struct cut cut = conv_cut(shape);
    return cut.rows * TAPS * shape->in_channels;
}

/* The three taps of one window in one row of the map; `left` may hang over either edge. */
static void copy_taps(const struct conv_shape *shape, const float *row, size_t ld, ptrdiff_t left,
                      float *to)
{
    size_t channels = shape->in_channels, shift = shape->upsampled ? 1 : 0;
    ptrdiff_t width = (ptrdiff_t)(shape->in_width << shift);
    if (shift == 0 && ld == channels && left >= 0 && left + SIDE <= width) {
        memcpy(to, row + (size_t)left * ld, SIDE * channels * sizeof *to);
        return;
    }
    for (ptrdiff_t x = left; x < left + SIDE; x++, to += channels)
        if (x < 0 || x >= width)
            memset(to, 0, channels * sizeof *to);
        else
            memcpy(to, row + ((size_t)x >> shift) * ld, channels * sizeof *to);
}

static void copy_windows(const struct conv_shape *shape, const struct layer_call *call,
                         const struct block *block, float *to)
{
    size_t taps = SIDE * shape->in_channels, shift = shape->upsampled ? 1 : 0;
    ptrdiff_t height = (ptrdiff_t)(shape->in_height << shift);
    size_t out_y = block->row / shape->out_width, out_x = block->row % shape->out_width;
    for (size_t i = 0; i < block->rows; i++) {
        ptrdiff_t top = (ptrdiff_t)(out_y * shape->stride) - (ptrdiff_t)shape->pad;
        ptrdiff_t left = (ptrdiff_t)(out_x * shape->stride) - (ptrdiff_t)shape->pad;
        for (ptrdiff_t y = top; y < top + SIDE; y++, to += taps)
            if (y < 0 || y >= height)
                memset(to, 0, taps * sizeof *to);
            else
                copy_taps(shape, call->in + ((size_t)y >> shift) * shape->in_width * call->in_ld,
                          call->in_ld, left, to);
        if (++out_x == shape->out_width) {
            out_x = 0;
            out_y++;
        }
    }
}

static void conv_part(const struct kernels *kernels, const struct conv_shape *shape,
                      const struct layer_call *call, size_t part, float *scratch)
{
    struct cut cut = conv_cut(shape);
    struct block block =
        block_at(&cut, shape->out_height * shape->out_width, shape->out_channels, part);
    copy_windows(shape, call, &block, scratch);
    size_t depth = TAPS * shape->in_channels;
    struct product product = {
        .a = scratch, .a_ld = depth, .columns = shape->out_channels, .depth = depth};
    run_product(kernels, call, &block, &product);
}

static void conv_run(const struct kernels *kernels, const struct conv_shape *shape,
                     const struct layer_call *group, struct parts parts, float *scratch)
{
    assert(group->scale_shift == NULL);
    for (size_t sample = 0; sample < group->samples; sample++) {
        struct layer_call call = group_layer(group, sample);
        for (size_t part = parts.begin; part < parts.end; part++)
            conv_part(kernels, shape, &call, part, scratch);
    }
}

const struct conv_kernel conv_by_gemm = {
    .weight_floats = conv_weight_floats,
    .prepare = conv_prepare,
    .scratch_floats = conv_scratch_floats,
    .parts = conv_parts,
    .run = conv_run,
};

/* --- attention: a part is one head and a block of queries ------------------------------------- */

enum { SCORE_FLOATS = 1 << 16, QUERIES_MIN = 16, TOKENS_WORTH_CUTTING = 64 };

static size_t attention_queries(const struct attention_shape *shape)
{
    size_t limit = SCORE_FLOATS / shape->tokens;
    limit = limit < QUERIES_MIN ? QUERIES_MIN : limit;
    return even_block(shape->tokens, limit, shape->tokens < TOKENS_WORTH_CUTTING ? 1 : 2);
}

static size_t attention_parts(const struct attention_shape *shape)
{
    return shape->heads * size_blocks(shape->tokens, attention_queries(shape));
}

static size_t attention_scratch_floats(const struct attention_shape *shape)
{
    return attention_queries(shape) * shape->tokens;
}

static void attention_part(const struct kernels *kernels, const struct attention_shape *shape,
                           const struct attention_call *call, size_t part, float *scratch)
{
    size_t block = attention_queries(shape), blocks = size_blocks(shape->tokens, block);
    size_t feature = part / blocks * shape->head_dim, query = part % blocks * block;
    size_t rows = shape->tokens - query < block ? shape->tokens - query : block;
    struct gemm scores = {.rows = rows,
                          .columns = shape->tokens,
                          .depth = shape->head_dim,
                          .a = call->q + query * call->q_ld + feature,
                          .a_ld = call->q_ld,
                          .b = call->k + feature,
                          .b_ld = call->k_ld,
                          .b_transposed = true,
                          .c = scratch,
                          .c_ld = shape->tokens,
                          .divisor = 1.0f};
    kernels->gemm(&scores);
    kernels->pointwise->softmax(scratch, shape->tokens, rows, shape->tokens, shape->scale);
    struct gemm values = {.rows = rows,
                          .columns = shape->head_dim,
                          .depth = shape->tokens,
                          .a = scratch,
                          .a_ld = shape->tokens,
                          .b = call->v + feature,
                          .b_ld = call->v_ld,
                          .c = call->out + query * call->out_ld + feature,
                          .c_ld = call->out_ld,
                          .residual_ld = call->residual_ld,
                          .divisor = call->divisor};
    if (call->bias != NULL)
        values.bias = call->bias + feature;
    if (call->residual != NULL)
        values.residual = call->residual + query * call->residual_ld + feature;
    kernels->gemm(&values);
}

static void attention_run(const struct kernels *kernels, const struct attention_shape *shape,
                          const struct attention_call *group, struct parts parts, float *scratch)
{
    for (size_t sample = 0; sample < group->samples; sample++) {
        struct attention_call call = group_attention(group, sample);
        for (size_t part = parts.begin; part < parts.end; part++)
            attention_part(kernels, shape, &call, part, scratch);
    }
}

const struct attention_kernel attention_by_gemm = {
    .scratch_floats = attention_scratch_floats,
    .parts = attention_parts,
    .run = attention_run,
};
