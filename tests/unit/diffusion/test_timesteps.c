/* The grids of timesteps, as NumPy rounds them in diffusers. */
#include "tests/support/test.h"

#include "core/diffusion/schedule.h"

#include <string.h>

static struct schedule schedule;

static int set_up(void **state)
{
    const struct schedule_config config = schedule_config_default();
    struct error error;

    (void)state;
    return schedule_init(&schedule, &config, &error) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    schedule_finish(&schedule);
    return 0;
}

static void ask(enum spacing spacing, size_t n, int *timesteps)
{
    struct error error;

    if (!schedule_timesteps(&schedule, spacing, n, timesteps, &error))
        fail_msg("%s", error.text);
}

static void check(enum spacing spacing, size_t n, const int *expected)
{
    int timesteps[1000];

    ask(spacing, n, timesteps);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(timesteps[i], expected[i]);
}

static void seven_steps_are_spread_as_diffusers_spreads_them(void **state)
{
    static const int leading[] = {852, 710, 568, 426, 284, 142, 0};
    static const int trailing[] = {999, 856, 713, 570, 428, 285, 142};
    static const int linspace[] = {999, 832, 666, 500, 333, 166, 0};

    (void)state;
    check(SPACING_LEADING, 7, leading);
    check(SPACING_TRAILING, 7, trailing);
    check(SPACING_LINSPACE, 7, linspace);
}

static void one_step_is_the_last_timestep_or_the_first(void **state)
{
    static const int zero = 0, last = 999;

    (void)state;
    check(SPACING_LEADING, 1, &zero);
    check(SPACING_LINSPACE, 1, &zero);
    check(SPACING_TRAILING, 1, &last);
}

/* Where NumPy's doubles fall below a half that they should have met. */
static void exact_halves_fall_as_numpy_computes_them(void **state)
{
    int timesteps[1000];

    (void)state;
    ask(SPACING_TRAILING, 48, timesteps);
    assert_int_equal(timesteps[3], 936); /* 937.5 would go to 938, one more */
    assert_int_equal(timesteps[15], 686);
    ask(SPACING_LINSPACE, 27, timesteps);
    assert_int_equal(timesteps[13], 499); /* 499.5 would go to 500 */
}

/* numpy.arange gives one more, -1, for 62 values of n. */
static void trailing_gives_exactly_n_from_the_last_timestep_down_to_one_above_none(void **state)
{
    int timesteps[1000];

    (void)state;
    for (size_t n = 1; n <= 1000; n++) {
        ask(SPACING_TRAILING, n, timesteps);
        assert_int_equal(timesteps[0], 999);
        for (size_t i = 1; i < n; i++)
            assert_true(timesteps[i] < timesteps[i - 1] && timesteps[i] >= 0);
    }
}

static void as_many_steps_as_timesteps_visit_every_one(void **state)
{
    static const enum spacing spacings[] = {SPACING_LEADING, SPACING_LINSPACE, SPACING_TRAILING};
    int timesteps[1000];

    (void)state;
    for (size_t k = 0; k < sizeof(spacings) / sizeof(spacings[0]); k++) {
        ask(spacings[k], 1000, timesteps);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(timesteps[i], 999 - i);
    }
}

static void assert_refused(enum spacing spacing, size_t n, const char *word)
{
    int timesteps[1001];
    struct error error = {.code = ERROR_NONE};

    assert_false(schedule_timesteps(&schedule, spacing, n, timesteps, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.text, word));
}

static void no_steps_and_more_than_the_model_has_are_refused(void **state)
{
    (void)state;
    assert_refused(SPACING_LEADING, 0, "1..1000");
    assert_refused(SPACING_TRAILING, 1001, "1..1000");
}

static void an_offset_that_pushes_past_the_last_timestep_is_refused(void **state)
{
    static const int offset_by_one[] = {901, 801, 701, 601, 501, 401, 301, 201, 101, 1};

    (void)state;
    schedule.config.steps_offset = 1;
    check(SPACING_LEADING, 10, offset_by_one);
    assert_refused(SPACING_LEADING, 1000, "steps_offset");
    schedule.config.steps_offset = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seven_steps_are_spread_as_diffusers_spreads_them),
        cmocka_unit_test(one_step_is_the_last_timestep_or_the_first),
        cmocka_unit_test(exact_halves_fall_as_numpy_computes_them),
        cmocka_unit_test(trailing_gives_exactly_n_from_the_last_timestep_down_to_one_above_none),
        cmocka_unit_test(as_many_steps_as_timesteps_visit_every_one),
        cmocka_unit_test(no_steps_and_more_than_the_model_has_are_refused),
        cmocka_unit_test(an_offset_that_pushes_past_the_last_timestep_is_refused),
    };
    return cmocka_run_group_tests_name("timesteps", tests, set_up, tear_down);
}
