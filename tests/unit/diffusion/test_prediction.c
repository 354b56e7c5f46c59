/* Every head says the x_0 and the noise that x was mixed from, also where alpha is 0. */
#include "tests/support/test.h"

#include "core/diffusion/prediction.h"

#include <math.h>

static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_V};

static void check_round_trip(enum head head, double alpha, double tolerance)
{
    const struct level level = {alpha, sqrt(1.0 - alpha * alpha)};
    const struct conversion conversion = prediction_conversion(head, level);

    for (int i = 0; i < 50; i++) {
        const double x_0 = 1.7 * sin(12.9898 * i), epsilon = 2.3 * cos(78.233 * i);
        const double x = level.alpha * x_0 + level.sigma * epsilon;
        const double o = prediction_output(head, level, x_0, epsilon);

        assert_true(fabs(conversion.x0_x * x + conversion.x0_o * o - x_0) < tolerance);
        assert_true(fabs(conversion.epsilon_x * x + conversion.epsilon_o * o - epsilon) <
                    tolerance);
    }
}

static void every_head_gives_back_x0_and_noise(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        for (int k = 1; k < 20; k++)
            check_round_trip(heads[i], .05 * k, 1e-12);
}

static void v_and_sample_work_where_no_signal_is_left(void **state)
{
    (void)state;
    check_round_trip(HEAD_V, 0.0, 1e-15);
    check_round_trip(HEAD_SAMPLE, 0.0, 1e-15);
}

static void v_keeps_its_digits_where_almost_no_signal_is_left(void **state)
{
    (void)state;
    check_round_trip(HEAD_V, 1e-12, 1e-14);
    check_round_trip(HEAD_V, 1.0, 1e-15);
}

static void the_v_target_is_alpha_epsilon_minus_sigma_x0(void **state)
{
    (void)state;
    assert_true(fabs(prediction_output(HEAD_V, (struct level){.6, .8}, 2.0, 5.0) - 1.4) < 1e-15);
    assert_true(prediction_output(HEAD_EPSILON, (struct level){.6, .8}, 2.0, 5.0) == 5.0);
    assert_true(prediction_output(HEAD_SAMPLE, (struct level){.6, .8}, 2.0, 5.0) == 2.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_head_gives_back_x0_and_noise),
        cmocka_unit_test(v_and_sample_work_where_no_signal_is_left),
        cmocka_unit_test(v_keeps_its_digits_where_almost_no_signal_is_left),
        cmocka_unit_test(the_v_target_is_alpha_epsilon_minus_sigma_x0),
    };
    return cmocka_run_group_tests_name("prediction", tests, NULL, NULL);
}
