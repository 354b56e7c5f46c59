/* sin and cos. x = n pi/2 + r with |r| <= pi/4, r in two doubles: pi/2 is subtracted in pieces
 * short enough that n times a piece is exact (Cody & Waite 1980). The polynomials are Chebyshev
 * fits, computed with 70 digits. */
#include "core/base/math.h"
#include "core/base/math_bits.h"

#include <math.h>

#define TWO_OVER_PI 0x1.45f306dc9c883p-1
#define TWO_PI      0x1.921fb54442d18p+2
#define ROUND       0x1.8p52 /* adding it rounds to an integer, left in the low bits */
#define FAST_LIMIT  0x1p20
#define LIMIT       0x1.8p30

struct angle {
    double high, low;  /* within +-pi/4 */
    uint64_t quadrant; /* modulo 4 */
};

static inline double sum_of(double a, double b, double *error)
{
    const double sum = a + b;
    const double part = sum - a;

    *error = (a - (sum - part)) + (b - part);
    return sum;
}

/* Pieces of 23 bits: every product is exact for |n| < 2^30, and the sum is exact until r is
 * known to 2^-92 or more, as far as no double this small comes close to a multiple of pi/2. */
static struct angle reduce_with_care(double x)
{
    static const double pieces[] = {0x1.921fb4p+0,  0x1.4442dp-24,  0x1.846988p-48,
                                    0x1.8cc514p-72, 0x1.80dc1cp-95, 0x1.a252049c1114dp-120};
    double high = fabs(x) > LIMIT ? fmod(x, TWO_PI) : x;
    double low = 0;
    const double rounded = high * TWO_OVER_PI + ROUND;
    const double n = rounded - ROUND;

    for (int i = 0; i < 6; i++) {
        double error;

        high = sum_of(high, -n * pieces[i], &error);
        high = sum_of(high, low + error, &low);
    }
    return (struct angle){high, low, bits_of(rounded)};
}

static inline struct angle reduce(double x)
{
    const double rounded = x * TWO_OVER_PI + ROUND;
    const double n = rounded - ROUND;
    const double first = x - n * 0x1.921fb544p+0; /* exact */
    const double product = n * 0x1.0b4611a6p-34;  /* exact */
    const double r = first - product;
    const double rest = ((first - r) - product) - n * 0x1.3198a2e037073p-69;
    const double high = r + rest;

    if (!(fabs(x) < FAST_LIMIT) || (fabs(high) < 0x1p-30 && n != 0))
        return reduce_with_care(x);
    return (struct angle){high, (r - high) + rest, bits_of(rounded)};
}

/* sin of the quadrant's angle: sin r, cos r, -sin r, -cos r. Both series are computed: a choice
 * of quadrant cannot be foreseen, and a wrong guess costs more. */
static inline double sin_of(struct angle angle, uint64_t quadrant)
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
    const double sine = h + (h * z * sin_series + angle.low * rest);
    const double cosine = rest + (((1 - rest) - half) + (z2 * cos_series - h * angle.low));
    const uint64_t use_cosine = 0 - (quadrant & 1);
    const uint64_t bits = (bits_of(sine) & ~use_cosine) | (bits_of(cosine) & use_cosine);

    return double_of(bits ^ (quadrant & 2) << 62);
}

double math_sin(double x)
{
    const struct angle angle = reduce(x);

    return sin_of(angle, angle.quadrant);
}

double math_cos(double x)
{
    const struct angle angle = reduce(x);

    return sin_of(angle, angle.quadrant + 1);
}
