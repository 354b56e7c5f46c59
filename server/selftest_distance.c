#include "server/selftest_distance.h"

#include <math.h>

/* Mean distance of a point of one set from one of the other. */
static double mean_distance(const float *a, const float *b, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const double x = (double)a[2 * i] - (double)b[2 * j];
            const double y = (double)a[2 * i + 1] - (double)b[2 * j + 1];

            sum += sqrt(x * x + y * y);
        }
    return sum / (double)n / (double)n;
}

double energy_distance(const float *a, const float *b, size_t n)
{
    return 2.0 * mean_distance(a, b, n) - mean_distance(a, a, n) - mean_distance(b, b, n);
}
