#include "core/diffusion/decoder.h"

#include "core/base/math.h"

#include <assert.h>
#include <math.h>

#define HALF_BIN      (1.0 / 255.0)
#define HALF_LOG_2PI  0.91893853320467274178 /* ln(2 pi) / 2 */
#define INVERSE_ROOT2 0.70710678118654752440

double decoder_value(int byte)
{
    return 2.0 * byte / 255.0 - 1.0;
}

bool decoder_is_value(double x)
{
    const double byte = 127.5 * (x + 1.0);

    return byte > -0.5 && byte < 255.5 && fabs(byte - rint(byte)) < 1e-4;
}

/* A bin so narrow that differences would lose its digits: the density in its middle, with what its
 * curvature adds, |middle half| << 1. */
static double narrow(double middle, double half)
{
    return math_log(2.0 * half) - HALF_LOG_2PI - middle * middle / 2.0 +
           half * half * (middle * middle - 1.0) / 6.0;
}

/* ln(Phi(high) - Phi(low)) with low + high >= 0, by upper tails; past 0 with their common factor
 * e^(-low^2/2) taken out, which alone may be too small. `width` is high - low where both are
 * finite: so far out that they are the same number it still tells them apart. */
static double log_between(double low, double high, double width)
{
    const double near = low * INVERSE_ROOT2, far = high * INVERSE_ROOT2;
    double rest;

    if (low < 0.0)
        return math_log((math_erfc(near) - math_erfc(far)) / 2.0);
    rest = math_exp(-width * (high + low) / 2.0) * math_erfcx(far);
    return math_log((math_erfcx(near) - rest) / 2.0) - low * low / 2.0;
}

double decoder_log_probability(double x, double mean, double deviation)
{
    const double middle = (x - mean) / deviation, half = HALF_BIN / deviation;
    const double low = x < HALF_BIN - 1.0 ? -(double)INFINITY : middle - half;
    const double high = x > 1.0 - HALF_BIN ? (double)INFINITY : middle + half;

    assert(!(deviation <= 0.0));
    if (isfinite(low) && isfinite(high) && half * (1.0 + fabs(middle)) < 1e-3)
        return narrow(middle, half);
    return low + high >= 0.0 ? log_between(low, high, 2.0 * half)
                             : log_between(-high, -low, 2.0 * half);
}
