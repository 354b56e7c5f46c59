/* Every head says the x_0 and the noise that x was mixed from, also where alpha is 0. */
#include "tests/support/test.h"

#include "core/diffusion/prediction.h"

#include <math.h>

static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_V, HEAD_SCORE};

static void check_at(enum head head, struct level level, double tolerance)
{
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

static void check_round_trip(enum head head, double alpha, double tolerance)
{
    check_at(head, (struct level){alpha, sqrt(1.0 - alpha * alpha)}, tolerance);
}

static void every_head_gives_back_x0_and_noise(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        for (int k = 1; k < 20; k++)
            check_round_trip(heads[i], .05 * k, 1e-12);
}

static void the_velocity_of_a_flow_gives_back_both_at_every_time(void **state)
{
    (void)state;
    for (int k = 0; k <= 20; k++)
        check_at(HEAD_VELOCITY, (struct level){1.0 - .05 * k, .05 * k}, 1e-12);
    assert_true(prediction_output(HEAD_VELOCITY, (struct level){.6, .4}, 2.0, 5.0) == 3.0);
}

static void heads_work_where_sigma_is_far_from_the_circle(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        if (heads[i] != HEAD_V)
            check_at(heads[i], (struct level){1.0, 50.0}, 1e-11);
}

/* The score of x's density is -epsilon / sigma, whatever the head. */
static void every_head_says_the_score(void **state)
{
    const struct level level = {.6, .8};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        const struct linear score = prediction_score(heads[i], level);
        const double o = prediction_output(heads[i], level, 2.0, 5.0);

        assert_true(fabs(score.x * (.6 * 2.0 + .8 * 5.0) + score.o * o + 5.0 / .8) < 1e-12);
    }
    assert_true(prediction_score(HEAD_SCORE, (struct level){1.0, 0.0}).o == 1.0);
}

static void what_a_head_cannot_say_is_no_number(void **state)
{
    const struct level noise = {0.0, 1.0}, data = {1.0, 0.0};

    (void)state;
    for (enum head head = HEAD_EPSILON; head <= HEAD_VELOCITY; head++) {
        const bool divides = head == HEAD_EPSILON || head == HEAD_SCORE;

        assert_int_equal(prediction_has_x0(head, noise), !divides);
        assert_int_equal(isnan(prediction_conversion(head, noise).x0_x) != 0, divides);
        assert_true(prediction_has_x0(head, data));
        assert_int_equal(prediction_has_epsilon(head, data), head != HEAD_SAMPLE);
        assert_int_equal(isnan(prediction_conversion(head, data).epsilon_x) != 0,
                         head == HEAD_SAMPLE);
        assert_true(prediction_has_epsilon(head, noise));
    }
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
        cmocka_unit_test(the_velocity_of_a_flow_gives_back_both_at_every_time),
        cmocka_unit_test(heads_work_where_sigma_is_far_from_the_circle),
        cmocka_unit_test(every_head_says_the_score),
        cmocka_unit_test(what_a_head_cannot_say_is_no_number),
        cmocka_unit_test(v_and_sample_work_where_no_signal_is_left),
        cmocka_unit_test(v_keeps_its_digits_where_almost_no_signal_is_left),
        cmocka_unit_test(the_v_target_is_alpha_epsilon_minus_sigma_x0),
    };
    return cmocka_run_group_tests_name("prediction", tests, NULL, NULL);
}
