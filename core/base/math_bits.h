/* math_bits.h - what the files of math.h share: a double's bits, and products, exp and log
 * with more than 53 bits. Private to core/base. */
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

/* a b - product, where product is a b rounded (Dekker 1971) */
static inline double product_error(double a, double b, double product)
{
    const double a_upper = upper_half(a);
    const double b_upper = upper_half(b);
    const double a_lower = a - a_upper;
    const double b_lower = b - b_upper;

    return ((a_upper * b_upper - product) + a_upper * b_lower + a_lower * b_upper) +
           a_lower * b_lower;
}

/* exp(high + low) for a `low` far below `high`. */
double math_exp_sum(double high, double low);

/* exp(x) = high + low to about 2^-61 of its value, for |x| < 670. */
void math_exp_parts(double x, double *high, double *low);

/* log(x) = high + low to about 2^-66 of its value, for normal, finite x > 0. */
void math_log_parts(double x, double *high, double *low);

#endif
