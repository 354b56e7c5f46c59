/* Where x was one step before, when both ends are known. */
#include "tests/support/test.h"

#include "core/diffusion/posterior.h"

#include <math.h>

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%.12g instead of %.12g", value, expected);
}

/* T = 1000, linear. */
static const struct {
    size_t t;
    double variance, c0, ct;
} known[] = {
    {2, 5.453187661e-5, .5452914995, .454708499},
    {100, .002034596259, .01907634532, .9808960213},
    {500, .01003135541, .003070071114, .9941066702},
    {1000, .01999998353, .0001283514872, .9899486783},
};

static void open_linear(struct schedule *schedule)
{
    const struct schedule_config config = schedule_config_default();
    struct error error;

    assert_true(schedule_init(schedule, &config, &error));
}

static void coefficients_are_those_of_the_linear_table(void **state)
{
    struct schedule schedule;

    (void)state;
    open_linear(&schedule);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct posterior posterior = posterior_at(&schedule, known[i].t - 1);

        assert_near(posterior.c0, known[i].c0);
        assert_near(posterior.ct, known[i].ct);
        assert_near(posterior.variance, known[i].variance);
    }
    schedule_finish(&schedule);
}

static void before_the_first_step_x_is_the_data(void **state)
{
    struct schedule schedule;
    struct posterior posterior;

    (void)state;
    open_linear(&schedule);
    posterior = posterior_at(&schedule, 0);
    assert_true(posterior.c0 == 1.0);
    assert_true(posterior.ct == 0.0);
    assert_true(posterior.variance == 0.0);
    schedule_finish(&schedule);
}

/* A formula that is in print: the tolerance above must tell it from the right one. */
static void a_variance_with_a_root_in_its_denominator_is_seen(void **state)
{
    struct schedule schedule;

    (void)state;
    open_linear(&schedule);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const size_t index = known[i].t - 1;
        const double wrong = schedule.beta[index] * (1.0 - schedule.alpha_bar[index - 1]) /
                             sqrt(1.0 - schedule.alpha_bar[index]);

        assert_true(fabs(wrong - known[i].variance) > 1e-9 * known[i].variance);
    }
    schedule_finish(&schedule);
}

/* Given x_t and x_0 it has to have the marginal of t - 1. */
static void a_step_back_has_the_marginal_of_the_step_before(void **state)
{
    struct schedule schedule;

    (void)state;
    open_linear(&schedule);
    for (size_t i = 1; i < 1000; i++) {
        const struct posterior posterior = posterior_at(&schedule, i);
        const double here = schedule.alpha_bar[i], before = schedule.alpha_bar[i - 1];

        assert_near(posterior.c0 + posterior.ct * sqrt(here), sqrt(before));
        assert_near(posterior.ct * posterior.ct * (1.0 - here) + posterior.variance, 1.0 - before);
    }
    schedule_finish(&schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coefficients_are_those_of_the_linear_table),
        cmocka_unit_test(before_the_first_step_x_is_the_data),
        cmocka_unit_test(a_variance_with_a_root_in_its_denominator_is_seen),
        cmocka_unit_test(a_step_back_has_the_marginal_of_the_step_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
