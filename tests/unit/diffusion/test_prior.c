/* The distance between the end of a process and the noise that samplers start with. */
#include "tests/support/test.h"

#include "core/diffusion/prior.h"

#include <math.h>
#include <string.h>

/* Of the test mixture: .2 N((3,3), I) + .8 N((-3,-3), I). */
#define DIM    2
#define ENERGY 20.0

static struct process open_process(const struct process_config *config)
{
    struct process process;
    struct error error;

    if (!process_init(&process, config, &error))
        fail_msg("%s", error.text);
    return process;
}

static double kl_of(const struct process_config *config)
{
    struct process process = open_process(config);
    double nats = -1.0;

    assert_true(prior_kl(&process, DIM, ENERGY, &nats));
    process_finish(&process);
    return nats;
}

static void assert_close(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%.12g, not %.12g", value, expected);
}

static void tables_have_the_published_distances(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);

    (void)state;
    assert_close(kl_of(&config), 4.03584e-4, 1e-6);
    config.schedule.timesteps = 100;
    assert_close(kl_of(&config), 3.72394, 1e-6);
}

/* By the formula for two Gaussians, from alpha and sigma at the end. */
static void continuous_processes_have_that_of_two_gaussians(void **state)
{
    struct process_config config = process_config_default(PROCESS_VP);
    const double a2 = exp(-20.1 / 2.0);

    (void)state;
    assert_close(kl_of(&config), (DIM * (-a2 - log1p(-a2)) + a2 * ENERGY) / 2.0, 1e-6);
    config = process_config_default(PROCESS_VE);
    config.sigma_max = 50.0;
    assert_close(kl_of(&config), ENERGY / (2.0 * 2500.0), 1e-9);
    config = process_config_default(PROCESS_VE_LINEAR);
    config.sigma_q = 20.0;
    assert_close(kl_of(&config), ENERGY / (2.0 * 400.0), 1e-9);
    config = process_config_default(PROCESS_FLOW);
    assert_true(kl_of(&config) == 0.0);
}

static void another_base_than_a_gaussian_has_none(void **state)
{
    struct process_config config = process_config_default(PROCESS_FLOW);
    char text[PRIOR_WARNING_SIZE];
    struct process process;
    double nats;

    (void)state;
    config.base = FLOW_BASE_ANNULUS;
    config.base_low = 4.0;
    config.base_high = 5.0;
    process = open_process(&config);
    assert_false(prior_kl(&process, DIM, ENERGY, &nats));
    assert_false(prior_warning(&process, DIM, ENERGY, text));
    process_finish(&process);
}

static void only_what_is_too_far_is_warned_of(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    char text[PRIOR_WARNING_SIZE];
    struct process process = open_process(&config);

    (void)state;
    assert_false(prior_warning(&process, DIM, ENERGY, text));
    assert_string_equal(text, "");
    process_finish(&process);
    config.schedule.timesteps = 100;
    process = open_process(&config);
    assert_true(prior_warning(&process, DIM, ENERGY, text));
    assert_non_null(strstr(text, "is 3.72394 nats from the prior (1.86 a dimension)"));
    assert_true(prior_warning(&process, DIM, -1.0, text));
    assert_non_null(strstr(text, "is at least 0.0883"));
    process_finish(&process);
}

static double log_density(const struct process_config *config, float x, float y)
{
    struct process process = open_process(config);
    const double value = prior_log_density(&process, (const float[]){x, y}, 2);

    process_finish(&process);
    return value;
}

static void a_prior_has_the_density_that_its_draws_have(void **state)
{
    const double two_pi = 2.0 * acos(-1.0);
    struct process_config config = process_config_default(PROCESS_VP);

    (void)state;
    assert_close(log_density(&config, 1.5f, -2.0f), -log(two_pi) - 3.125, 1e-12);
    config = process_config_default(PROCESS_VE);
    config.sigma_max = 50.0;
    assert_close(log_density(&config, 60.0f, -80.0f), -log(two_pi * 2500.0) - 2.0, 1e-12);
    config = process_config_default(PROCESS_VE_LINEAR);
    config.sigma_q = 10.0;
    assert_close(log_density(&config, 6.0f, -8.0f), -log(two_pi * 100.0) - .5, 1e-12);
    config = process_config_default(PROCESS_FLOW);
    assert_close(log_density(&config, 1.5f, -2.0f), -log(two_pi) - 3.125, 1e-12);
    config.base = FLOW_BASE_ANNULUS;
    config.base_low = 1.0;
    config.base_high = 3.0;
    assert_close(log_density(&config, 1.5f, -2.0f), -log(two_pi / 2.0 * 8.0), 1e-12);
    assert_true(log_density(&config, .5f, -.5f) == -(double)INFINITY);
    assert_true(log_density(&config, 3.0f, .5f) == -(double)INFINITY);
    config.base = FLOW_BASE_UNIFORM;
    config.base_low = -1.0;
    assert_close(log_density(&config, -1.0f, 3.0f), -2.0 * log(4.0), 1e-12);
    assert_true(log_density(&config, -1.5f, 0.0f) == -(double)INFINITY);
    assert_true(log_density(&config, 0.0f, 3.5f) == -(double)INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_have_the_published_distances),
        cmocka_unit_test(continuous_processes_have_that_of_two_gaussians),
        cmocka_unit_test(another_base_than_a_gaussian_has_none),
        cmocka_unit_test(only_what_is_too_far_is_warned_of),
        cmocka_unit_test(a_prior_has_the_density_that_its_draws_have),
    };

    return cmocka_run_group_tests_name("prior", tests, NULL, NULL);
}
