/* A 3x3 convolution of stride 1 with fewer than 16 channels out. Compiled for several CPUs; see the
 * Makefile.
 *
 * A product with so few columns would waste most of each vector, so the taps become columns:
 * P[pixel][tap * out_channels + o] is the chain over the channels of one input pixel, and an output
 * is P_0 + P_1 + ... + P_8, added in this order, each at its tap's pixel. Outside the map lie
 * pixels of zeros, whose products are +0. Then bias, residual and divisor as everywhere.
 *
 * scratch: normed pixels of one product | P, rows of the map that a block of output rows needs |
 * a row of zeros */
#include "core/nn/cut.h"
#include "core/nn/native.h"
#include "core/nn/panel.h"
#include "core/nn/pixels.h"

enum { SIDE = 3, TAPS = SIDE * SIDE, PIXELS_AT_ONCE = 33, PRODUCT_FLOATS = 1 << 17 };

static size_t whole_lanes(size_t count)
{
    return (count + LANES - 1) / LANES * LANES;
}

/* Of P: a vector may be read at any tap. */
static size_t product_ld(const struct conv_shape *shape)
{
    return whole_lanes(TAPS * shape->out_channels + LANES);
}

static size_t shift_of(const struct conv_shape *shape)
{
    return shape->upsampled ? 1 : 0;
}

/* How many rows of output are made from one P, which should rest in the second cache. */
static size_t rows_at_once(const struct conv_shape *shape)
{
    size_t limit = (PRODUCT_FLOATS / (shape->in_width * product_ld(shape))) << shift_of(shape);
    limit = limit > 2 * SIDE ? limit - SIDE : SIDE;
    return limit < shape->out_height ? limit : shape->out_height;
}

static size_t product_rows(const struct conv_shape *shape)
{
    size_t rows = ((rows_at_once(shape) + SIDE) >> shift_of(shape)) + 1;
    return rows < shape->in_height ? rows : shape->in_height;
}

static size_t normed_floats(const struct conv_shape *shape)
{
    return PIXELS_AT_ONCE * whole_lanes(shape->in_channels);
}

static size_t products_floats(const struct conv_shape *shape)
{
    return product_rows(shape) * shape->in_width * product_ld(shape);
}

static size_t scratch_floats(const struct conv_shape *shape)
{
    return normed_floats(shape) + products_floats(shape) + product_ld(shape);
}

/* Rows of the map: [begin, end). */
struct span {
    size_t begin, end;
};

struct layer {
    const struct kernels *kernels;
    const struct conv_shape *shape;
    float *normed, *products, *zeros;
};

/* The rows of the input that output rows reach. */
static struct span rows_reached(const struct conv_shape *shape, struct span out)
{
    size_t shift = shift_of(shape);
    size_t begin = (out.begin < shape->pad ? 0 : out.begin - shape->pad) >> shift;
    size_t end = ((out.end - 1 + SIDE - 1 - shape->pad) >> shift) + 1;
    return (struct span){begin, end < shape->in_height ? end : shape->in_height};
}

static void multiply_pixels(const struct layer *layer, const struct layer_call *call, size_t pixel,
                            size_t count, float *to)
{
    size_t channels = layer->shape->in_channels;
    struct panel_product product = {.rows = count,
                                    .columns = TAPS * layer->shape->out_channels,
                                    .depth = channels,
                                    .a = call->in + pixel * call->in_ld,
                                    .a_ld = call->in_ld,
                                    .panels = call->weights,
                                    .c = to,
                                    .c_ld = product_ld(layer->shape)};
    if (call->scale_shift != NULL) {
        size_t ld = whole_lanes(channels);
        for (size_t i = 0; i < count; i++)
            pixels_norm(layer->kernels, call, channels, product.a + i * call->in_ld,
                        layer->normed + i * ld);
        product.a = layer->normed;
        product.a_ld = ld;
    }
    ISA(panel_product)(&product);
}

static void multiply_rows(const struct layer *layer, const struct layer_call *call, struct span in)
{
    size_t first = in.begin * layer->shape->in_width, end = in.end * layer->shape->in_width;
    size_t ld = product_ld(layer->shape);
    for (size_t pixel = first; pixel < end; pixel += PIXELS_AT_ONCE) {
        size_t count = end - pixel < PIXELS_AT_ONCE ? end - pixel : PIXELS_AT_ONCE;
        multiply_pixels(layer, call, pixel, count, layer->products + (pixel - first) * ld);
    }
}

/* For each of the three rows of a window the products of its first pixel, or NULL. */
static void tap_rows(const struct layer *layer, struct span in, size_t y, const float *rows[SIDE])
{
    const struct conv_shape *shape = layer->shape;
    size_t shift = shift_of(shape), row_floats = shape->in_width * product_ld(shape);
    for (size_t i = 0; i < SIDE; i++) {
        size_t below = y + i; /* y + i - pad, where that is on the map */
        bool there = below >= shape->pad && below - shape->pad < shape->in_height << shift;
        size_t row = there ? (below - shape->pad) >> shift : 0;
        rows[i] = there ? layer->products + (row - in.begin) * row_floats : NULL;
    }
}

static inline struct lanes sum_taps(const struct layer *layer, const float *const rows[SIDE],
                                    size_t x)
{
    const struct conv_shape *shape = layer->shape;
    size_t shift = shift_of(shape), ld = product_ld(shape);
    struct lanes sum = lanes_set(0.0f);
    for (size_t tap = 0; tap < TAPS; tap++) {
        size_t right = x + tap % SIDE;
        bool there = rows[tap / SIDE] != NULL && right >= shape->pad &&
                     right - shape->pad < shape->in_width << shift;
        const float *from = layer->zeros;
        if (there)
            from = rows[tap / SIDE] + ((right - shape->pad) >> shift) * ld;
        struct lanes product = lanes_load(from + tap * shape->out_channels);
        sum = tap == 0 ? product : lanes_add(sum, product);
    }
    return sum;
}

static void sum_row(const struct layer *layer, const struct layer_call *call, struct span in,
                    size_t y)
{
    size_t width = layer->shape->out_width;
    const float *rows[SIDE];
    tap_rows(layer, in, y, rows);
    for (size_t x = 0; x < width; x++) {
        float sum[LANES];
        size_t pixel = y * width + x;
        lanes_store(sum, sum_taps(layer, rows, x));
        pixels_finish(sum, call->bias,
                      call->residual ? call->residual + pixel * call->residual_ld : NULL,
                      call->divisor, call->out + pixel * call->out_ld, layer->shape->out_channels);
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
    layer.products = scratch + normed_floats(shape);
    layer.zeros = layer.products + products_floats(shape);
    pixels_zero(layer.zeros, product_ld(shape));
    size_t end = part.row + part.rows, at_once = rows_at_once(shape);
    for (size_t sample = 0; sample < group->samples; sample++) {
        struct layer_call call = pixels_sample(group, sample);
        for (size_t y = part.row; y < end; y += at_once) {
            struct span out = {y, end - y < at_once ? end : y + at_once};
            struct span in = rows_reached(shape, out);
            multiply_rows(&layer, &call, in);
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
