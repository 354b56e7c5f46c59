/* pair.h - two neighbouring values of a row as one vector of doubles, for loops that a compiler
 * would make vectors of only where rows are long: points have two values. Each lane is computed as
 * it would be alone, so the bits are those of one value at a time. */
#ifndef PAIR_H
#define PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef double double_pair __attribute__((vector_size(16)));

static inline double_pair pair_set(double value)
{
    return (double_pair){value, value};
}

#if defined(__SSE2__)
static inline double_pair pair_widened(const float values[2])
{
    double both;

    memcpy(&both, values, sizeof both);
    return _mm_cvtps_pd(_mm_castpd_ps(_mm_set_sd(both)));
}

static inline void pair_narrow(float values[2], double_pair value)
{
    const double both = _mm_cvtsd_f64(_mm_castps_pd(_mm_cvtpd_ps(value)));

    memcpy(values, &both, sizeof both);
}

static inline double_pair pair_larger(double_pair a, double_pair b)
{
    return _mm_max_pd(a, b);
}

static inline double_pair pair_smaller(double_pair a, double_pair b)
{
    return _mm_min_pd(a, b);
}
#else
static inline double_pair pair_widened(const float values[2])
{
    return (double_pair){(double)values[0], (double)values[1]};
}

static inline void pair_narrow(float values[2], double_pair value)
{
    values[0] = (float)value[0];
    values[1] = (float)value[1];
}

/* b where a is not larger, or one of them is a NaN. */
static inline double_pair pair_larger(double_pair a, double_pair b)
{
    return (double_pair){a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1]};
}

static inline double_pair pair_smaller(double_pair a, double_pair b)
{
    return (double_pair){a[0] < b[0] ? a[0] : b[0], a[1] < b[1] ? a[1] : b[1]};
}
#endif

/* `both` false: there is one value left, and the second lane is 0, or not stored. */
static inline double_pair pair_load(const float *from, bool both)
{
    if (both)
        return pair_widened(from);
    return (double_pair){(double)*from, 0.0};
}

static inline void pair_store(float *to, double_pair value, bool both)
{
    if (both)
        pair_narrow(to, value);
    else
        *to = (float)value[0];
}

/* To floats and back. */
static inline double_pair pair_rounded(double_pair value)
{
    float values[2];

    pair_narrow(values, value);
    return pair_widened(values);
}

/* each(by, i, both) for the values of a row, i even. */
#define PAIRS(dim, each, by)                                                                       \
    do {                                                                                           \
        size_t pairs_i = 0;                                                                        \
                                                                                                   \
        for (; pairs_i + 1 < (dim); pairs_i += 2)                                                  \
            each(by, pairs_i, true);                                                               \
        if (pairs_i < (dim))                                                                       \
            each(by, pairs_i, false);                                                              \
    } while (0)

#endif
