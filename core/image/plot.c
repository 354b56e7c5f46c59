#include "core/image/plot.h"

#include "core/image/plot_axes.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define BINS     90
#define COLOURS  11
#define REACH    5 /* pixels that a dot may reach from its centre */
#define HEADROOM 1.08

/* The first is for points without a class. */
static const struct colour PALETTE[COLOURS] = {
    {38, 99, 196},  {228, 87, 46},  {23, 142, 120}, {128, 78, 194}, {226, 158, 24}, {207, 54, 112},
    {40, 150, 206}, {118, 151, 32}, {150, 92, 54},  {96, 104, 122}, {198, 110, 190}};

static size_t palette_index(const int32_t *labels, size_t i)
{
    return labels == NULL || labels[i] < 0 ? 0 : 1 + (size_t)labels[i] % (COLOURS - 1);
}

/* Ink on one pixel: how much, and the sum of its colours. */
struct ink {
    float depth, red, green, blue;
};

/* Many points want small, faint dots: both shrink with powers of 100/n. */
struct dot {
    double radius, depth;
};

static struct dot dot_for(size_t n)
{
    const double share = n < 100 ? 1.0 : 100.0 / (double)n, root = sqrt(sqrt(share));

    return (struct dot){.radius = 3.1 * sqrt(root), .depth = 1.7 * root * sqrt(root)};
}

static void add_ink(struct ink *ink, double depth, struct colour colour)
{
    ink->depth += (float)depth;
    ink->red += (float)(depth * colour.red);
    ink->green += (float)(depth * colour.green);
    ink->blue += (float)(depth * colour.blue);
}

/* A disc with a soft rim of one pixel around (x, y), cut at the box. */
static void add_dot(struct ink *sheet, const double at[2], const struct dot *dot,
                    struct colour colour)
{
    const long centre_x = (long)at[0], centre_y = (long)at[1];

    for (long y = centre_y - REACH; y <= centre_y + REACH; y++)
        for (long x = centre_x - REACH; x <= centre_x + REACH; x++) {
            const double dx = (double)x - at[0], dy = (double)y - at[1];
            const double inside = dot->radius + 0.5 - sqrt(dx * dx + dy * dy);

            if (x < 0 || y < 0 || x >= PLOT_SIDE || y >= PLOT_SIDE || inside <= 0.0)
                continue;
            add_ink(&sheet[y * PLOT_SIDE + x], dot->depth * (inside < 1.0 ? inside : 1.0), colour);
        }
}

static uint8_t blend(uint8_t paper, double ink, double cover)
{
    return (uint8_t)(paper + (ink - paper) * cover + 0.5);
}

/* The first dots cover the paper, further ones darken: dense places keep their shape. */
static void print_ink(struct picture *picture, const struct ink *sheet)
{
    for (long y = 0; y < PLOT_SIDE; y++)
        for (long x = 0; x < PLOT_SIDE; x++) {
            const struct ink *ink = &sheet[y * PLOT_SIDE + x];
            const double depth = (double)ink->depth;
            const double cover = 1.0 - 1.0 / ((1.0 + depth) * (1.0 + depth));
            const double shade = 1.0 - 0.55 * depth / (depth + 9.0);
            uint8_t *pixel = picture->pixels +
                             ((size_t)(PLOT_TOP + y) * PLOT_SIZE + (size_t)(PLOT_LEFT + x)) * 3;

            if (depth <= 0.0)
                continue;
            pixel[0] = blend(pixel[0], (double)ink->red / depth * shade, cover);
            pixel[1] = blend(pixel[1], (double)ink->green / depth * shade, cover);
            pixel[2] = blend(pixel[2], (double)ink->blue / depth * shade, cover);
        }
}

static bool draw_scatter(struct picture *picture, const float *points, size_t n,
                         const int32_t *labels, const double view[4])
{
    const struct dot dot = dot_for(n);
    struct ink *sheet = calloc((size_t)PLOT_SIDE * PLOT_SIDE, sizeof *sheet);

    if (sheet == NULL)
        return false;
    plot_axes(picture, view);
    for (size_t i = 0; i < n; i++) {
        const double x = ((double)points[2 * i] - view[0]) / (view[1] - view[0]);
        const double y = (view[3] - (double)points[2 * i + 1]) / (view[3] - view[2]);
        const double at[2] = {x * (PLOT_SIDE - 1), y * (PLOT_SIDE - 1)};

        if (x >= 0.0 && x <= 1.0 && y >= 0.0 && y <= 1.0)
            add_dot(sheet, at, &dot, PALETTE[palette_index(labels, i)]);
    }
    print_ink(picture, sheet);
    free(sheet);
    return true;
}

/* One bar, from its foot at `foot` to `top` (shares of the height). */
static void draw_bar(struct picture *picture, size_t bin, double foot, double top,
                     struct colour colour)
{
    const long left = (long)(bin * PLOT_SIDE / BINS), right = (long)((bin + 1) * PLOT_SIDE / BINS);
    const long low = (long)((1.0 - foot) * PLOT_SIDE + 0.5);
    const long high = (long)((1.0 - top) * PLOT_SIDE + 0.5);

    for (long y = high; y < low; y++)
        for (long x = left; x < right - 1; x++)
            plot_put(picture, PLOT_LEFT + x, PLOT_TOP + y, colour);
}

static void draw_histogram(struct picture *picture, const float *points, size_t n,
                           const int32_t *labels, const double view[4])
{
    size_t counts[BINS][COLOURS] = {{0}}, totals[BINS] = {0}, most = 1;
    double axes[4] = {view[0], view[1], 0.0, 1.0};

    for (size_t i = 0; i < n; i++) {
        const double share = ((double)points[i] - view[0]) / (view[1] - view[0]);
        const size_t bin = share >= 0.0 && share < 1.0 ? (size_t)(share * BINS) : BINS;

        if (bin == BINS)
            continue;
        counts[bin][palette_index(labels, i)]++;
        if (++totals[bin] > most)
            most = totals[bin];
    }
    axes[3] = (double)most * HEADROOM;
    plot_axes(picture, axes);
    for (size_t bin = 0; bin < BINS; bin++) {
        size_t sum = 0;

        for (size_t colour = 0; colour < COLOURS; colour++) {
            const size_t below = sum;

            sum += counts[bin][colour];
            draw_bar(picture, bin, (double)below / axes[3], (double)sum / axes[3], PALETTE[colour]);
        }
    }
}

bool plot_points(const float *points, size_t n, size_t dim, const int32_t *labels,
                 const double view[4], struct picture *picture, struct error *error)
{
    bool good = true;

    assert((dim == 1 || dim == 2) && view[0] < view[1] && view[2] < view[3]);
    *picture = (struct picture){PLOT_SIZE, PLOT_SIZE, 3, malloc((size_t)PLOT_SIZE * PLOT_SIZE * 3)};
    if (picture->pixels == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a plot");
    if (dim == 1)
        draw_histogram(picture, points, n, labels, view);
    else
        good = draw_scatter(picture, points, n, labels, view);
    if (!good) {
        free(picture->pixels);
        picture->pixels = NULL;
        return error_set(error, ERROR_NO_MEMORY, "no memory for a plot");
    }
    plot_frame(picture);
    return true;
}
