#include "core/nn/fir.h"

#include <string.h>

enum { TAPS_MAX = 4, PARTS_MAX = 4, ELEMENTS_PER_PART = 1 << 13 };

/* What one position of the result takes in one direction. */
struct taps {
    ptrdiff_t first; /* may lie outside the map */
    size_t count;
    float weight[TAPS_MAX];
};

static const struct taps HALF = {-1, 4, {0.125f, 0.375f, 0.375f, 0.125f}};
static const struct taps EVEN = {-1, 2, {0.25f, 0.75f}};
static const struct taps ODD = {0, 2, {0.75f, 0.25f}};

static struct taps taps_at(const struct fir *fir, size_t position)
{
    struct taps taps = !fir->up ? HALF : position % 2 == 0 ? EVEN : ODD;
    taps.first += (ptrdiff_t)(fir->up ? position / 2 : 2 * position);
    return taps;
}

/* Index of tap `tap` in a map of `size`; false: it reads a zero. */
static bool tap_inside(const struct taps *taps, size_t tap, size_t size, size_t *index)
{
    ptrdiff_t place = taps->first + (ptrdiff_t)tap;
    *index = (size_t)place;
    return place >= 0 && *index < size;
}

static void add_scaled(float weight, const float *restrict in, float *restrict out, size_t count)
{
    for (size_t c = 0; c < count; c++)
        out[c] += weight * in[c];
}

/* Products of two weights are exact, and taps are added from left to right and top to bottom. */
static void pixel(const struct fir *fir, const struct taps *down, const struct taps *right,
                  float *out)
{
    size_t y, x;
    memset(out, 0, fir->channels * sizeof *out);
    for (size_t i = 0; i < down->count; i++) {
        if (!tap_inside(down, i, fir->height, &y))
            continue;
        for (size_t j = 0; j < right->count; j++)
            if (tap_inside(right, j, fir->width, &x))
                add_scaled(down->weight[i] * right->weight[j],
                           fir->in + (y * fir->width + x) * fir->in_ld, out, fir->channels);
    }
}

static size_t sampled(const struct fir *fir, size_t size)
{
    return fir->up ? 2 * size : size / 2;
}

size_t fir_parts(const struct fir *fir)
{
    size_t rows = sampled(fir, fir->height);
    size_t parts = rows * sampled(fir, fir->width) * fir->channels / ELEMENTS_PER_PART;
    parts = parts < 1 ? 1 : parts > PARTS_MAX ? PARTS_MAX : parts;
    return parts < rows ? parts : rows;
}

void fir_run(const struct fir *fir, size_t part)
{
    size_t parts = fir_parts(fir), height = sampled(fir, fir->height);
    size_t width = sampled(fir, fir->width), end = height * (part + 1) / parts;
    for (size_t y = height * part / parts; y < end; y++) {
        const struct taps down = taps_at(fir, y);
        for (size_t x = 0; x < width; x++) {
            const struct taps right = taps_at(fir, x);
            pixel(fir, &down, &right, fir->out + (y * width + x) * fir->out_ld);
        }
    }
}
