/* pair.h - two neighbouring values of a row as one vector of doubles, for loops that a compiler
 * would make vectors of only where rows are long: points have two values. Each lane is computed as
 * it would be alone, so the bits are those of one value at a time. */
#ifndef PAIR_H
#define PAIR_H

#include "core/diffusion/clip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef double pair __attribute__((vector_size(16)));
typedef float pair_of_floats __attribute__((vector_size(8)));
typedef int64_t pair_mask __attribute__((vector_size(16)));

static inline pair pair_set(double value)
{
    return (pair){value, value};
}

/* `both` false: there is one value left, and the second lane is 0, or not stored. */
static inline pair pair_load(const float *from, bool both)
{
    pair_of_floats values = {0.0f, 0.0f};

    if (both)
        memcpy(&values, from, sizeof values);
    else
        values[0] = *from;
    return __builtin_convertvector(values, pair);
}

static inline void pair_store(float *to, pair value, bool both)
{
    const pair_of_floats values = __builtin_convertvector(value, pair_of_floats);

    if (both)
        memcpy(to, &values, sizeof values);
    else
        *to = values[0];
}

/* To floats and back. */
static inline pair pair_rounded(pair value)
{
    return __builtin_convertvector(__builtin_convertvector(value, pair_of_floats), pair);
}

static inline pair pair_choose(pair_mask mask, pair yes, pair no)
{
    return (pair)((mask & (pair_mask)yes) | (~mask & (pair_mask)no));
}

/* clip_value of each. */
static inline pair pair_clip(const struct clip *clip, pair x_0)
{
    const pair low = pair_set(-clip->limit), high = pair_set(clip->limit);
    const pair above = pair_choose(x_0 < low, low, x_0);

    return pair_choose(above > high, high, above);
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
