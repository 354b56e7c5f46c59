/* winograd.h - 3x3 convolutions of stride 1 by Winograd's minimal filtering, for native_winograd4.c
 * and native_winograd2.c. Lavin & Gray, arXiv:1509.09308.
 *
 * Y = A^T ((G g G^T) . (B^T d B)) A on tiles of OUTPUTS x OUTPUTS pixels, each from INPUTS x
 * INPUTS. Before it includes this, a source defines those two, FACTORS, and the transforms of a
 * vector: transform_input (B^T) and transform_output (A^T without its diagonal FACTORS).
 *
 *   for each block of whole tile rows, which may span samples:
 *     for each 16 channels: pixels, normed and activated, transformed along x -> a ring of INPUTS
 *                           image rows, transformed along y -> V[tap][tile][channel]
 *     for each group of output channels (pack_winograd.h):
 *       for each tap:       M[tap] = V[tap] U[tap]
 *       for each tile:      transform along y, then x, + bias, + residual, / divisor -> out
 *
 * Both strides from tap to tap are an odd number of cache lines, as taps of one tile would else
 * share one set of the cache. V, M and the rings of all channels are to fit into L2. */
#ifndef WINOGRAD_H
#define WINOGRAD_H

#include "core/nn/isa.h"
#include "core/nn/native.h"
#include "core/nn/pack_winograd.h"
#include "core/nn/panel.h"

#include <stdbool.h>

enum {
    TAPS = INPUTS * INPUTS,
    BLOCK_FLOATS = 1 << 17, /* of V and M together: half of L2, unless the least tiles are more */
    BLOCK_TILES_MIN = 16,
    BLOCK_TILES_MAX = 96,
    FEW_TILES = 32, /* up to so many, parts are of channels where there are enough */
    CHANNEL_PARTS_MAX = 2,
    ROW_PARTS_MAX = 4,
    TILES_PER_PART = 8,
    WORK_PER_PART = 1 << 19, /* multiply-adds, about */
};

#define INLINE static inline __attribute__((always_inline))

static size_t smaller_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t divided_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t whole_lanes(size_t channels)
{
    return divided_up(channels, LANES) * LANES;
}

/* --- how a layer is cut, by its shape alone --------------------------------------------------- */

static size_t tile_rows(const struct conv_shape *shape)
{
    return divided_up(shape->out_height, OUTPUTS);
}

static size_t tile_columns(const struct conv_shape *shape)
{
    return divided_up(shape->out_width, OUTPUTS);
}

static size_t tap_stride(size_t tiles, size_t ld)
{
    return divided_up(tiles * ld, 1024) * 1024 + 48;
}

/* Channels of M. */
static size_t group_ld(const struct conv_shape *shape)
{
    return whole_lanes(smaller_of(shape->out_channels, WINOGRAD_COLUMNS));
}

/* Tile rows of a block, at most. */
static size_t block_rows(const struct conv_shape *shape)
{
    size_t floats = TAPS * (whole_lanes(shape->in_channels) + group_ld(shape));
    size_t tiles = smaller_of(BLOCK_FLOATS / floats, BLOCK_TILES_MAX);
    if (tiles < BLOCK_TILES_MIN)
        tiles = BLOCK_TILES_MIN;
    size_t rows = tiles / tile_columns(shape);
    return rows > 0 ? rows : 1;
}

static size_t ring_row_floats(const struct conv_shape *shape)
{
    return tile_columns(shape) * INPUTS * LANES;
}

static size_t scratch_floats(const struct conv_shape *shape)
{
    size_t in = whole_lanes(shape->in_channels), out = group_ld(shape);
    size_t tiles = block_rows(shape) * tile_columns(shape);
    return TAPS * (tap_stride(tiles, in) + tap_stride(tiles, out)) +
           in / LANES * INPUTS * ring_row_floats(shape) + shape->in_width * LANES;
}

/* A part of a small map is some groups of channels, for which the input is transformed again; of a
 * large one some tile rows. */
static bool cut_by_channels(const struct conv_shape *shape)
{
    return tile_rows(shape) * tile_columns(shape) <= FEW_TILES &&
           shape->out_channels > WINOGRAD_COLUMNS;
}

static size_t pieces(const struct conv_shape *shape)
{
    return cut_by_channels(shape) ? divided_up(shape->out_channels, WINOGRAD_COLUMNS)
                                  : tile_rows(shape);
}

static size_t parts_of(const struct conv_shape *shape)
{
    size_t tiles = tile_rows(shape) * tile_columns(shape);
    size_t work = TAPS * tiles * shape->in_channels * shape->out_channels;
    size_t most = cut_by_channels(shape) ? CHANNEL_PARTS_MAX
                                         : smaller_of(tiles / TILES_PER_PART, ROW_PARTS_MAX);
    size_t parts = smaller_of(smaller_of(divided_up(work, WORK_PER_PART), most), pieces(shape));
    return parts > 0 ? parts : 1;
}

/* --- a call -------------------------------------------------------------------------------------
 */

struct job {
    const struct kernels *kernels;
    const struct conv_shape *shape;
    const struct layer_call *call;
    size_t columns;                              /* tiles in a tile row */
    size_t row_begin, rows;                      /* tile rows of each sample */
    size_t channel_begin, channel_end;           /* of the output */
    size_t in_ld, out_ld, in_stride, out_stride; /* of V and M */
    float *v, *m, *rings, *line;
};

/* Tile rows [begin, end) of those of all samples. */
struct block {
    size_t begin, end;
};

static void set_range(struct job *job, struct parts parts)
{
    const struct conv_shape *shape = job->shape;
    size_t count = pieces(shape), all = parts_of(shape);
    size_t begin = count * parts.begin / all, end = count * parts.end / all;
    job->rows = tile_rows(shape);
    job->channel_end = shape->out_channels;
    if (cut_by_channels(shape)) {
        job->channel_begin = begin * WINOGRAD_COLUMNS;
        job->channel_end = smaller_of(end * WINOGRAD_COLUMNS, shape->out_channels);
    } else {
        job->row_begin = begin;
        job->rows = end - begin;
    }
}

static void set_scratch(struct job *job, size_t block, float *scratch)
{
    const struct conv_shape *shape = job->shape;
    size_t tiles = block * job->columns;
    job->in_ld = whole_lanes(shape->in_channels);
    job->out_ld = group_ld(shape);
    job->in_stride = tap_stride(tiles, job->in_ld);
    job->out_stride = tap_stride(tiles, job->out_ld);
    job->v = scratch;
    job->m = job->v + TAPS * job->in_stride;
    job->rings = job->m + TAPS * job->out_stride;
    job->line = job->rings + job->in_ld / LANES * INPUTS * ring_row_floats(shape);
}

/* --- from the input to V ------------------------------------------------------------------------
 */

/* Into L2, which has more requests under way at once than L1. */
INLINE void fetch_ahead(const float *from)
{
    __builtin_prefetch(from, 0, 2);
}

INLINE struct lanes load_channels(const float *from, size_t count)
{
    return count == LANES ? lanes_load(from) : lanes_load_some(from, count);
}

/* Sixteen channels of an image row. */
struct pixels {
    const float *from;
    size_t ld, count; /* of channels */
    unsigned halving; /* 1: each stands for two */
};

INLINE void norm_pixels(const struct pixels *pixels, const size_t count, size_t width,
                        const float *scale_from, const float *shift_from, const bool silu,
                        float *to)
{
    struct lanes scale = load_channels(scale_from, count);
    struct lanes shift = load_channels(shift_from, count);
    for (size_t x = 0; x < width; x++) {
        const float *from = pixels->from + x * pixels->ld;
        struct lanes pixel = lanes_fma(load_channels(from, count), scale, shift);
        fetch_ahead(from + LANES);
        lanes_store(to + x * LANES, silu ? lanes_silu(pixel) : pixel);
    }
}

/* The pixels through the norm and its activation. */
static struct pixels normed(const struct job *job, const struct pixels *pixels, const float *scale)
{
    enum activation activation = job->call->activation;
    size_t width = job->shape->in_width;
    const float *shift = scale + job->shape->in_channels;
    bool silu = activation == ACTIVATION_SILU;
    if (pixels->count < LANES)
        norm_pixels(pixels, pixels->count, width, scale, shift, silu, job->line);
    else if (silu)
        norm_pixels(pixels, LANES, width, scale, shift, true, job->line);
    else
        norm_pixels(pixels, LANES, width, scale, shift, false, job->line);
    if (!silu && activation != ACTIVATION_NONE)
        job->kernels->pointwise->activate(activation, job->line, job->line, width * LANES);
    return (struct pixels){job->line, LANES, LANES, pixels->halving};
}

INLINE struct lanes pixel_at(const struct pixels *pixels, const size_t count, size_t x)
{
    const float *from = pixels->from + (x >> pixels->halving) * pixels->ld;
    fetch_ahead(from + LANES);
    return load_channels(from, count);
}

/* Tile t reads the pixels from t * OUTPUTS - 1 on, the first ones it shares with the tile before;
 * those outside of the map are zero. */
INLINE void transform_pixels(const struct pixels *pixels, const size_t count, size_t width,
                             size_t tiles, float *row)
{
    struct lanes in[INPUTS] = {[0] = lanes_set(0.0f), [1] = pixel_at(pixels, count, 0)};
    struct lanes out[INPUTS];
    for (size_t t = 0; t < tiles; t++, row += INPUTS * LANES) {
        size_t x = t * OUTPUTS + 1;
        if (x + OUTPUTS <= width) {
            for (size_t j = 0; j < OUTPUTS; j++)
                in[j + 2] = pixel_at(pixels, count, x + j);
        } else {
            for (size_t j = 0; j < OUTPUTS; j++)
                in[j + 2] = x + j < width ? pixel_at(pixels, count, x + j) : lanes_set(0.0f);
        }
        transform_input(in, out);
        for (size_t j = 0; j < INPUTS; j++)
            lanes_store(row + j * LANES, out[j]);
        in[0] = in[OUTPUTS];
        in[1] = in[OUTPUTS + 1];
    }
}

/* Sixteen channels of one sample's input. */
struct slice {
    const float *in, *scale; /* scale: NULL, or those of these channels */
    size_t count;
    float *ring;
};

static struct slice slice_of(const struct job *job, size_t sample, size_t channel)
{
    const struct layer_call *call = job->call;
    size_t offset = sample * call->stride + channel;
    return (struct slice){
        .in = call->in + offset,
        .scale = call->scale_shift == NULL ? NULL : call->scale_shift + offset,
        .count = smaller_of(job->shape->in_channels - channel, LANES),
        .ring = job->rings + channel / LANES * INPUTS * ring_row_floats(job->shape),
    };
}

static float *ring_row(const struct job *job, const struct slice *slice, size_t padded_y)
{
    return slice->ring + padded_y % INPUTS * ring_row_floats(job->shape);
}

/* Row padded_y - 1 of the map; rows outside of it are zero, and so are their transforms. */
static void transform_row(const struct job *job, const struct slice *slice, size_t padded_y)
{
    const struct conv_shape *shape = job->shape;
    float *row = ring_row(job, slice, padded_y);
    if (padded_y == 0 || padded_y > shape->out_height) {
        memset(row, 0, ring_row_floats(shape) * sizeof *row);
        return;
    }
    unsigned halving = shape->upsampled ? 1 : 0;
    size_t first = ((padded_y - 1) >> halving) * shape->in_width * job->call->in_ld;
    struct pixels pixels = {slice->in + first, job->call->in_ld, slice->count, halving};
    if (slice->scale != NULL)
        pixels = normed(job, &pixels, slice->scale);
    if (pixels.count == LANES)
        transform_pixels(&pixels, LANES, shape->out_width, job->columns, row);
    else
        transform_pixels(&pixels, pixels.count, shape->out_width, job->columns, row);
}

static void transform_columns(const struct job *job, const struct slice *slice, size_t padded_y,
                              float *v)
{
    const float *row[INPUTS];
    for (size_t i = 0; i < INPUTS; i++)
        row[i] = ring_row(job, slice, padded_y + i);
    size_t stride = job->in_stride;
    for (size_t t = 0; t < job->columns; t++, v += job->in_ld)
        for (size_t j = 0; j < INPUTS; j++) {
            size_t at = (t * INPUTS + j) * LANES;
            struct lanes in[INPUTS], out[INPUTS];
            for (size_t i = 0; i < INPUTS; i++)
                in[i] = lanes_load(row[i] + at);
            transform_input(in, out);
            for (size_t i = 0; i < INPUTS; i++)
                lanes_store(v + (i * INPUTS + j) * stride, out[i]);
        }
}

/* The first rows that a tile row shares with the one above it are in the ring if that was in this
 * block or in the one before. */
static void transform_slice(const struct job *job, struct block block, size_t channel)
{
    float *v = job->v + channel;
    for (size_t g = block.begin; g < block.end; g++) {
        struct slice slice = slice_of(job, g / job->rows, channel);
        size_t row = g % job->rows, y = (job->row_begin + row) * OUTPUTS;
        for (size_t i = row == 0 ? 0 : INPUTS - OUTPUTS; i < INPUTS; i++)
            transform_row(job, &slice, y + i);
        transform_columns(job, &slice, y, v);
        v += job->columns * job->in_ld;
    }
}

/* --- products -----------------------------------------------------------------------------------
 */

/* Output channels [first, first + count). */
struct group {
    size_t first, count;
};

static void multiply(const struct job *job, struct group group, size_t tiles)
{
    size_t depth = job->shape->in_channels, tap_floats = panel_floats(group.count, depth);
    const float *weights = job->call->weights + winograd_group_offset(group.first, depth, TAPS);
    for (size_t tap = 0; tap < TAPS; tap++) {
        struct panel_product product = {
            .rows = tiles,
            .columns = group.count,
            .depth = depth,
            .a = job->v + tap * job->in_stride,
            .panels = weights + tap * tap_floats,
            .c = job->m + tap * job->out_stride,
            .a_ld = job->in_ld,
            .c_ld = job->out_ld,
        };
        ISA(panel_product)(&product);
    }
}

/* --- from M to the output ------------------------------------------------------------------------
 */

/* Where a tile goes; pointers are to its first pixel and the first channel of the group. */
struct tile {
    size_t channels;
    size_t rows, columns; /* within the map */
    size_t ahead;         /* pixels from here to the next tile */
    const float *m, *bias, *residual;
    float *out;
};

/* What is done with a tile: constants wherever this is expanded. */
struct finish {
    size_t count; /* channels, at most LANES */
    bool whole;   /* all pixels are within the map */
    bool residual, divided;
};

INLINE void store_pixel(const struct job *job, const struct tile *tile, const struct finish finish,
                        size_t offset, size_t residual_offset, struct lanes value)
{
    if (finish.residual)
        value = lanes_add(value, load_channels(tile->residual + residual_offset, finish.count));
    if (finish.divided)
        value = lanes_divide(value, lanes_set(job->call->divisor));
    float *to = tile->out + offset;
    if (finish.count == LANES)
        lanes_store(to, value);
    else
        lanes_store_some(to, value, finish.count);
    fetch_ahead(to + tile->ahead * job->call->out_ld);
    if (finish.residual)
        fetch_ahead(tile->residual + residual_offset + tile->ahead * job->call->residual_ld);
}

INLINE void finish_channels(const struct job *job, const struct tile *tile,
                            const struct finish finish, size_t channel)
{
    struct lanes half[OUTPUTS][INPUTS], in[INPUTS], out[OUTPUTS];
#pragma GCC unroll 6
    for (size_t j = 0; j < INPUTS; j++) {
#pragma GCC unroll 6
        for (size_t i = 0; i < INPUTS; i++)
            in[i] = lanes_load(tile->m + (i * INPUTS + j) * job->out_stride + channel);
        transform_output(in, out);
#pragma GCC unroll 4
        for (size_t y = 0; y < OUTPUTS; y++)
            half[y][j] = out[y];
    }
    struct lanes bias = lanes_set(0.0f);
    if (tile->bias != NULL)
        bias = load_channels(tile->bias + channel, finish.count);
    size_t width = job->shape->out_width;
#pragma GCC unroll 4
    for (size_t y = 0; y < OUTPUTS; y++) {
        transform_output(half[y], out);
#pragma GCC unroll 4
        for (size_t x = 0; x < OUTPUTS; x++)
            if (finish.whole || (y < tile->rows && x < tile->columns))
                store_pixel(job, tile, finish, (y * width + x) * job->call->out_ld + channel,
                            (y * width + x) * job->call->residual_ld + channel,
                            lanes_fma(lanes_set(FACTORS[y + x]), out[x], bias));
    }
}

INLINE void finish_tile(const struct job *job, const struct tile *tile, const bool whole,
                        const bool residual, const bool divided)
{
    size_t channel = 0;
    for (; channel + LANES <= tile->channels; channel += LANES)
        finish_channels(job, tile, (struct finish){LANES, whole, residual, divided}, channel);
    if (channel < tile->channels)
        finish_channels(
            job, tile,
            (struct finish){tile->channels - channel, false, tile->residual != NULL, true},
            channel);
}

static void finish_any_tile(const struct job *job, const struct tile *tile)
{
    bool whole = tile->rows == OUTPUTS && tile->columns == OUTPUTS;
    if (!whole || job->call->divisor != 1.0f)
        finish_tile(job, tile, false, tile->residual != NULL, true);
    else if (tile->residual != NULL)
        finish_tile(job, tile, true, true, false);
    else
        finish_tile(job, tile, true, false, false);
}

static void finish_row(const struct job *job, struct group group, size_t sample, size_t row,
                       const float *m)
{
    const struct conv_shape *shape = job->shape;
    const struct layer_call *call = job->call;
    size_t y = row * OUTPUTS, offset = sample * call->stride + group.first;
    struct tile tile = {
        .channels = group.count, .rows = smaller_of(shape->out_height - y, OUTPUTS), .m = m};
    if (call->bias != NULL)
        tile.bias = call->bias + sample * call->bias_stride + group.first;
    for (size_t t = 0; t < job->columns; t++) {
        size_t x = t * OUTPUTS, pixel = y * shape->out_width + x;
        tile.columns = smaller_of(shape->out_width - x, OUTPUTS);
        tile.ahead = t + 1 < job->columns ? OUTPUTS : OUTPUTS * shape->out_width - x;
        tile.out = call->out + offset + pixel * call->out_ld;
        if (call->residual != NULL)
            tile.residual = call->residual + offset + pixel * call->residual_ld;
        finish_any_tile(job, &tile);
        tile.m += job->out_ld;
    }
}

static void finish_block(const struct job *job, struct group group, struct block block)
{
    for (size_t g = block.begin; g < block.end; g++)
        finish_row(job, group, g / job->rows, job->row_begin + g % job->rows,
                   job->m + (g - block.begin) * job->columns * job->out_ld);
}

static void run_block(const struct job *job, struct block block)
{
    for (size_t channel = 0; channel < job->shape->in_channels; channel += LANES)
        transform_slice(job, block, channel);
    struct group group = {.first = job->channel_begin};
    for (; group.first < job->channel_end; group.first += group.count) {
        group.count = smaller_of(job->channel_end - group.first, WINOGRAD_COLUMNS);
        multiply(job, group, (block.end - block.begin) * job->columns);
        finish_block(job, group, block);
    }
}

static void run(const struct kernels *kernels, const struct conv_shape *shape,
                const struct layer_call *call, struct parts parts, float *scratch)
{
    struct job job = {
        .kernels = kernels, .shape = shape, .call = call, .columns = tile_columns(shape)};
    set_range(&job, parts);
    size_t all = call->samples * job.rows, blocks = divided_up(all, block_rows(shape));
    set_scratch(&job, divided_up(all, blocks), scratch);
    for (size_t i = 0; i < blocks; i++)
        run_block(&job, (struct block){all * i / blocks, all * (i + 1) / blocks});
}

#endif
