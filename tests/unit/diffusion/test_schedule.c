/* The tables of betas, against values computed independently in higher precision. */
#include "tests/support/test.h"

#include "core/diffusion/schedule.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

static void assert_close(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%.12g instead of %.12g", value, expected);
}

static struct schedule make(const struct schedule_config *config)
{
    struct schedule schedule;
    struct error error;

    if (!schedule_init(&schedule, config, &error))
        fail_msg("%s", error.text);
    return schedule;
}

static struct schedule_config named(enum beta_schedule beta_schedule)
{
    struct schedule_config config = schedule_config_default();

    config.beta_schedule = beta_schedule;
    config.head = HEAD_V;
    return config;
}

/* t counts from 1 here. */
static void linear_table_has_the_values_of_the_paper(void **state)
{
    static const struct {
        size_t t;
        double beta, alpha_bar, variance, x_0, x;
    } rows[] = {
        {1, .0001, .9999, 0.0, 1.0, 0.0},
        {2, .0001199199199, .9997800921, 5.453187661e-5, .5452914995, .454708499},
        {100, .002072072072, .8970181457, .002034596259, .01907634532, .9808960213},
        {500, .01004004004, .07858724288, .01003135541, .003070071114, .9941066702},
        {1000, .02, 4.035829765e-5, .01999998353, .0001283514872, .9899486783},
    };
    const struct schedule_config config = named(BETA_LINEAR);
    struct schedule schedule = make(&config);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const double beta = schedule.beta[rows[i].t - 1], a = schedule.alpha_bar[rows[i].t - 1];
        const double before = rows[i].t == 1 ? 1.0 : schedule.alpha_bar[rows[i].t - 2];

        assert_close(beta, rows[i].beta, 1e-9);
        assert_close(a, rows[i].alpha_bar, 1e-9);
        assert_close(beta * (1.0 - before) / (1.0 - a), rows[i].variance, 1e-9);
        assert_close(sqrt(before) * beta / (1.0 - a), rows[i].x_0, 1e-9);
        assert_close(sqrt(1.0 - beta) * (1.0 - before) / (1.0 - a), rows[i].x, 1e-9);
    }
    assert_close(sqrt(1.0 / schedule.alpha_bar[0] - 1.0), .01000050004, 1e-9);
    assert_close(sqrt(1.0 / schedule.alpha_bar[999] - 1.0), 157.4072808, 1e-9);
    schedule_finish(&schedule);
}

static void every_schedule_has_its_alpha_bar_in_the_middle_and_at_the_end(void **state)
{
    static const struct {
        enum beta_schedule beta_schedule;
        double middle, end;
    } rows[] = {
        {BETA_LINEAR, .07858724288, 4.035829765e-5},
        {BETA_SCALED_LINEAR, .3331877674, 7.334124596e-4},
        {BETA_SQUAREDCOS_CAP_V2, .4938435904, 2.428766907e-9},
        {BETA_SIGMOID, .3019310566, 3.968181991e-5},
        {BETA_CONST, 4.102398515e-5, 1.682967357e-9},
        {BETA_LAPLACE, .7074601578, .0316227766},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct schedule_config config = named(rows[i].beta_schedule);
        struct schedule schedule = make(&config);

        assert_close(schedule.alpha_bar[499], rows[i].middle, 1e-9);
        assert_close(schedule.alpha_bar[999], rows[i].end, 1e-9);
        schedule_finish(&schedule);
    }
}

static void jsd_falls_to_zero_and_exp_is_cut_by_its_largest_beta(void **state)
{
    struct schedule_config config = named(BETA_JSD);
    struct schedule schedule = make(&config);

    (void)state;
    assert_close(schedule.alpha_bar[499], .5, 1e-9);
    assert_true(schedule.alpha_bar[999] == 0.0);
    schedule_finish(&schedule);
    config = named(BETA_EXP);
    schedule = make(&config);
    assert_close(schedule.alpha_bar[499], .002478752177, 1e-9);
    schedule_finish(&schedule);
}

static void a_hundred_steps_of_the_linear_schedule_leave_a_third_of_the_signal(void **state)
{
    struct schedule_config config = named(BETA_LINEAR);
    struct schedule schedule;

    (void)state;
    config.timesteps = 100;
    schedule = make(&config);
    assert_close(schedule.alpha_bar[99], .3635632481, 1e-9);
    schedule_finish(&schedule);
}

static void zero_snr_ends_at_exactly_zero(void **state)
{
    struct schedule_config config = named(BETA_LINEAR);
    struct schedule schedule;

    (void)state;
    config.rescale_betas_zero_snr = true;
    schedule = make(&config);
    assert_close(schedule.alpha_bar[499], .07602875055, 1e-9);
    assert_close(schedule.alpha_bar[0], .9999, 1e-12);
    assert_true(schedule.alpha_bar[999] == 0.0);
    assert_true(schedule.alpha_bar_parity[999] == 0.0);
    schedule_finish(&schedule);
}

/* diffusers 0.42.1 holds these two numbers, and is never further than 1e-6 from the exact table. */
static void the_parity_table_is_rounded_where_diffusers_rounds(void **state)
{
    (void)state;
    for (int i = BETA_LINEAR; i <= BETA_JSD; i++) {
        const struct schedule_config config = named((enum beta_schedule)i);
        struct schedule schedule = make(&config);

        for (size_t t = 0; t < 1000; t++) {
            assert_true(schedule.alpha_bar_parity[t] ==
                        (double)(float)schedule.alpha_bar_parity[t]);
            assert_true(fabs(schedule.alpha_bar_parity[t] - schedule.alpha_bar[t]) < 1e-6);
        }
        if (i == BETA_LINEAR) {
            assert_true(schedule.alpha_bar_parity[0] == (double).99989998f);
            assert_true(fabs(schedule.alpha_bar_parity[999] - 4.03583e-5) < 5e-11);
        }
        schedule_finish(&schedule);
    }
}

static void trained_betas_override_the_schedule(void **state)
{
    double betas[] = {.1, 0.0, .5};
    struct schedule_config config = named(BETA_LINEAR);
    struct schedule schedule;

    (void)state;
    config.timesteps = 3;
    config.trained_betas = betas;
    config.beta_start = 7.0; /* nobody asks for it */
    schedule = make(&config);
    assert_close(schedule.alpha_bar[2], .45, 1e-15);
    assert_null(schedule.config.trained_betas);
    schedule_finish(&schedule);
}

static void the_prior_is_reached_by_a_thousand_steps_but_not_by_a_hundred(void **state)
{
    struct schedule_config config = named(BETA_LINEAR);
    struct schedule schedule = make(&config);

    (void)state;
    assert_close(schedule_prior_kl(&schedule, MIXTURE_DIM, MIXTURE_ENERGY), 4.03584e-4, 1e-6);
    schedule_finish(&schedule);
    config.timesteps = 100;
    schedule = make(&config);
    assert_close(schedule_prior_kl(&schedule, MIXTURE_DIM, MIXTURE_ENERGY), 3.72394, 1e-5);
    schedule_finish(&schedule);
}

static void assert_refused(const struct schedule_config *config, const char *key)
{
    struct schedule schedule;
    struct error error = {.code = ERROR_NONE};

    assert_false(schedule_init(&schedule, config, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    if (strstr(error.text, key) == NULL)
        fail_msg("'%s' does not name %s", error.text, key);
    schedule_finish(&schedule); /* a refused one is closed already */
}

#define ASSERT_REFUSED(key, change)                                                                \
    do {                                                                                           \
        struct schedule_config config = schedule_config_default();                                 \
        change;                                                                                    \
        assert_refused(&config, key);                                                              \
    } while (0)

static void values_out_of_range_are_refused_by_their_key(void **state)
{
    (void)state;
    ASSERT_REFUSED("num_train_timesteps", config.timesteps = 1);
    ASSERT_REFUSED("num_train_timesteps", config.timesteps = SCHEDULE_TIMESTEPS_MAX + 1);
    ASSERT_REFUSED("beta_start", config.beta_start = 0.0);
    ASSERT_REFUSED("beta_start", config.beta_start = (double)NAN);
    ASSERT_REFUSED("beta_start", config.beta_start = 1e-9);
    ASSERT_REFUSED("beta_end", config.beta_end = 1.0);
    ASSERT_REFUSED("beta_end", config.beta_end = -.1);
    ASSERT_REFUSED("steps_offset", config.steps_offset = -1);
    ASSERT_REFUSED("steps_offset", config.steps_offset = 1000);
    ASSERT_REFUSED("clip_sample_range", config.clip_sample_range = 0.0);
    ASSERT_REFUSED("dynamic_thresholding_ratio", config.dynamic_thresholding_ratio = 1.5);
    ASSERT_REFUSED("sample_max_value", config.sample_max_value = -1.0);
}

static void a_bad_trained_beta_is_refused_by_its_place(void **state)
{
    double betas[] = {.1, .2, 1.0};

    (void)state;
    ASSERT_REFUSED("trained_betas[2]", config.timesteps = 3; config.trained_betas = betas);
    betas[0] = 0.0, betas[2] = .3;
    ASSERT_REFUSED("trained_betas", config.timesteps = 3; config.trained_betas = betas);
}

static void epsilon_is_refused_where_no_signal_is_left(void **state)
{
    (void)state;
    ASSERT_REFUSED("prediction_type", config.rescale_betas_zero_snr = true);
    ASSERT_REFUSED("prediction_type", config.beta_schedule = BETA_JSD);
    ASSERT_REFUSED("beta_end", config.beta_end = .9);
}

static void zero_snr_is_refused_where_betas_are_zero(void **state)
{
    double zeros[] = {.1, 0.0, 0.0}, last_zero[] = {.1, .2, 0.0};

    (void)state;
    ASSERT_REFUSED("rescale_betas_zero_snr", config.timesteps = 3; config.trained_betas = zeros;
                   config.head = HEAD_V; config.rescale_betas_zero_snr = true);
    ASSERT_REFUSED("rescale_betas_zero_snr", config.timesteps = 3; config.trained_betas = last_zero;
                   config.head = HEAD_V; config.rescale_betas_zero_snr = true);
}

static void names_are_those_of_the_config(void **state)
{
    (void)state;
    assert_string_equal(spacing_name(SPACING_LINSPACE), "linspace");
    assert_string_equal(variance_type_name(VARIANCE_FIXED_LARGE), "fixed_large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_table_has_the_values_of_the_paper),
        cmocka_unit_test(every_schedule_has_its_alpha_bar_in_the_middle_and_at_the_end),
        cmocka_unit_test(jsd_falls_to_zero_and_exp_is_cut_by_its_largest_beta),
        cmocka_unit_test(a_hundred_steps_of_the_linear_schedule_leave_a_third_of_the_signal),
        cmocka_unit_test(zero_snr_ends_at_exactly_zero),
        cmocka_unit_test(the_parity_table_is_rounded_where_diffusers_rounds),
        cmocka_unit_test(trained_betas_override_the_schedule),
        cmocka_unit_test(the_prior_is_reached_by_a_thousand_steps_but_not_by_a_hundred),
        cmocka_unit_test(values_out_of_range_are_refused_by_their_key),
        cmocka_unit_test(a_bad_trained_beta_is_refused_by_its_place),
        cmocka_unit_test(epsilon_is_refused_where_no_signal_is_left),
        cmocka_unit_test(zero_snr_is_refused_where_betas_are_zero),
        cmocka_unit_test(names_are_those_of_the_config),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
