/* math_angle.h - what sin and cos are made of, one value or many at a time: x = n pi/2 + r with
 * |r| <= pi/4, and the two series. No branches, so that loops of it become vectors. Private to
 * core/base. */
#ifndef MATH_ANGLE_H
#define MATH_ANGLE_H

#include "core/base/math_bits.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define TWO_OVER_PI 0x1.45f306dc9c883p-1
#define ANGLE_ROUND 0x1.8p52 /* adding it rounds to an integer, left in the low bits */
#define ANGLE_LIMIT 0x1p20   /* of the fast reduction */
#define ANGLE_SHORT 0x1p-30  /* digits were lost where less is left of r */

struct angle {
    double high, low;  /* within +-pi/4 */
    uint64_t quadrant; /* modulo 4 */
};

/* pi/2 is subtracted in pieces short enough that n times a piece is exact (Cody & Waite 1980). */
static inline struct angle angle_fast(double x)
{
    const double rounded = x * TWO_OVER_PI + ANGLE_ROUND;
    const double n = rounded - ANGLE_ROUND;
    const double first = x - n * 0x1.921fb544p+0; /* exact */
    const double product = n * 0x1.0b4611a6p-34;  /* exact */
    const double r = first - product;
    const double rest = ((first - r) - product) - n * 0x1.3198a2e037073p-69;
    const double high = r + rest;

    return (struct angle){high, (r - high) + rest, bits_of(rounded)};
}

/* The fast reduction is not good enough; a NaN is not, either. Zero is its own angle. */
static inline bool angle_is_hard(double x, struct angle angle)
{
    const bool is_short = (fabs(angle.high) < ANGLE_SHORT) & (angle.high != x);

    return !(fabs(x) < ANGLE_LIMIT) | is_short;
}

/* sin r and cos r. The polynomials are Chebyshev fits, computed with 70 digits. */
struct sides {
    double sine, cosine;
};

static inline struct sides angle_sides(struct angle angle)
{
    const double h = angle.high;
    const double z = h * h;
    const double z2 = z * z;
    const double half = 0.5 * z;
    const double rest = 1 - half;
    const double sin_series = (-0x1.5555555555555p-3 + z * 0x1.1111111110bb1p-7) +
                              z2 * ((-0x1.a01a019e8357dp-13 + z * 0x1.71de37961e4c6p-19) +
                                    z2 * (-0x1.ae600a926c89ap-26 + z * 0x1.5e0af186af739p-33));
    const double cos_series = (0x1.5555555555555p-5 + z * -0x1.6c16c16c16966p-10) +
                              z2 * ((0x1.a01a019f4e867p-16 + z * -0x1.27e4fa17a41b4p-22) +
                                    z2 * (0x1.1eeb68b109173p-29 + z * -0x1.907d7aebd5e3dp-37));

    return (struct sides){.sine = h + (h * z * sin_series + angle.low * rest),
                          .cosine =
                              rest + (((1 - rest) - half) + (z2 * cos_series - h * angle.low))};
}

/* sin of the quadrant's angle: sin r, cos r, -sin r, -cos r. Both are there: a choice of quadrant
 * cannot be foreseen, and a wrong guess costs more. */
static inline double angle_sine(struct sides sides, uint64_t quadrant)
{
    const uint64_t use_cosine = 0 - (quadrant & 1);
    const uint64_t bits =
        (bits_of(sides.sine) & ~use_cosine) | (bits_of(sides.cosine) & use_cosine);

    return double_of(bits ^ (quadrant & 2) << 62);
}

/* math_sin_cos's loop, built twice with the same bits: the FMA build only runs where the processor
 * has AVX2. False when some angle is hard: then those values are not to be used. */
bool math_sin_cos_baseline(const double *x, double *sine, double *cosine, size_t count);
bool math_sin_cos_fma(const double *x, double *sine, double *cosine, size_t count);

#endif
