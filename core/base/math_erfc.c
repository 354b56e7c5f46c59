/* erfc and erfcx. (1 + 2x) exp(x^2) erfc(x) is smooth up to infinity in u = (x - k) / (x + k)
 * (Schonfelder 1978; Shepherd & Laframboise 1981): one Chebyshev series, computed with 60 digits,
 * serves all x >= 0. */
#include "core/base/math.h"
#include "core/base/math_bits.h"

#include <math.h>

#define K 3.75

/* sum of c_i T_i(u) (Clenshaw 1955) */
static double chebyshev(const double *coefficients, int count, double u)
{
    double next = 0, after = 0;

    for (int i = count - 1; i > 0; i--) {
        const double sum = coefficients[i] + 2 * u * next - after;

        after = next;
        next = sum;
    }
    return coefficients[0] + u * next - after;
}

/* x >= 0; beyond 2^60 u is 1 */
static double erfcx_positive(double x)
{
    static const double series[] = {
        0x1.2d75d0246cee8p+0,   -0x1.2cd0564f8c1b7p-8,  -0x1.59159e8868995p-4,
        0x1.e50c3e7c7dccep-5,   -0x1.b4c68f4569326p-6,  0x1.295e991a7d82dp-7,
        -0x1.3c4c54f8d419dp-9,  0x1.014ed1572209ap-11,  -0x1.221e6f70130b5p-14,
        0x1.15c3f597f0492p-18,  0x1.9f8f03ca86fc1p-21,  -0x1.d601c320c8f9cp-23,
        0x1.71e1efca86cf9p-27,  0x1.36bf2885524c9p-28,  -0x1.aa4d7b1cdf20ap-31,
        -0x1.15df59ca6082bp-34, 0x1.f8af0a9aa6d31p-36,  0x1.b61b723941781p-43,
        -0x1.0fc16c00b50f2p-40, 0x1.24f6a772cbc36p-45,  0x1.2d8b49ab5f72bp-45,
        -0x1.0cb63a80de2c5p-49, -0x1.6884628ace07ap-50, 0x1.561b105822235p-54,
        0x1.d3744857e262bp-55};
    const double u = x < 0x1p60 ? (x - K) / (x + K) : 1;

    return chebyshev(series, 25, u) / (1 + 2 * x);
}

double math_erfcx(double x)
{
    if (isnan(x))
        return x;
    if (x >= 0)
        return erfcx_positive(x);
    if (x < -27)
        return (double)INFINITY;
    return 2 * math_exp_sum(x * x, product_error(x, x, x * x)) - erfcx_positive(-x);
}

double math_erfc(double x)
{
    const double size = fabs(x);
    double tail;

    if (isnan(x))
        return x;
    if (size > 27)
        return x > 0 ? 0 : 2;
    tail = math_exp_sum(-x * x, -product_error(x, x, x * x)) * erfcx_positive(size);
    return x >= 0 ? tail : 2 - tail;
}
