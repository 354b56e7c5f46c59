/* The probability of an 8-bit value under a Gaussian. */
#include "tests/support/test.h"

#include "core/diffusion/decoder.h"

#include <math.h>

static const double deviations[] = {1e-6, .001, .0074, .01, .3, 1.0, 20.0, 1e6};
#define DEVIATIONS (sizeof deviations / sizeof *deviations)

static void the_256_bins_sum_to_one(void **state)
{
    static const double means[] = {-1.7, -1.0, -.003, .19, .999, 1.0, 4.0};

    (void)state;
    for (size_t i = 0; i < DEVIATIONS; i++) {
        for (size_t k = 0; k < sizeof means / sizeof *means; k++) {
            double sum = 0.0;

            for (int byte = 0; byte < DECODER_BINS; byte++)
                sum += exp(decoder_log_probability(decoder_value(byte), means[k], deviations[i]));
            if (!(fabs(sum - 1.0) < 1e-10))
                fail_msg("mean %g, deviation %g: %.12f", means[k], deviations[i], sum);
        }
    }
}

static void a_known_bin_has_its_probability(void **state)
{
    (void)state;
    assert_true(fabs(exp(decoder_log_probability(.2, .19, .01)) - .18970831) < 5e-9);
}

/* By libm in long double, from the side where few digits are lost. */
static long double by_libm(double x, double mean, double deviation)
{
    const long double scale = (long double)deviation * sqrtl(2);
    const long double away = (long double)x - (long double)mean;
    const long double low = (away - 1.0L / 255) / scale, high = (away + 1.0L / 255) / scale;

    return logl((x < mean ? erfcl(-high) - erfcl(-low) : erfcl(low) - erfcl(high)) / 2);
}

static void bins_are_differences_of_the_normal_distribution(void **state)
{
    (void)state;
    for (int byte = 1; byte < 255; byte++) {
        const double wanted = (double)by_libm(decoder_value(byte), .19, .07);

        assert_true(fabs(decoder_log_probability(decoder_value(byte), .19, .07) - wanted) <
                    1e-13 * fabs(wanted));
    }
}

/* Around the width where one formula takes over from the other. */
static void narrow_bins_lose_no_digits(void **state)
{
    (void)state;
    for (int i = 0; i < 125; i++) {
        const double deviation = pow(1.03, i);
        const double x = decoder_value(200), mean = x - 2.0 * deviation;

        assert_true(fabs(decoder_log_probability(x, mean, deviation) -
                         (double)by_libm(x, mean, deviation)) < 1e-12);
    }
}

/* Far out the bin's nearer edge z is all that counts: -z^2/2 - ln(z sqrt(2 pi)) + O(1/z^2). */
static void a_mean_far_away_keeps_a_finite_logarithm(void **state)
{
    const double z = (2.0 - 1.0 / 255.0) / 1e-4;
    const double wanted = -z * z / 2.0 - log(z * sqrt(2.0 * acos(-1.0)));

    (void)state;
    assert_true(fabs(decoder_log_probability(-1.0, 1.0, 1e-4) / wanted - 1.0) < 1e-12);
    assert_true(decoder_log_probability(-1.0, 1.0, 1e-4) ==
                decoder_log_probability(1.0, -1.0, 1e-4));
    assert_true(isfinite(decoder_log_probability(0.2, 3e38, 1e-10)));
}

static void values_are_bytes_and_nothing_between(void **state)
{
    (void)state;
    for (int byte = 0; byte < DECODER_BINS; byte++)
        assert_true(decoder_is_value((double)(float)decoder_value(byte)));
    assert_false(decoder_is_value(0.0));
    assert_false(decoder_is_value(1.0 + 2.0 / 255.0));
    assert_false(decoder_is_value(-1.0 - 2.0 / 255.0));
    assert_false(decoder_is_value((double)NAN));
    assert_false(decoder_is_value((double)INFINITY));
    assert_false(decoder_is_value(decoder_value(7) + 1e-4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_256_bins_sum_to_one),
        cmocka_unit_test(a_known_bin_has_its_probability),
        cmocka_unit_test(bins_are_differences_of_the_normal_distribution),
        cmocka_unit_test(a_mean_far_away_keeps_a_finite_logarithm),
        cmocka_unit_test(narrow_bins_lose_no_digits),
        cmocka_unit_test(values_are_bytes_and_nothing_between),
    };

    return cmocka_run_group_tests_name("decoder", tests, NULL, NULL);
}
