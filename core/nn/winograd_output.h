/* winograd_output.h - from M to a convolution's output: A^T M A, bias, residual, divisor. For
 * winograd.h. */
#ifndef WINOGRAD_OUTPUT_H
#define WINOGRAD_OUTPUT_H

#include "core/nn/channel_sums.h"
#include "core/nn/group.h"
#include "core/nn/winograd_job.h"

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
        .channels = group.count, .rows = size_smaller(shape->out_height - y, OUTPUTS), .m = m};
    if (call->bias != NULL)
        tile.bias = call->bias + sample * call->bias_stride + group.first;
    for (size_t t = 0; t < job->columns; t++) {
        size_t x = t * OUTPUTS, pixel = y * shape->out_width + x;
        tile.columns = size_smaller(shape->out_width - x, OUTPUTS);
        tile.ahead = t + 1 < job->columns ? OUTPUTS : OUTPUTS * shape->out_width - x;
        tile.out = call->out + offset + pixel * call->out_ld;
        if (call->residual != NULL)
            tile.residual = call->residual + offset + pixel * call->residual_ld;
        finish_any_tile(job, &tile);
        tile.m += job->out_ld;
    }
    struct layer_call one = group_layer(call, sample);
    channel_sums_add(&one.sums, one.out, one.out_ld,
                     (struct parts){y * shape->out_width, (y + tile.rows) * shape->out_width},
                     (struct parts){group.first, group.first + group.count});
}

static void finish_block(const struct job *job, struct group group, struct block block)
{
    for (size_t g = block.begin; g < block.end; g++)
        finish_row(job, group, g / job->rows, job->row_begin + g % job->rows,
                   job->m + (g - block.begin) * job->columns * job->out_ld);
}

#endif
