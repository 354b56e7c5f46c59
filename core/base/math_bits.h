/* math_bits.h - what the files of math.h share: a double's bits, and exp and log with more than
 * 53 bits, which a power needs. Private to core/base. */
#ifndef MATH_BITS_H
#define MATH_BITS_H

#include <stdint.h>
#include <string.h>

static inline uint64_t bits_of(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double double_of(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The upper 26 bits of the significand: products of two such numbers are exact. */
static inline double upper_half(double x)
{
    return double_of(bits_of(x) & 0xfffffffff8000000u);
}

/* exp(high + low) for a `low` far below `high`. */
double math_exp_sum(double high, double low);

/* exp(x) = high + low to about 2^-61 of its value, for |x| < 670. */
void math_exp_parts(double x, double *high, double *low);

/* log(x) = high + low to about 2^-66 of its value, for normal, finite x > 0. */
void math_log_parts(double x, double *high, double *low);

#endif
