/* Ladders of noise levels beside values of diffusers. */
#include "tests/support/test.h"

#include "core/diffusion/process.h"
#include "core/diffusion/sigmas.h"

#include <math.h>

static void table(struct process *process)
{
    const struct process_config config = process_config_default(PROCESS_TABLE);
    struct error error;

    assert_true(process_init(process, &config, &error));
}

static struct ladder_request request(const struct process *process, enum ladder_family family,
                                     enum spacing spacing, size_t n)
{
    return (struct ladder_request){.schedule = process_table(process),
                                   .family = family,
                                   .spacing = spacing,
                                   .n = n,
                                   .sigma_min = (double)NAN,
                                   .sigma_max = (double)NAN,
                                   .lambda_min_clipped = (double)-INFINITY};
}

static void check_timesteps(const struct ladder_request *asked, const double *expected)
{
    struct ladder ladder;
    struct error error;

    if (!ladder_init(&ladder, asked, &error))
        fail_msg("%s", error.text);
    assert_int_equal(ladder.n, asked->n);
    for (size_t i = 0; i < asked->n; i++)
        if (!(fabs(ladder.timestep[i] - expected[i]) < 1e-9))
            fail_msg("%zu: %.9g instead of %.9g", i, ladder.timestep[i], expected[i]);
    assert_true(ladder.sigma[asked->n] == 0.0);
    ladder_finish(&ladder);
}

static void multistep_solvers_have_whole_timesteps_and_leave_out_zero(void **state)
{
    static const double linspace[] = {999, 899, 799, 699, 599, 500, 400, 300, 200, 100};
    static const double leading[] = {900, 810, 720, 630, 540, 450, 360, 270, 180, 90};
    static const double karras[] = {999, 937, 864, 775, 663, 511, 301, 102, 18, 0};
    struct process process;
    struct ladder_request asked;

    (void)state;
    table(&process);
    asked = request(&process, LADDER_DPM, SPACING_LINSPACE, 10);
    check_timesteps(&asked, linspace);
    asked.spacing = SPACING_LEADING;
    check_timesteps(&asked, leading);
    asked.karras = true;
    check_timesteps(&asked, karras);
    process_finish(&process);
}

static void euler_has_fractions(void **state)
{
    static const double linspace[] = {999, 749.25, 499.5, 249.75, 0};
    static const double leading[] = {800, 600, 400, 200, 0};
    static const double trailing[] = {999, 799, 599, 399, 199};
    struct process process;
    struct ladder_request asked;

    (void)state;
    table(&process);
    asked = request(&process, LADDER_EULER, SPACING_LINSPACE, 5);
    check_timesteps(&asked, linspace);
    asked.spacing = SPACING_LEADING;
    check_timesteps(&asked, leading);
    asked.spacing = SPACING_TRAILING;
    check_timesteps(&asked, trailing);
    process_finish(&process);
}

static void start_scale(enum spacing spacing, double *scale, double *first)
{
    struct process process;
    struct ladder_request asked;
    struct ladder ladder;
    struct error error;

    table(&process);
    asked = request(&process, LADDER_EULER, spacing, 10);
    assert_true(ladder_init(&ladder, &asked, &error));
    *scale = ladder.start_scale;
    *first = ladder.sigma[0];
    ladder_finish(&ladder);
    process_finish(&process);
}

static void leading_starts_wider_than_its_first_level(void **state)
{
    double scale, first;

    (void)state;
    start_scale(SPACING_LINSPACE, &scale, &first);
    assert_true(scale == first && fabs(first - 157.4072808) < 1e-4);
    start_scale(SPACING_LEADING, &scale, &first);
    assert_true(fabs(scale - sqrt(first * first + 1.0)) < 1e-12);
}

static void karras_and_geometric_levels_are_the_papers(void **state)
{
    static const double expected[] = {157.4072808, 36.90895161, 5.911208765, .4913011708,
                                      .01000050004};
    double sigma[10];

    (void)state;
    sigmas_karras(sigma, 5, 157.4072808, .01000050004, 7.0);
    for (size_t i = 0; i < 5; i++)
        assert_true(fabs(sigma[i] / expected[i] - 1.0) < 1e-8);
    sigmas_exponential(sigma, 10, 10.0, .001);
    assert_true(fabs(sigma[1] - 3.593813664) < 1e-9 && fabs(sigma[8] - .002782559402) < 1e-12);
}

static void an_index_is_that_of_its_sigma(void **state)
{
    struct process process;
    const struct schedule *schedule;

    (void)state;
    table(&process);
    schedule = process_table(&process);
    for (int i = 0; i <= 9; i++) {
        const double index = 111.0 * i;

        assert_true(fabs(index_of_sigma(schedule, sigma_at(schedule, index)) - index) < 1e-9);
    }
    assert_true(index_of_sigma(schedule, 1e-9) == 0.0);
    assert_true(index_of_sigma(schedule, 1e9) == 999.0);
    assert_true(fabs(sigma_at(schedule, 500.5) -
                     (sigma_at(schedule, 500.0) + sigma_at(schedule, 501.0)) / 2.0) < 1e-12);
    process_finish(&process);
}

/* lambda of the linear table at 900 is -4.1 or so. */
static void clipped_lambdas_shorten_the_table(void **state)
{
    struct process process;
    struct ladder_request asked;
    struct ladder ladder;
    struct error error;

    (void)state;
    table(&process);
    asked = request(&process, LADDER_DPM, SPACING_LINSPACE, 5);
    asked.lambda_min_clipped = -2.0;
    assert_true(ladder_init(&ladder, &asked, &error));
    assert_true(-log(ladder.sigma[0]) >= -2.0);
    assert_true(-log(sigma_at(asked.schedule, ladder.timestep[0] + 1.0)) < -2.0);
    ladder_finish(&ladder);
    asked.spacing = SPACING_TRAILING;
    assert_true(ladder_init(&ladder, &asked, &error));
    assert_true(ladder.n < 5);
    ladder_finish(&ladder);
    process_finish(&process);
}

static void a_grid_that_leaves_the_table_is_refused(void **state)
{
    struct process process;
    struct ladder_request asked;
    struct ladder ladder;
    struct error error;

    (void)state;
    table(&process);
    process.schedule.config.steps_offset = 1;
    asked = request(&process, LADDER_EULER, SPACING_LEADING, 1000);
    assert_false(ladder_init(&ladder, &asked, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    asked.n = 1001;
    assert_false(ladder_init(&ladder, &asked, &error));
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multistep_solvers_have_whole_timesteps_and_leave_out_zero),
        cmocka_unit_test(euler_has_fractions),
        cmocka_unit_test(leading_starts_wider_than_its_first_level),
        cmocka_unit_test(karras_and_geometric_levels_are_the_papers),
        cmocka_unit_test(an_index_is_that_of_its_sigma),
        cmocka_unit_test(clipped_lambdas_shorten_the_table),
        cmocka_unit_test(a_grid_that_leaves_the_table_is_refused),
    };
    return cmocka_run_group_tests_name("sigmas", tests, NULL, NULL);
}
