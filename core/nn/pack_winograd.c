/* U = G g G^T of every pair of channels, in double, left to right, rounded once: element (i, j) is
 * tap i * n + j. Lavin & Gray, arXiv:1509.09308.
 *
 * Done for one input channel and a panel of output channels at a time, so that the loops run along
 * channels. */
#include "core/nn/pack_winograd.h"

#include "core/nn/native.h"
#include "core/nn/panel.h"

#include <string.h>

enum { KERNEL = 3 };

/* Of the points 0, 3/4, -3/4, 3/2, -3/2 and infinity; the last row times 64/27, which the output
 * transform leaves out. */
static const double G4[6][KERNEL] = {
    {64.0 / 81, 0, 0},
    {-128.0 / 243, -32.0 / 81, -8.0 / 27},
    {-128.0 / 243, 32.0 / 81, -8.0 / 27},
    {32.0 / 243, 16.0 / 81, 8.0 / 27},
    {32.0 / 243, -16.0 / 81, 8.0 / 27},
    {0, 0, 64.0 / 27},
};

/* Of the points 0, 1, -1 and infinity. */
static const double G2[4][KERNEL] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

struct packing {
    const double (*g)[KERNEL];
    size_t size; /* rows of G */
};

/* [...][panel column] */
struct kernels_3x3 {
    double at[KERNEL][KERNEL][PANEL_COLUMNS];
};

/* The kernels from input channel k to up to PANEL_COLUMNS output channels; zeros beyond. */
static void gather(const struct conv_shape *shape, const float *weights, size_t k, size_t column,
                   struct kernels_3x3 *kernels)
{
    size_t count = shape->out_channels - column;
    if (count < PANEL_COLUMNS)
        memset(kernels, 0, sizeof *kernels);
    for (size_t n = 0; n < PANEL_COLUMNS && n < count; n++) {
        const float *from = weights + ((column + n) * shape->in_channels + k) * KERNEL * KERNEL;
        for (size_t y = 0; y < KERNEL; y++)
            for (size_t x = 0; x < KERNEL; x++)
                kernels->at[y][x][n] = (double)from[y * KERNEL + x];
    }
}

/* out = g[0] a + g[1] b + g[2] c */
static inline void combine(const double g[KERNEL], const double *a, const double *b,
                           const double *c, double *out)
{
    for (size_t n = 0; n < PANEL_COLUMNS; n++)
        out[n] = g[0] * a[n] + g[1] * b[n] + g[2] * c[n];
}

static void transform(const struct packing *packing, const struct kernels_3x3 *kernels,
                      float *packed, size_t tap_floats)
{
    double half[KERNEL][PANEL_COLUMNS], whole[PANEL_COLUMNS];
    for (size_t i = 0; i < packing->size; i++) {
        for (size_t x = 0; x < KERNEL; x++)
            combine(packing->g[i], kernels->at[0][x], kernels->at[1][x], kernels->at[2][x],
                    half[x]);
        for (size_t j = 0; j < packing->size; j++) {
            combine(packing->g[j], half[0], half[1], half[2], whole);
            float *to = packed + (i * packing->size + j) * tap_floats;
            for (size_t n = 0; n < PANEL_COLUMNS; n++)
                to[n] = (float)whole[n];
        }
    }
}

static size_t floats(const struct packing *packing, const struct conv_shape *shape)
{
    return packing->size * packing->size * panel_floats(shape->out_channels, shape->in_channels);
}

/* Output channels [first, first + columns). */
static void prepare_group(const struct packing *packing, const struct conv_shape *shape,
                          const float *weights, size_t first, float *packed)
{
    size_t in = shape->in_channels, rest = shape->out_channels - first;
    size_t columns = rest < WINOGRAD_COLUMNS ? rest : WINOGRAD_COLUMNS;
    struct kernels_3x3 kernels;
    for (size_t column = 0; column < columns; column += PANEL_COLUMNS)
        for (size_t k = 0; k < in; k++) {
            gather(shape, weights, k, first + column, &kernels);
            transform(packing, &kernels, packed + panel_place(columns, in, k, column),
                      panel_floats(columns, in));
        }
}

static void prepare(const struct packing *packing, const struct conv_shape *shape,
                    const float *weights, float *packed)
{
    size_t taps = packing->size * packing->size;
    for (size_t first = 0; first < shape->out_channels; first += WINOGRAD_COLUMNS)
        prepare_group(packing, shape, weights, first,
                      packed + winograd_group_offset(first, shape->in_channels, taps));
}

static const struct packing WINOGRAD4 = {G4, 6}, WINOGRAD2 = {G2, 4};

size_t winograd4_weight_floats(const struct conv_shape *shape)
{
    return floats(&WINOGRAD4, shape);
}

void winograd4_prepare(const struct conv_shape *shape, const float *weights, float *packed)
{
    prepare(&WINOGRAD4, shape, weights, packed);
}

size_t winograd2_weight_floats(const struct conv_shape *shape)
{
    return floats(&WINOGRAD2, shape);
}

void winograd2_prepare(const struct conv_shape *shape, const float *weights, float *packed)
{
    prepare(&WINOGRAD2, shape, weights, packed);
}
