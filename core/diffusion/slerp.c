#include "core/diffusion/slerp.h"

#include "core/base/math.h"

#include <math.h>

#define SINE_MIN 1e-6

static double product(const float *a, const float *b, size_t dim)
{
    double sum = 0.0;

    for (size_t i = 0; i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Rounding may take the cosine of equal directions past 1. NaN where a vector is 0. */
static double angle_between(const float *from, const float *to, size_t dim)
{
    const double cosine =
        product(from, to, dim) / sqrt(product(from, from, dim) * product(to, to, dim));

    return math_acos(cosine > 1.0 ? 1.0 : cosine < -1.0 ? -1.0 : cosine);
}

void slerp(const float *from, const float *to, size_t dim, double q, float *out)
{
    const double angle = angle_between(from, to, dim), sine = math_sin(angle);
    double first = 1.0 - q, second = q;

    if (sine >= SINE_MIN) {
        first = math_sin((1.0 - q) * angle) / sine;
        second = math_sin(q * angle) / sine;
    }
    for (size_t i = 0; i < dim; i++)
        out[i] = (float)(first * (double)from[i] + second * (double)to[i]);
}
