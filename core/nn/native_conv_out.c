/* A 3x3 convolution of stride 1 with fewer than 16 channels out. Compiled for several CPUs; see the
 * Makefile.
 *
 * A product with so few columns would waste most of each vector, so the taps become columns:
 * P[pixel][tap * out_channels + o] is the chain over the channels of one input pixel, and an output
 * is P_0 + P_1 + ... + P_8, added in this order, each at its tap's pixel. Outside the map lie
 * pixels of zeros, whose products are +0. Then bias, residual and divisor as everywhere.
 *
 * scratch: a row of normed pixels | a row of zeros | P, rows of the map that a block of output rows
 * needs, each with a pixel of zeros before it and one behind */
#include "core/nn/cut.h"
#include "core/nn/group.h"
#include "core/nn/native.h"
#include "core/nn/panel.h"
#include "core/nn/pixels.h"

#include <assert.h>

enum { SIDE = 3, TAPS = SIDE * SIDE, PRODUCT_FLOATS = 1 << 17 };

/* Of P: a vector may be read at any tap. */
static size_t product_ld(const struct conv_shape *shape)
{
    return lanes_whole((TAPS - 1) * shape->out_channels + LANES);
}

static size_t row_floats(const struct conv_shape *shape)
{
    return (shape->in_width + 2) * product_ld(shape);
}

static size_t shift_of(const struct conv_shape *shape)
{
    return shape->upsampled ? 1 : 0;
}

/* How many rows of output are made from one P, which should rest in the second cache. */
static size_t rows_at_once(const struct conv_shape *shape)
{
    size_t floats = row_floats(shape);
    assert(floats > 0);
    size_t limit = (PRODUCT_FLOATS / floats) << shift_of(shape);
    limit = limit > (size_t)2 * SIDE ? limit - SIDE : SIDE;
    return limit < shape->out_height ? limit : shape->out_height;
}

static size_t product_rows(const struct conv_shape *shape)
{
    size_t rows = ((rows_at_once(shape) + SIDE) >> shift_of(shape)) + 1;
    return rows < shape->in_height ? rows : shape->in_height;
}

static size_t normed_floats(const struct conv_shape *shape)
{
    return shape->in_width * lanes_whole(shape->in_channels);
}

static size_t scratch_floats(const struct conv_shape *shape)
{
    return normed_floats(shape) + (1 + product_rows(shape)) * row_floats(shape);
}

/* Rows of a map: [begin, end). */
struct span {
    size_t begin, end;
};

struct layer {
    const struct kernels *kernels;
    const struct conv_shape *shape;
    float *normed, *zeros, *products;
};

/* The rows of the input that output rows reach. */
static struct span rows_reached(const struct conv_shape *shape, struct span out)
{
    size_t shift = shift_of(shape);
    size_t begin = (out.begin < shape->pad ? 0 : out.begin - shape->pad) >> shift;
    size_t end = ((out.end - 1 + SIDE - 1 - shape->pad) >> shift) + 1;
    return (struct span){begin, end < shape->in_height ? end : shape->in_height};
}

static void multiply_row(const struct layer *layer, const struct layer_call *call, size_t row,
                         float *to)
{
    size_t channels = layer->shape->in_channels, width = layer->shape->in_width;
    size_t ld = product_ld(layer->shape);
    struct panel_product product = {.rows = width,
                                    .columns = TAPS * layer->shape->out_channels,
                                    .depth = channels,
                                    .a = call->in + row * width * call->in_ld,
                                    .a_ld = call->in_ld,
                                    .panels = call->weights,
                                    .c = to + ld,
                                    .c_ld = ld};
    if (call->scale_shift != NULL) {
        for (size_t x = 0; x < width; x++)
            pixels_norm(layer->kernels, call, channels, product.a + x * call->in_ld,
                        layer->normed + x * lanes_whole(channels));
        product.a = layer->normed;
        product.a_ld = lanes_whole(channels);
    }
    pixels_zero(to, ld);
    ISA(panel_product)(&product);
    pixels_zero(to + (1 + width) * ld, ld);
}

/* The products that the three rows of windows of output row y begin with. */
static void tap_rows(const struct layer *layer, struct span in, size_t y, const float *rows[SIDE])
{
    const struct conv_shape *shape = layer->shape;
    size_t shift = shift_of(shape);
    for (size_t i = 0; i < SIDE; i++) {
        size_t below = y + i; /* y + i - pad, where that is on the map */
        bool there = below >= shape->pad && below - shape->pad < shape->in_height << shift;
        rows[i] = layer->zeros;
        if (there)
            rows[i] =
                layer->products + (((below - shape->pad) >> shift) - in.begin) * row_floats(shape);
    }
}

static void sum_row(const struct layer *layer, const struct layer_call *call, struct span in,
                    size_t y)
{
    const struct conv_shape *shape = layer->shape;
    size_t shift = shift_of(shape), ld = product_ld(shape), channels = shape->out_channels;
    const float *rows[SIDE];
    tap_rows(layer, in, y, rows);
    for (size_t x = 0; x < shape->out_width; x++) {
        struct lanes sum = lanes_set(0.0f);
        size_t left = x + ((size_t)1 << shift) - shape->pad, pixel = y * shape->out_width + x;
#pragma GCC unroll 9
        for (size_t tap = 0; tap < TAPS; tap++) {
            const float *from = rows[tap / SIDE] + ((left + tap % SIDE) >> shift) * ld;
            struct lanes product = lanes_load(from + tap * channels);
            sum = tap == 0 ? product : lanes_add(sum, product);
        }
        pixels_finish_lanes(sum, call->bias,
                            call->residual ? call->residual + pixel * call->residual_ld : NULL,
                            call->divisor, call->out + pixel * call->out_ld, channels);
    }
}

static struct cut rows_cut(const struct conv_shape *shape)
{
    size_t row_work = shape->out_width * TAPS * shape->out_channels;
    return cut_product(shape->out_height, 1, row_work * shape->in_channels);
}

static size_t conv_out_parts(const struct conv_shape *shape)
{
    return rows_cut(shape).parts;
}

static void run(const struct kernels *kernels, const struct conv_shape *shape,
                const struct layer_call *group, struct parts parts, float *scratch)
{
    struct cut cut = rows_cut(shape);
    struct cut_block part = cut_block(&cut, parts);
    struct layer layer = {kernels, shape, .normed = scratch};
    layer.zeros = scratch + normed_floats(shape);
    layer.products = layer.zeros + row_floats(shape);
    pixels_zero(layer.zeros, row_floats(shape));
    size_t end = part.row + part.rows, at_once = rows_at_once(shape);
    for (size_t sample = 0; sample < group->samples; sample++) {
        struct layer_call call = group_layer(group, sample);
        for (size_t y = part.row; y < end; y += at_once) {
            struct span out = {y, end - y < at_once ? end : y + at_once};
            struct span in = rows_reached(shape, out);
            for (size_t row = in.begin; row < in.end; row++)
                multiply_row(&layer, &call, row,
                             layer.products + (row - in.begin) * row_floats(shape));
            for (size_t row = out.begin; row < out.end; row++)
                sum_row(&layer, &call, in, row);
        }
    }
}

static void prepare(const struct kernels *kernels, const struct conv_shape *shape,
                    const float *weights, float *packed)
{
    (void)kernels;
    conv_out_prepare(shape, weights, packed);
}

const struct conv_kernel ISA(native_conv_out) = {
    .weight_floats = conv_out_weight_floats,
    .prepare = prepare,
    .scratch_floats = scratch_floats,
    .parts = conv_out_parts,
    .run = run,
};
