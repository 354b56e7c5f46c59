/* pow, tanh, erf and acos, on top of exp, log, sin and cos. The polynomials are Chebyshev fits,
 * computed with 70 digits. */
#include "core/base/math.h"
#include "core/base/math_bits.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* By bits and without a way out of the loop, so that it runs as fast as memory is read. */
bool math_all_finite(const float *values, size_t count)
{
    const uint32_t exponent = 0x7f800000u;
    bool finite = true;

    for (size_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof bits);
        finite &= (bits & exponent) != exponent;
    }
    return finite;
}

static double polynomial(const double *coefficients, int count, double x)
{
    double sum = coefficients[count - 1];

    for (int i = count - 2; i >= 0; i--)
        sum = sum * x + coefficients[i];
    return sum;
}

/* x is 0 (or denormal), infinite, negative or NaN, or y is NaN. */
static double pow_edge(double x, double y)
{
    if (isnan(x) || isnan(y))
        return x + y;
    if (x < 0)
        return (double)NAN;
    if (y == 0)
        return 1;
    return (x > 1) == (y > 0) ? (double)INFINITY : 0;
}

double math_pow(double x, double y)
{
    double high, low, product;

    if (!(x >= DBL_MIN && x <= DBL_MAX) || isnan(y))
        return pow_edge(x, y);
    if (x == 1)
        return 1;
    math_log_parts(x, &high, &low);
    product = y * high;
    if (!(fabs(product) < 800))
        return math_exp_sum(product, 0);
    return math_exp_sum(product, product_error(y, high, product) + y * low);
}

/* 1 - 2 / (e^2x + 1), with the rounding errors of the denominator and of 1 - quotient added back;
 * x >= 1/2 */
static double tanh_by_exp(double x)
{
    double power, power_low;
    double denominator, denominator_low, quotient, difference;

    math_exp_parts(2 * x, &power, &power_low);
    denominator = power + 1;
    denominator_low = ((power - denominator) + 1) + power_low;
    quotient = 2 / denominator;
    difference = 1 - quotient;
    return difference + (((1 - difference) - quotient) + quotient * denominator_low / denominator);
}

double math_tanh(double x)
{
    /* (tanh(x) - x) / x^3 in powers of x^2, |x| <= 5/8 */
    static const double series[] = {
        -0x1.5555555555553p-2,  0x1.11111111107acp-3,  -0x1.ba1ba1b92a52cp-5,
        0x1.664f4836ffb5ep-6,   -0x1.226e29216080bp-7, 0x1.d6d17faac7499p-9,
        -0x1.7d80275a99754p-10, 0x1.33fc7f7473d21p-11, -0x1.e3f90249802dbp-13,
        0x1.4ddd5fb800f82p-14,  -0x1.21522c06d082ap-16};
    const double x2 = x * x;

    if (fabs(x) <= 0.625)
        return x + x * x2 * polynomial(series, 11, x2);
    if (isnan(x))
        return x;
    return copysign(fabs(x) > 20 ? 1 : tanh_by_exp(fabs(x)), x);
}

double math_erf(double x)
{
    /* erf(x) / x in powers of x^2, |x| <= 1 */
    static const double near[] = {
        0x1.20dd750429b6dp+0,   -0x1.812746b0379e7p-2,  0x1.ce2f21a042bdep-4,
        -0x1.b82ce312889bap-6,  0x1.565bcd0e6502dp-8,   -0x1.c02db3feeb579p-11,
        0x1.f9a326c233146p-14,  -0x1.f4d2561aeafd4p-17, 0x1.b9e6509b9867dp-20,
        -0x1.5f6d925a0bc7ap-23, 0x1.fc4356498c2d9p-27,  -0x1.4e607b41a6416p-30,
        0x1.7f072188e194dp-34,  -0x1.29b9f1b3df556p-38};
    /* exp(x^2) erfc(x) in powers of t - 29/64, t = 1 / (1 + x/2), 1 <= x <= 6 */
    static const double far[] = {
        0x1.bd3f781d5b966p-3,  0x1.8928334889ec4p-1,  0x1.c1f1782e304b4p-1,  0x1.3b4fb808282b8p-1,
        0x1.c273a1a98753bp-4,  -0x1.9fb963f3f9a3fp-3, -0x1.80f0df8336fbep-4, 0x1.d3c50dbd4a45fp-4,
        0x1.9dc39ac9122ddp-5,  -0x1.82c7c30439197p-4, -0x1.19be513bc0855p-7, 0x1.585b9c7127b2p-4,
        -0x1.2478e2148709fp-5, -0x1.d329f0bab28dbp-5, 0x1.06de90fce20e3p-4};
    const double size = fabs(x);
    double value;

    if (size <= 1)
        return x * polynomial(near, 14, x * x);
    if (isnan(x))
        return x;
    value =
        size > 6 ? 1 : 1 - math_exp(-x * x) * polynomial(far, 15, 1 / (1 + size / 2) - 29.0 / 64);
    return copysign(value, x);
}

/* A first guess within 7e-5 (Abramowitz & Stegun 4.4.45), then the rest of the angle, whose sine
 * follows from both angles' sines and cosines; the fifth power of the rest is nothing. */
double math_acos(double x)
{
    static const double guess[] = {1.5707288, -0.2121144, 0.0742610, -0.0187293};
    const double cosine = fabs(x), sine = sqrt((1.0 - cosine) * (1.0 + cosine));
    double angle = sqrt(1.0 - cosine) * polynomial(guess, 4, cosine);
    const double rest = sine * math_cos(angle) - cosine * math_sin(angle);

    angle += rest + rest * rest * rest / 6.0;
    return x < 0.0 ? 3.14159265358979323846 - angle : angle;
}
