/* A 3x3 convolution of any stride as one product. Compiled for several CPUs; see the Makefile.
 *
 * The windows of a block of output pixels, of all samples one after the other, are copied into
 * rows of a matrix [pixels][9 in_channels], zeros where they hang over the edge; each output is one
 * chain over all taps. Where the input is read through a norm, the rows of the map that a part
 * needs are first normed into a copy, so that each number is only once.
 *
 * scratch: windows | sums of a block, [pixels][columns in whole panels] | the normed map */
#include "core/nn/channel_sums.h"
#include "core/nn/cut.h"
#include "core/nn/group.h"
#include "core/nn/native.h"
#include "core/nn/panel.h"
#include "core/nn/pixels.h"
#include "core/nn/sizes.h"

enum { SIDE = 3, TAPS = SIDE * SIDE, ROWS_MAX = 64, WINDOW_FLOATS = 1 << 17 };

static size_t depth_of(const struct conv_shape *shape)
{
    return TAPS * shape->in_channels;
}

/* Of a block: windows that rest in the second cache. */
static size_t rows_at_once(const struct conv_shape *shape)
{
    size_t rows = WINDOW_FLOATS / depth_of(shape);
    return rows > ROWS_MAX ? ROWS_MAX : rows > LANES ? rows : LANES;
}

static size_t windows_floats(const struct conv_shape *shape)
{
    return lanes_whole(rows_at_once(shape) * depth_of(shape) + LANES);
}

static size_t scratch_floats(const struct conv_shape *shape)
{
    return windows_floats(shape) + rows_at_once(shape) * panel_width(shape->out_channels) +
           shape->in_height * shape->in_width * lanes_whole(shape->in_channels);
}

/* Where windows are copied from. */
struct map {
    const struct conv_shape *shape;
    const float *pixels;
    size_t ld;
};

/* The three taps of one window in one row of the map; `left` may hang over either edge. */
static void copy_taps(const struct map *map, const float *row, ptrdiff_t left, float *to)
{
    size_t channels = map->shape->in_channels, shift = map->shape->upsampled ? 1 : 0;
    ptrdiff_t width = (ptrdiff_t)(map->shape->in_width << shift);
    if (shift == 0 && map->ld == channels && left >= 0 && left + SIDE <= width) {
        pixels_copy(row + (size_t)left * channels, to, SIDE * channels);
        return;
    }
    for (ptrdiff_t x = left; x < left + SIDE; x++, to += channels)
        if (x < 0 || x >= width)
            pixels_zero(to, channels);
        else
            pixels_copy(row + ((size_t)x >> shift) * map->ld, to, channels);
}

/* In ascending order of windows, for the last lanes of one reach into the next. */
static void copy_window(const struct map *map, size_t out_y, size_t out_x, float *to)
{
    const struct conv_shape *shape = map->shape;
    size_t shift = shape->upsampled ? 1 : 0;
    ptrdiff_t height = (ptrdiff_t)(shape->in_height << shift);
    ptrdiff_t top = (ptrdiff_t)(out_y * shape->stride) - (ptrdiff_t)shape->pad;
    ptrdiff_t left = (ptrdiff_t)(out_x * shape->stride) - (ptrdiff_t)shape->pad;
    for (ptrdiff_t y = top; y < top + SIDE; y++, to += SIDE * shape->in_channels)
        if (y < 0 || y >= height)
            pixels_zero(to, SIDE * shape->in_channels);
        else
            copy_taps(map, map->pixels + ((size_t)y >> shift) * shape->in_width * map->ld, left,
                      to);
}

struct layer {
    const struct kernels *kernels;
    const struct conv_shape *shape;
    const struct layer_call *call;
    struct cut_block part; /* of one sample */
    float *windows, *sums, *normed;
    struct map map; /* of the sample whose windows are being copied */
};

/* The rows of the map that the part's windows reach, through the norm. */
static void norm_rows(const struct layer *layer, const struct layer_call *call)
{
    const struct conv_shape *shape = layer->shape;
    size_t shift = shape->upsampled ? 1 : 0, last = layer->part.row + layer->part.rows - 1;
    size_t top = layer->part.row / shape->out_width * shape->stride;
    size_t end = (last / shape->out_width * shape->stride + SIDE + shift) >> shift;
    top = (top < shape->pad ? 0 : top - shape->pad) >> shift;
    end = end < shape->in_height ? end : shape->in_height;
    for (size_t p = top * shape->in_width; p < end * shape->in_width; p++)
        pixels_norm(layer->kernels, call, shape->in_channels, call->in + p * call->in_ld,
                    layer->normed + p * layer->map.ld);
}

static void enter_sample(struct layer *layer, size_t sample)
{
    struct layer_call call = group_layer(layer->call, sample);
    layer->map = (struct map){layer->shape, call.in, call.in_ld};
    if (call.scale_shift == NULL)
        return;
    layer->map.pixels = layer->normed;
    layer->map.ld = lanes_whole(layer->shape->in_channels);
    norm_rows(layer, &call);
}

/* Row r is pixel r % part.rows of the part of sample r / part.rows. */
static void copy_windows(struct layer *layer, size_t row, size_t rows)
{
    size_t sample = row / layer->part.rows, pixel = row % layer->part.rows;
    size_t width = layer->shape->out_width, depth = depth_of(layer->shape);
    size_t y = (layer->part.row + pixel) / width, x = (layer->part.row + pixel) % width;
    for (size_t i = 0; i < rows; i++) {
        if (pixel == 0) {
            enter_sample(layer, sample);
            y = layer->part.row / width;
            x = layer->part.row % width;
        }
        copy_window(&layer->map, y, x, layer->windows + i * depth);
        if (++x == width) {
            x = 0;
            y++;
        }
        if (++pixel == layer->part.rows) {
            pixel = 0;
            sample++;
        }
    }
}

static void finish_rows(const struct layer *layer, size_t row, const struct panel_product *product)
{
    size_t sample = row / layer->part.rows, pixel = row % layer->part.rows;
    size_t column = product->first_column;
    struct layer_call call = group_layer(layer->call, sample);
    for (size_t i = 0; i < product->rows; i++, pixel++) {
        if (pixel == layer->part.rows) {
            pixel = 0;
            call = group_layer(layer->call, ++sample);
        }
        size_t place = layer->part.row + pixel;
        pixels_finish(product->c + i * product->c_ld, call.bias ? call.bias + column : NULL,
                      call.residual ? call.residual + place * call.residual_ld + column : NULL,
                      call.divisor, call.out + place * call.out_ld + column, product->columns);
    }
}

/* Of the product's rows, which are pixels of one sample after the other. */
static void leave_sums(const struct layer *layer, size_t row, const struct panel_product *product)
{
    size_t all = layer->part.rows, end = row + product->rows;
    struct parts columns = {product->first_column, product->first_column + product->columns};
    for (size_t sample = row / all; sample * all < end; sample++) {
        size_t first = sample * all;
        struct layer_call call = group_layer(layer->call, sample);
        struct parts pixels = {size_larger(row, first) - first, size_smaller(end - first, all)};
        channel_sums_add(&call.sums, call.out, call.out_ld, pixels, columns);
    }
}

static void multiply_rows(const struct layer *layer, size_t row, size_t rows)
{
    size_t depth = depth_of(layer->shape), end = layer->part.column + layer->part.columns;
    size_t chunk = cut_chunk(rows, layer->part.columns, depth);
    for (size_t column = layer->part.column; column < end; column += chunk) {
        struct panel_product product = {.rows = rows,
                                        .columns = end - column < chunk ? end - column : chunk,
                                        .depth = depth,
                                        .a = layer->windows,
                                        .a_ld = depth,
                                        .panels = layer->call->weights,
                                        .c = layer->sums,
                                        .c_ld = panel_width(chunk),
                                        .all_columns = layer->shape->out_channels,
                                        .first_column = column};
        ISA(panel_product)(&product);
        finish_rows(layer, row, &product);
        leave_sums(layer, row, &product);
    }
}

static struct cut direct_cut(const struct conv_shape *shape)
{
    return cut_product(shape->out_height * shape->out_width, shape->out_channels, depth_of(shape));
}

static size_t direct_parts(const struct conv_shape *shape)
{
    return direct_cut(shape).parts;
}

static void run(const struct kernels *kernels, const struct conv_shape *shape,
                const struct layer_call *call, struct parts parts, float *scratch)
{
    struct cut cut = direct_cut(shape);
    struct layer layer = {kernels, shape, call, .part = cut_block(&cut, parts)};
    layer.windows = scratch;
    layer.sums = scratch + windows_floats(shape);
    layer.normed = layer.sums + rows_at_once(shape) * panel_width(shape->out_channels);
    size_t total = call->samples * layer.part.rows, at_once = rows_at_once(shape);
    for (size_t row = 0; row < total; row += at_once) {
        size_t rows = total - row < at_once ? total - row : at_once;
        copy_windows(&layer, row, rows);
        multiply_rows(&layer, row, rows);
    }
}

static void prepare(const struct kernels *kernels, const struct conv_shape *shape,
                    const float *weights, float *packed)
{
    (void)kernels;
    direct_prepare(shape, weights, packed);
}

const struct conv_kernel ISA(native_direct) = {
    .weight_floats = direct_weight_floats,
    .prepare = prepare,
    .scratch_floats = scratch_floats,
    .parts = direct_parts,
    .run = run,
};
