/* channel_sums.h - what a group norm needs of a map: of each channel the sum of its numbers and of
 * their squares. For sources that are compiled once per instruction set, so everything is static.
 *
 * Those who make a map add its image rows while they are in a cache, or its norm does. The bits are
 * the same: of an image row a channel is summed in float32 around its first pixel, so that a large
 * mean does not eat the variance, pixels ascending; rows are added in double, ascending. */
#ifndef CHANNEL_SUMS_H
#define CHANNEL_SUMS_H

#include "core/nn/isa.h"
#include "core/nn/kernels.h"

enum { SUM_VECTORS_MAX = 4 };

/* Of one image row around its first pixel: a number a lane. */
struct row_sums {
    struct lanes first, sum, square;
};

ALWAYS_INLINE void add_pixel(struct row_sums *row, struct lanes x)
{
    struct lanes d = lanes_subtract(x, row->first);
    row->sum = lanes_add(row->sum, d);
    row->square = lanes_fma(d, d, row->square);
}

ALWAYS_INLINE void add_row(const struct row_sums *row, size_t count, const struct channel_sums *to)
{
    float a[LANES], s[LANES], q[LANES];
    lanes_store(a, row->first);
    lanes_store(s, row->sum);
    lanes_store(q, row->square);
    double n = (double)to->width, *restrict x = to->at, *restrict square = to->at + to->ld;
#pragma GCC unroll 1
    for (size_t i = 0; i < count; i++) {
        double shifted = n * (double)a[i];
        x[i] += shifted + (double)s[i];
        square[i] += (double)q[i] + (double)a[i] * (2.0 * (double)s[i] + shifted);
    }
}

/* `vectors` times LANES channels, whose chains of additions run beside each other. */
ALWAYS_INLINE void add_vectors(const float *x, size_t ld, const size_t vectors,
                               struct channel_sums to)
{
    struct row_sums rows[SUM_VECTORS_MAX];
    struct lanes zero = lanes_set(0.0f);
    for (size_t i = 0; i < vectors; i++)
        rows[i] = (struct row_sums){lanes_load(x + i * LANES), zero, zero};
    for (size_t p = 1; p < to.width; p++)
        for (size_t i = 0; i < vectors; i++)
            add_pixel(&rows[i], lanes_load(x + p * ld + i * LANES));
    for (size_t i = 0; i < vectors; i++, to.at += LANES)
        add_row(&rows[i], LANES, &to);
}

/* Fewer than LANES channels. */
static inline void add_some(const float *x, size_t ld, size_t count, struct channel_sums to)
{
    struct lanes zero = lanes_set(0.0f);
    struct row_sums row = {lanes_load_some(x, count), zero, zero};
    for (size_t p = 1; p < to.width; p++)
        add_pixel(&row, lanes_load_some(x + p * ld, count));
    add_row(&row, count, &to);
}

static void add_image_row(const float *x, size_t ld, size_t channels, struct channel_sums to)
{
    size_t left = channels;
    for (size_t done; left >= LANES; left -= done, x += done, to.at += done) {
        done = left >= 4 * LANES ? 4 * LANES : left >= 2 * LANES ? 2 * LANES : LANES;
        if (done == 4 * LANES)
            add_vectors(x, ld, 4, to);
        else if (done == 2 * LANES)
            add_vectors(x, ld, 2, to);
        else
            add_vectors(x, ld, 1, to);
    }
    if (left > 0)
        add_some(x, ld, left, to);
}

/* The image rows whose last pixel is among `pixels` of a map, of some of its channels: rows are to
 * come in ascending order, and the first sets the sums. `map` and `to` are of one sample. */
static inline void channel_sums_add(const struct channel_sums *to, const float *map, size_t ld,
                                    struct parts pixels, struct parts channels)
{
    size_t count = channels.end - channels.begin;
    struct channel_sums sums = *to;
    if (to->at == NULL)
        return;
    sums.at += channels.begin;
    for (size_t y = pixels.begin / to->width; (y + 1) * to->width <= pixels.end; y++) {
        for (size_t c = 0; y == 0 && c < count; c++)
            sums.at[c] = sums.at[sums.ld + c] = 0;
        add_image_row(map + y * to->width * ld + channels.begin, ld, count, sums);
    }
}

#endif
