/* sin and cos. Angles that the fast reduction is not good enough for are reduced with care. */
#include "core/base/math.h"
#include "core/base/math_angle.h"

#define TWO_PI 0x1.921fb54442d18p+2
#define LIMIT  0x1.8p30

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
    const double rounded = high * TWO_OVER_PI + ANGLE_ROUND;
    const double n = rounded - ANGLE_ROUND;

    for (int i = 0; i < 6; i++) {
        double error;

        high = sum_of(high, -n * pieces[i], &error);
        high = sum_of(high, low + error, &low);
    }
    return (struct angle){high, low, bits_of(rounded)};
}

static inline struct angle reduce(double x)
{
    const struct angle angle = angle_fast(x);

    return angle_is_hard(x, angle) ? reduce_with_care(x) : angle;
}

double math_sin(double x)
{
    const struct angle angle = reduce(x);

    return angle_sine(angle_sides(angle), angle.quadrant);
}

double math_cos(double x)
{
    const struct angle angle = reduce(x);

    return angle_sine(angle_sides(angle), angle.quadrant + 1);
}

static bool sin_cos(const double *x, double *sine, double *cosine, size_t count)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return math_sin_cos_fma(x, sine, cosine, count);
#endif
    return math_sin_cos_baseline(x, sine, cosine, count);
}

void math_sin_cos(const double *x, double *sine, double *cosine, size_t count)
{
    if (sin_cos(x, sine, cosine, count))
        return;
    for (size_t i = 0; i < count; i++) {
        sine[i] = math_sin(x[i]);
        cosine[i] = math_cos(x[i]);
    }
}
