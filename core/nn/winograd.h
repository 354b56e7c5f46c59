/* winograd.h - 3x3 convolutions of stride 1 by Winograd's minimal filtering, for native_winograd4.c
 * and native_winograd2.c. Lavin & Gray, arXiv:1509.09308.
 *
 * Y = A^T ((G g G^T) . (B^T d B)) A on tiles of OUTPUTS x OUTPUTS pixels, each from INPUTS x
 * INPUTS. Before it includes this, a source defines those two, FACTORS, and the transforms of a
 * vector: transform_input (B^T) and transform_output (A^T without its diagonal FACTORS).
 *
 *   for each block of whole tile rows, which may span samples:
 *     for each 16 channels: a row of pixels, normed and activated, with its zeros -> `line`
 *                           its transform along x -> `rows`, a ring of INPUTS image rows
 *                           their transform along y -> V[tap][tile][channel]
 *     for each tap:         M[tap] = V[tap] U[tap]
 *     for each tile:        transform along y, then x, + bias, + residual, / divisor -> out
 *
 * Both strides from tap to tap are an odd number of cache lines, as taps of one tile would else
 * share one set of the cache. V, M and the rings of all channels are to fit into L2. */
#ifndef WINOGRAD_H
#define WINOGRAD_H

#include "core/nn/isa.h"
#include "core/nn/native.h"
#include "core/nn/panel.h"

#include <stdbool.h>

enum {
    TAPS = INPUTS * INPUTS,
    BLOCK_FLOATS = 1 << 18, /* of V and M together, unless one tile row is more */
    BLOCK_TILES_MAX = 96,
    WORK_PER_PART = 1 << 18, /* multiply-adds, at least */
    PARTS_MAX = 4,
    FEW_TILES = 32, /* up to so many, parts are of channels where there are enough */
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

/* --- how a layer is cut, by its shape alone ------------------------------------------------------
 */

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

/* Tile rows of a block, at most. */
static size_t block_rows(const struct conv_shape *shape)
{
    size_t floats = TAPS * (whole_lanes(shape->in_channels) + whole_lanes(shape->out_channels));
    size_t tiles = smaller_of(BLOCK_FLOATS / floats, BLOCK_TILES_MAX);
    size_t rows = tiles / tile_columns(shape);
    return rows > 0 ? rows : 1;
}

static size_t line_floats(const struct conv_shape *shape)
{
    return (tile_columns(shape) * OUTPUTS + INPUTS - OUTPUTS) * LANES;
}

static size_t ring_row_floats(const struct conv_shape *shape)
{
    return tile_columns(shape) * INPUTS * LANES;
}

static size_t scratch_floats(const struct conv_shape *shape)
{
    size_t in = whole_lanes(shape->in_channels), out = whole_lanes(shape->out_channels);
    size_t tiles = block_rows(shape) * tile_columns(shape);
    return TAPS * (tap_stride(tiles, in) + tap_stride(tiles, out)) +
           in / LANES * INPUTS * ring_row_floats(shape) + line_floats(shape);
}

/* A part of a small map is some panels of channels, for which the input is transformed again; of a
 * large one some tile rows. */
static bool cut_by_channels(const struct conv_shape *shape)
{
    return tile_rows(shape) * tile_columns(shape) <= FEW_TILES &&
           shape->out_channels >= 4 * PANEL_COLUMNS;
}

static size_t pieces(const struct conv_shape *shape)
{
    return cut_by_channels(shape) ? divided_up(shape->out_channels, PANEL_COLUMNS)
                                  : tile_rows(shape);
}

static size_t parts_of(const struct conv_shape *shape)
{
    size_t products = TAPS * tile_rows(shape) * tile_columns(shape);
    size_t parts = products * shape->in_channels * shape->out_channels / WORK_PER_PART;
    return smaller_of(parts < 1 ? 1 : parts, smaller_of(pieces(shape), PARTS_MAX));
}

/* --- a call -------------------------------------------------------------------------------------
 */

struct job {
    const struct kernels *kernels;
    const struct conv_shape *shape;
    const struct layer_call *call;
    size_t columns;                              /* tiles in a tile row */
    size_t row_begin, rows;                      /* tile rows of each sample */
    size_t channel_begin, channels;              /* of the output */
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
    job->channels = shape->out_channels;
    if (cut_by_channels(shape)) {
        job->channel_begin = begin * PANEL_COLUMNS;
        job->channels = smaller_of(end * PANEL_COLUMNS, job->channels) - job->channel_begin;
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
    job->out_ld = whole_lanes(job->channels);
    job->in_stride = tap_stride(tiles, job->in_ld);
    job->out_stride = tap_stride(tiles, job->out_ld);
    job->v = scratch;
    job->m = job->v + TAPS * job->in_stride;
    job->rings = job->m + TAPS * job->out_stride;
    job->line = job->rings + job->in_ld / LANES * INPUTS * ring_row_floats(shape);
    memset(job->line, 0, line_floats(shape) * sizeof(float));
}

/* --- from the input to V ------------------------------------------------------------------------
 */

INLINE struct lanes load_channels(const float *from, size_t count)
{
    return count == LANES ? lanes_load(from) : lanes_load_some(from, count);
}

/* Channels of an image row, beside each other. */
struct pixels {
    const float *from;
    size_t ld, width, count;    /* count: of channels, at most LANES */
    const float *scale, *shift; /* of these channels, or NULL */
};

INLINE void read_pixels(const struct pixels *pixels, const size_t count, const bool normed,
                        const bool silu, float *to)
{
    struct lanes scale = lanes_set(0.0f), shift = scale;
    if (normed) {
        scale = load_channels(pixels->scale, count);
        shift = load_channels(pixels->shift, count);
    }
    for (size_t x = 0; x < pixels->width; x++) {
        struct lanes pixel = load_channels(pixels->from + x * pixels->ld, count);
        if (normed)
            pixel = lanes_fma(pixel, scale, shift);
        lanes_store(to + x * LANES, silu ? lanes_silu(pixel) : pixel);
    }
}

INLINE void read_normed(const struct pixels *pixels, const size_t count, enum activation activation,
                        float *to)
{
    if (pixels->scale == NULL)
        read_pixels(pixels, count, false, false, to);
    else if (activation == ACTIVATION_SILU)
        read_pixels(pixels, count, true, true, to);
    else
        read_pixels(pixels, count, true, false, to);
}

/* Each pixel twice, in place. */
static void widen(float *pixels, size_t width)
{
    for (size_t x = width; x-- > 0;) {
        struct lanes pixel = lanes_load(pixels + x * LANES);
        lanes_store(pixels + 2 * x * LANES, pixel);
        lanes_store(pixels + (2 * x + 1) * LANES, pixel);
    }
}

/* The zeros on both sides of the line stay. */
static void read_line(const struct job *job, const struct pixels *pixels)
{
    enum activation activation = job->call->activation;
    float *to = job->line + LANES;
    if (pixels->count == LANES)
        read_normed(pixels, LANES, activation, to);
    else
        read_normed(pixels, pixels->count, activation, to);
    if (pixels->scale != NULL && activation != ACTIVATION_NONE && activation != ACTIVATION_SILU)
        job->kernels->pointwise->activate(activation, to, to, pixels->width * LANES);
    if (job->shape->upsampled)
        widen(to, pixels->width);
}

static void transform_line(const struct job *job, float *row)
{
    for (size_t t = 0; t < job->columns; t++) {
        const float *from = job->line + t * OUTPUTS * LANES;
        float *to = row + t * INPUTS * LANES;
        struct lanes in[INPUTS], out[INPUTS];
        for (size_t j = 0; j < INPUTS; j++)
            in[j] = lanes_load(from + j * LANES);
        transform_input(in, out);
        for (size_t j = 0; j < INPUTS; j++)
            lanes_store(to + j * LANES, out[j]);
    }
}

/* Sixteen channels of one sample's input. */
struct slice {
    const float *in;
    struct pixels pixels;
    float *ring;
};

static struct slice slice_of(const struct job *job, size_t sample, size_t channel)
{
    const struct layer_call *call = job->call;
    size_t channels = job->shape->in_channels, offset = sample * call->stride + channel;
    struct slice slice = {
        .in = call->in + offset,
        .pixels = {.ld = call->in_ld,
                   .width = job->shape->in_width,
                   .count = smaller_of(channels - channel, LANES)},
        .ring = job->rings + channel / LANES * INPUTS * ring_row_floats(job->shape),
    };
    if (call->scale_shift != NULL) {
        slice.pixels.scale = call->scale_shift + offset;
        slice.pixels.shift = slice.pixels.scale + channels;
    }
    return slice;
}

static float *ring_row(const struct job *job, const struct slice *slice, size_t padded_y)
{
    return slice->ring + padded_y % INPUTS * ring_row_floats(job->shape);
}

/* Row padded_y - 1 of the map; rows outside of it are zero, and so are their transforms. */
static void transform_row(const struct job *job, struct slice *slice, size_t padded_y)
{
    const struct conv_shape *shape = job->shape;
    float *row = ring_row(job, slice, padded_y);
    size_t y = (padded_y - 1) / (shape->upsampled ? 2 : 1);
    if (padded_y == 0 || y >= shape->in_height) {
        memset(row, 0, ring_row_floats(shape) * sizeof *row);
        return;
    }
    slice->pixels.from = slice->in + y * shape->in_width * slice->pixels.ld;
    read_line(job, &slice->pixels);
    transform_line(job, row);
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

static void multiply(const struct job *job, size_t tiles)
{
    const struct conv_shape *shape = job->shape;
    size_t tap_floats = panel_floats(shape->out_channels, shape->in_channels);
    for (size_t tap = 0; tap < TAPS; tap++) {
        struct panel_product product = {
            .rows = tiles,
            .columns = job->channels,
            .depth = shape->in_channels,
            .first_column = job->channel_begin,
            .all_columns = shape->out_channels,
            .a = job->v + tap * job->in_stride,
            .panels = job->call->weights + tap * tap_floats,
            .c = job->m + tap * job->out_stride,
            .a_ld = job->in_ld,
            .c_ld = job->out_ld,
        };
        ISA(panel_product)(&product);
    }
}

/* --- from M to the output ------------------------------------------------------------------------
 */

/* Where a tile goes; pointers are to its first pixel and the first channel of the call. */
struct tile {
    size_t rows, columns; /* within the map */
    const float *m, *bias, *residual;
    float *out;
};

INLINE void store_pixel(const struct job *job, const struct tile *tile, size_t y, size_t x,
                        size_t channel, const size_t count, struct lanes value)
{
    const struct layer_call *call = job->call;
    size_t pixel = y * job->shape->out_width + x;
    if (tile->residual != NULL)
        value = lanes_add(
            value, load_channels(tile->residual + pixel * call->residual_ld + channel, count));
    if (call->divisor != 1.0f)
        value = lanes_divide(value, lanes_set(call->divisor));
    float *to = tile->out + pixel * call->out_ld + channel;
    if (count == LANES)
        lanes_store(to, value);
    else
        lanes_store_some(to, value, count);
}

INLINE void finish_channels(const struct job *job, const struct tile *tile, size_t channel,
                            const size_t count)
{
    struct lanes half[OUTPUTS][INPUTS], in[INPUTS], out[OUTPUTS];
    for (size_t j = 0; j < INPUTS; j++) {
        for (size_t i = 0; i < INPUTS; i++)
            in[i] = lanes_load(tile->m + (i * INPUTS + j) * job->out_stride + channel);
        transform_output(in, out);
        for (size_t y = 0; y < OUTPUTS; y++)
            half[y][j] = out[y];
    }
    struct lanes bias = lanes_set(0.0f);
    if (tile->bias != NULL)
        bias = load_channels(tile->bias + channel, count);
    for (size_t y = 0; y < OUTPUTS; y++) {
        transform_output(half[y], out);
        for (size_t x = 0; x < OUTPUTS; x++)
            if (y < tile->rows && x < tile->columns)
                store_pixel(job, tile, y, x, channel, count,
                            lanes_fma(lanes_set(FACTORS[y + x]), out[x], bias));
    }
}

static void finish_tile(const struct job *job, const struct tile *tile)
{
    size_t channel = 0;
    for (; channel + LANES <= job->channels; channel += LANES)
        finish_channels(job, tile, channel, LANES);
    if (channel < job->channels)
        finish_channels(job, tile, channel, job->channels - channel);
}

static void finish_row(const struct job *job, size_t sample, size_t row, const float *m)
{
    const struct conv_shape *shape = job->shape;
    const struct layer_call *call = job->call;
    size_t y = row * OUTPUTS, offset = sample * call->stride + job->channel_begin;
    struct tile tile = {.rows = smaller_of(shape->out_height - y, OUTPUTS), .m = m};
    if (call->bias != NULL)
        tile.bias = call->bias + sample * call->bias_stride + job->channel_begin;
    for (size_t t = 0; t < job->columns; t++) {
        size_t x = t * OUTPUTS, pixel = y * shape->out_width + x;
        tile.columns = smaller_of(shape->out_width - x, OUTPUTS);
        tile.out = call->out + offset + pixel * call->out_ld;
        if (call->residual != NULL)
            tile.residual = call->residual + offset + pixel * call->residual_ld;
        finish_tile(job, &tile);
        tile.m += job->out_ld;
    }
}

static void finish_block(const struct job *job, struct block block)
{
    for (size_t g = block.begin; g < block.end; g++)
        finish_row(job, g / job->rows, job->row_begin + g % job->rows,
                   job->m + (g - block.begin) * job->columns * job->out_ld);
}

static void run(const struct kernels *kernels, const struct conv_shape *shape,
                const struct layer_call *call, struct parts parts, float *scratch)
{
    struct job job = {
        .kernels = kernels, .shape = shape, .call = call, .columns = tile_columns(shape)};
    set_range(&job, parts);
    size_t all = call->samples * job.rows, blocks = divided_up(all, block_rows(shape));
    set_scratch(&job, divided_up(all, blocks), scratch);
    for (size_t i = 0; i < blocks; i++) {
        struct block block = {all * i / blocks, all * (i + 1) / blocks};
        for (size_t channel = 0; channel < shape->in_channels; channel += LANES)
            transform_slice(&job, block, channel);
        multiply(&job, (block.end - block.begin) * job.columns);
        finish_block(&job, block);
    }
}

#endif
