/* The distance between two Gaussians, by its formula and by what it is a mean of. */
#include "tests/support/test.h"

#include "core/base/rng.h"
#include "core/diffusion/gaussian_kl.h"

#include <math.h>
#include <string.h>

static double kl(const struct gaussian *from, const struct gaussian *to, size_t dim)
{
    struct error error;
    double nats = (double)NAN;

    if (!gaussian_kl(from, to, dim, &nats, &error))
        fail_msg("%s", error.text);
    return nats;
}

static const double one[] = {1.0}, zero[] = {0.0}, four[] = {4.0};
static const struct gaussian wide = {.mean = one, .covariance = four};
static const struct gaussian normal = {.mean = zero, .covariance = one};

static void a_known_pair_has_its_distance(void **state)
{
    (void)state;
    assert_true(fabs(kl(&wide, &normal, 1) - 1.306853) < 5e-7);
    assert_true(fabs(kl(&wide, &normal, 1) - (-log(4.0) - 1.0 + 4.0 + 1.0) / 2.0) < 1e-14);
}

/* ln of the density, up to (2 pi)^(-D/2), of N(mean, [a b; b c]). */
static double log_density(const double *mean, const double *covariance, const double *x)
{
    const double a = covariance[0], b = covariance[2], c = covariance[3];
    const double u = x[0] - mean[0], v = x[1] - mean[1], determinant = a * c - b * b;

    return -((c * u * u - 2.0 * b * u * v + a * v * v) / determinant + log(determinant)) / 2.0;
}

/* Nothing above the diagonal is read. */
static const double mean_1[] = {1.0, -2.0}, covariance_1[] = {4.0, (double)NAN, 1.2, .9};
static const double mean_2[] = {.3, -1.0}, covariance_2[] = {1.0, (double)NAN, -.5, 2.0};
static const struct gaussian tilted = {.mean = mean_1, .covariance = covariance_1};
static const struct gaussian other = {.mean = mean_2, .covariance = covariance_2};

#define SAMPLES 1000000

static void it_is_the_mean_of_the_logarithm_of_two_densities(void **state)
{
    const double low = 1.2 / 2.0, rest = sqrt(.9 - low * low);
    struct rng rng;
    double sum = 0.0, sum_1 = 0.0;

    (void)state;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < SAMPLES; i++) {
        float z[2];
        double x[2], y;

        rng_randn(&rng, z, 2);
        x[0] = mean_1[0] + 2.0 * (double)z[0];
        x[1] = mean_1[1] + low * (double)z[0] + rest * (double)z[1];
        sum += log_density(mean_1, covariance_1, x) - log_density(mean_2, covariance_2, x);
        y = 1.0 + 2.0 * (double)z[0];
        sum_1 += -(double)z[0] * (double)z[0] / 2.0 - log(2.0) + y * y / 2.0;
    }
    assert_true(fabs(sum / SAMPLES / kl(&tilted, &other, 2) - 1.0) < .01);
    assert_true(fabs(sum_1 / SAMPLES / kl(&wide, &normal, 1) - 1.0) < .01);
}

static void it_is_zero_of_a_gaussian_and_itself_alone(void **state)
{
    (void)state;
    assert_true(fabs(kl(&tilted, &tilted, 2)) < 1e-15);
    assert_true(kl(&other, &tilted, 2) > .1);
    assert_true(fabs(kl(&other, &tilted, 2) - kl(&tilted, &other, 2)) > .1);
}

static void axes_that_are_independent_add_up(void **state)
{
    double mean[GAUSSIAN_DIM_MAX], covariance[GAUSSIAN_DIM_MAX * GAUSSIAN_DIM_MAX] = {0.0};
    double zeros[GAUSSIAN_DIM_MAX] = {0.0};
    double unit[GAUSSIAN_DIM_MAX * GAUSSIAN_DIM_MAX] = {0.0};
    const struct gaussian from = {.mean = mean, .covariance = covariance};
    const struct gaussian to = {.mean = zeros, .covariance = unit};

    (void)state;
    for (size_t i = 0; i < GAUSSIAN_DIM_MAX; i++) {
        mean[i] = 1.0;
        covariance[i * GAUSSIAN_DIM_MAX + i] = 4.0;
        unit[i * GAUSSIAN_DIM_MAX + i] = 1.0;
    }
    assert_true(fabs(kl(&from, &to, GAUSSIAN_DIM_MAX) - GAUSSIAN_DIM_MAX * kl(&wide, &normal, 1)) <
                1e-12);
}

static void refused(const double *covariance, size_t dim, const char *text)
{
    const double zeros[GAUSSIAN_DIM_MAX + 1] = {0.0};
    const struct gaussian bad = {.mean = zeros, .covariance = covariance};
    struct error error = {.code = ERROR_NONE};
    double nats;

    assert_false(gaussian_kl(&bad, &other, dim, &nats, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, text);
    if (dim > GAUSSIAN_DIM_MAX)
        return;
    assert_false(gaussian_kl(&other, &bad, dim, &nats, &error));
    assert_string_equal(error.text, text);
}

static void what_is_no_covariance_is_refused(void **state)
{
    static const double flat[] = {1.0, 1.0, 1.0, 1.0}, crossed[] = {1.0, 2.0, 2.0, 1.0};
    static const double none[] = {1.0, 0.0, (double)NAN, 1.0},
                        endless[] = {1, 0, 0, (double)INFINITY};

    (void)state;
    refused(flat, 2, "a covariance is not positive definite");
    refused(crossed, 2, "a covariance is not positive definite");
    refused(none, 2, "a covariance is not positive definite");
    refused(endless, 2, "a covariance is not positive definite");
    refused(flat, GAUSSIAN_DIM_MAX + 1, "a Gaussian of 33 dimensions is above 32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_pair_has_its_distance),
        cmocka_unit_test(it_is_the_mean_of_the_logarithm_of_two_densities),
        cmocka_unit_test(it_is_zero_of_a_gaussian_and_itself_alone),
        cmocka_unit_test(axes_that_are_independent_add_up),
        cmocka_unit_test(what_is_no_covariance_is_refused),
    };

    return cmocka_run_group_tests_name("gaussian_kl", tests, NULL, NULL);
}
