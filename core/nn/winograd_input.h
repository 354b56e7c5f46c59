/* winograd_input.h - from a convolution's input to V: its norm, its activation, B^T d B. For
 * winograd.h. */
#ifndef WINOGRAD_INPUT_H
#define WINOGRAD_INPUT_H

#include "core/nn/winograd_job.h"

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
        .count = size_smaller(job->shape->in_channels - channel, LANES),
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

#endif
