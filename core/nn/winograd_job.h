/* winograd_job.h - how a Winograd convolution is cut into blocks and parts, by its shape alone, and
 * what a call of one works on. For winograd.h. */
#ifndef WINOGRAD_JOB_H
#define WINOGRAD_JOB_H

#include "core/nn/isa.h"
#include "core/nn/native.h"
#include "core/nn/pack_winograd.h"
#include "core/nn/panel.h"
#include "core/nn/sizes.h"

#include <stdbool.h>

enum {
    TAPS = INPUTS * INPUTS,
    BLOCK_FLOATS = 1 << 17, /* of V and M together: half of L2, unless the least tiles are more */
    BLOCK_TILES_MIN = 16,
    BLOCK_TILES_MAX = 96,
    FEW_TILES = 32, /* of a small map, at most */
    CHANNEL_PARTS_MAX = 2,
    ROW_PARTS_MAX = 4,
    TILES_PER_PART = 8,
    WORK_PER_PART = 1 << 19, /* multiply-adds, about */
};

#define INLINE static inline __attribute__((always_inline))

static size_t tile_rows(const struct conv_shape *shape)
{
    return size_blocks(shape->out_height, OUTPUTS);
}

static size_t tile_columns(const struct conv_shape *shape)
{
    return size_blocks(shape->out_width, OUTPUTS);
}

static size_t tap_stride(size_t tiles, size_t ld)
{
    return size_blocks(tiles * ld, 1024) * 1024 + 48;
}

/* Channels of M. */
static size_t group_ld(const struct conv_shape *shape)
{
    return lanes_whole(size_smaller(shape->out_channels, WINOGRAD_COLUMNS));
}

/* Tile rows of a block, at most. */
static size_t block_rows(const struct conv_shape *shape)
{
    size_t floats = TAPS * (lanes_whole(shape->in_channels) + group_ld(shape));
    size_t tiles = size_smaller(BLOCK_FLOATS / floats, BLOCK_TILES_MAX);
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
    size_t in = lanes_whole(shape->in_channels), out = group_ld(shape);
    size_t tiles = block_rows(shape) * tile_columns(shape);
    return TAPS * (tap_stride(tiles, in) + tap_stride(tiles, out)) +
           in / LANES * INPUTS * ring_row_floats(shape) + shape->in_width * LANES;
}

/* A part of a small map is some panels of channels, for which the input is transformed again, and
 * so each weight is read once, by whoever has that panel; of a large map, or one with few channels,
 * some tile rows. */
static bool cut_by_channels(const struct conv_shape *shape)
{
    size_t tiles = tile_rows(shape) * tile_columns(shape);
    size_t few = tiles < 2 * TILES_PER_PART ? PANEL_COLUMNS : WINOGRAD_COLUMNS;
    return tiles <= FEW_TILES && shape->out_channels > few;
}

static size_t pieces(const struct conv_shape *shape)
{
    return cut_by_channels(shape) ? size_blocks(shape->out_channels, PANEL_COLUMNS)
                                  : tile_rows(shape);
}

static size_t parts_of(const struct conv_shape *shape)
{
    size_t tiles = tile_rows(shape) * tile_columns(shape);
    size_t work = TAPS * tiles * shape->in_channels * shape->out_channels;
    size_t most = cut_by_channels(shape) ? CHANNEL_PARTS_MAX
                                         : size_smaller(tiles / TILES_PER_PART, ROW_PARTS_MAX);
    size_t parts =
        size_smaller(size_smaller(size_blocks(work, WORK_PER_PART), most), pieces(shape));
    return parts > 0 ? parts : 1;
}

/* --- a call ----------------------------------------------------------------------------------- */

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

/* Output channels [first, first + count), all of one group of pack_winograd.h. */
struct group {
    size_t first, count;
};

static void set_range(struct job *job, struct parts parts)
{
    const struct conv_shape *shape = job->shape;
    size_t count = pieces(shape), all = parts_of(shape);
    size_t begin = count * parts.begin / all, end = count * parts.end / all;
    job->rows = tile_rows(shape);
    job->channel_end = shape->out_channels;
    if (cut_by_channels(shape)) {
        job->channel_begin = begin * PANEL_COLUMNS;
        job->channel_end = size_smaller(end * PANEL_COLUMNS, shape->out_channels);
    } else {
        job->row_begin = begin;
        job->rows = end - begin;
    }
}

static void set_scratch(struct job *job, size_t block, float *scratch)
{
    const struct conv_shape *shape = job->shape;
    size_t tiles = block * job->columns;
    job->in_ld = lanes_whole(shape->in_channels);
    job->out_ld = group_ld(shape);
    job->in_stride = tap_stride(tiles, job->in_ld);
    job->out_stride = tap_stride(tiles, job->out_ld);
    job->v = scratch;
    job->m = job->v + TAPS * job->in_stride;
    job->rings = job->m + TAPS * job->out_stride;
    job->line = job->rings + job->in_ld / LANES * INPUTS * ring_row_floats(shape);
}

/* --- channels of a pixel ---------------------------------------------------------------------- */

/* Into L2, which has more requests under way at once than L1. */
INLINE void fetch_ahead(const float *from)
{
    __builtin_prefetch(from, 0, 2);
}

INLINE struct lanes load_channels(const float *from, size_t count)
{
    return count == LANES ? lanes_load(from) : lanes_load_some(from, count);
}

#endif
