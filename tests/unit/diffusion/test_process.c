/* Every process beside the values of the papers, and its drift and slopes beside its levels. */
#include "tests/support/test.h"

#include "core/diffusion/process.h"
#include "tests/support/folder.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void start(struct process *process, const struct process_config *config)
{
    struct error error;

    if (!process_init(process, config, &error))
        fail_msg("%s", error.text);
}

static struct process_config usual(enum process_type type)
{
    struct process_config config = process_config_default(type);

    if (type != PROCESS_FLOW)
        config.schedule.head = HEAD_EPSILON;
    return config;
}

static void begin(struct process *process, enum process_type type)
{
    const struct process_config config = usual(type);

    start(process, &config);
}

static void assert_near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%.12g instead of %.12g", value, expected);
}

static void levels_are_those_of_the_papers(void **state)
{
    struct process process;
    struct level level;

    (void)state;
    begin(&process, PROCESS_VE);
    assert_near(process_level(&process, .5).sigma, .7071067812, 1e-9);
    assert_near(process_level(&process, 1.0).sigma, 50.0, 1e-14);
    assert_near(process_level(&process, 0.0).sigma, .01, 1e-14);
    process_finish(&process);
    begin(&process, PROCESS_VP);
    level = process_level(&process, .5);
    assert_near(level.alpha * level.alpha, .07906381245, 1e-9);
    level = process_level(&process, 1.0);
    assert_near(level.alpha * level.alpha, 4.318574906e-5, 1e-9);
    assert_near(level.alpha * level.alpha + level.sigma * level.sigma, 1.0, 1e-15);
    process_finish(&process);
    begin(&process, PROCESS_SUB_VP);
    assert_near(process_level(&process, .5).sigma, .9209361875, 1e-9);
    process_finish(&process);
    begin(&process, PROCESS_OU_FINITE);
    level = process_level(&process, .5);
    assert_near(level.alpha, .5, 1e-15);
    assert_near(level.sigma * level.sigma, .75, 1e-15);
    process_finish(&process);
}

static void vp_is_on_a_table_the_linear_schedule(void **state)
{
    struct process process, table;

    (void)state;
    begin(&process, PROCESS_VP);
    begin(&table, PROCESS_TABLE);
    assert_non_null(process_table(&process));
    for (size_t i = 0; i < 1000; i++)
        assert_near(process_table(&process)->alpha_bar[i], process_table(&table)->alpha_bar[i],
                    1e-11);
    assert_true(process_model_time_at_index(&process, 999.0) == 999.0);
    assert_null(process.config.schedule.trained_betas);
    process_finish(&process);
    process_finish(&table);
    begin(&process, PROCESS_SUB_VP);
    assert_null(process_table(&process));
    process_finish(&process);
}

/* ve_linear and ou_finite have slopes without end at t = 0. */
static void slopes_and_drift_belong_to_the_levels(void **state)
{
    static const double parts[] = {.05, .2, .5, .77, .95};
    const double h = 1e-6;

    (void)state;
    for (int type = PROCESS_TABLE; type < PROCESS_COUNT; type++) {
        struct process process;

        begin(&process, (enum process_type)type);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            const double t = parts[i] * process_t_max(&process);
            const struct level here = process_level(&process, t);
            const struct level before = process_level(&process, t - h);
            const struct level after = process_level(&process, t + h);
            const struct level slope = process_slope(&process, t, process_level(&process, t));
            const struct drift drift = process_drift(&process, t);

            assert_true(fabs((after.alpha - before.alpha) / (2.0 * h) - slope.alpha) <
                        1e-6 * (1.0 + fabs(slope.alpha)));
            assert_true(fabs((after.sigma - before.sigma) / (2.0 * h) - slope.sigma) <
                        1e-6 * (1.0 + fabs(slope.sigma)));
            assert_true(fabs(drift.f - slope.alpha / here.alpha) < 1e-9 * (1.0 + fabs(drift.f)));
            assert_near(drift.g2,
                        2.0 * here.sigma * slope.sigma - 2.0 * drift.f * here.sigma * here.sigma,
                        1e-9);
        }
        process_finish(&process);
    }
}

static void a_sigma_has_the_time_at_which_it_is_reached(void **state)
{
    (void)state;
    for (int type = PROCESS_VP; type < PROCESS_CM; type++) {
        struct process process;

        begin(&process, (enum process_type)type);
        assert_true(process_has_sigma(&process));
        for (int i = 0; i < 15; i++) {
            const double t = (.01 + .07 * i) * process_t_max(&process);
            const struct level level = process_level(&process, t);
            const double sigma = level.sigma / level.alpha;

            assert_near(process_model_time_at_sigma(&process, sigma),
                        process_model_time(&process, t), 1e-9);
            assert_near(process_level_at_sigma(&process, sigma).alpha, level.alpha, 1e-9);
            assert_near(process_level_at_sigma(&process, sigma).sigma, level.sigma, 1e-9);
            assert_true(process_allows_sigma(&process, sigma));
        }
        process_finish(&process);
    }
}

static void a_table_has_the_sigmas_of_its_entries(void **state)
{
    struct process process;
    const double *alpha_bar;

    (void)state;
    begin(&process, PROCESS_TABLE);
    alpha_bar = process.schedule.alpha_bar_parity;
    for (size_t i = 0; i < 1000; i += 37) {
        const double sigma = sqrt((1.0 - alpha_bar[i]) / alpha_bar[i]);

        assert_true(fabs(process_model_time_at_sigma(&process, sigma) - (double)i) < 1e-9);
        assert_near(process_level_at_sigma(&process, sigma).alpha, sqrt(alpha_bar[i]), 1e-12);
    }
    assert_near(process_sigma_min(&process), .01000050004, 1e-3);
    assert_near(process_sigma_max(&process), 157.4072808, 1e-6);
    assert_false(process_allows_sigma(&process, 157.5));
    assert_false(process_allows_sigma(&process, .009));
    process_finish(&process);
}

/* Its continuous time meets every entry; between them beta is never below 0. */
static void a_table_in_continuous_time_runs_through_its_entries(void **state)
{
    struct process process;

    (void)state;
    begin(&process, PROCESS_TABLE);
    assert_true(process_level(&process, 0.0).alpha == 1.0);
    for (size_t i = 0; i < 1000; i++) {
        const double t = (double)(i + 1) / 1000.0;
        const struct level level = process_level(&process, t);

        assert_near(level.alpha * level.alpha, process.schedule.alpha_bar[i], 1e-11);
        assert_true(fabs(process_model_time(&process, t) - (double)i) < 1e-9);
        assert_true(process_drift(&process, t - .0003).g2 > 0.0);
    }
    assert_near(process_sampling_eps(&process), .001, 1e-15);
    process_finish(&process);
}

static void a_table_that_ends_without_signal_has_no_continuous_time(void **state)
{
    struct process_config config = usual(PROCESS_TABLE);
    struct process process;

    (void)state;
    config.schedule.head = HEAD_V;
    config.schedule.rescale_betas_zero_snr = true;
    start(&process, &config);
    assert_false(process_is_continuous(&process));
    assert_non_null(process_table(&process));
    process_finish(&process);
}

static double model_time(enum process_type type, double t)
{
    struct process process;
    double time;

    begin(&process, type);
    time = process_model_time(&process, t);
    process_finish(&process);
    return time;
}

static void networks_are_told_the_time_as_they_count_it(void **state)
{
    static const double levels[] = {10.0, 1.0, .1};
    struct process_config config = usual(PROCESS_VE);
    struct process process;

    (void)state;
    assert_near(model_time(PROCESS_VP, .5), 499.5, 1e-15);
    assert_near(model_time(PROCESS_SUB_VP, .5), 499.5, 1e-15);
    assert_near(model_time(PROCESS_VE, .5), .7071067812, 1e-9);
    assert_near(model_time(PROCESS_VE_LINEAR, .5), 500.0, 1e-15);
    assert_near(model_time(PROCESS_OU, 2.5), 500.0, 1e-15);
    assert_near(model_time(PROCESS_OU_FINITE, .25), 250.0, 1e-15);
    assert_near(model_time(PROCESS_FLOW, .667), 667.0, 1e-15);
    assert_near(model_time(PROCESS_CM, 80.0), 1095.50666, 1e-8);
    config.levels = (double *)(uintptr_t)levels;
    config.level_count = 3;
    config.model_time = MODEL_TIME_INDEX;
    start(&process, &config);
    assert_true(process.config.levels != levels);
    assert_true(process.config.sigma_max == 10.0 && process.config.sigma_min == .1);
    assert_near(process_model_time_at_sigma(&process, sqrt(.1)), 1.5, 1e-9);
    assert_true(fabs(process_model_time_at_sigma(&process, 10.0)) < 1e-9);
    assert_near(process_model_time_at_sigma(&process, .1), 2.0, 1e-9);
    process_finish(&process);
}

static void a_flow_starts_in_its_base(void **state)
{
    struct process_config config = usual(PROCESS_FLOW);
    struct process process;
    struct rng rng;
    float x[2], uniform[2];

    (void)state;
    config.base = FLOW_BASE_ANNULUS;
    config.base_low = 4.0;
    config.base_high = 5.0;
    start(&process, &config);
    assert_false(process_has_sigma(&process));
    for (uint32_t seed = 0; seed < 200; seed++) {
        double radius;

        rng_seed(&rng, seed);
        process_draw(&process, &rng, x, 2);
        rng_seed(&rng, seed);
        rng_rand(&rng, uniform, 2);
        radius = sqrt(16.0 + 9.0 * (double)uniform[1]);
        assert_true(fabs(hypot((double)x[0], (double)x[1]) - radius) < 1e-6);
        assert_true(fabs((double)x[0] - radius * cos(2.0 * M_PI * (double)uniform[0])) < 1e-6);
    }
    process_finish(&process);
    config.base = FLOW_BASE_UNIFORM;
    config.base_low = -3.0;
    config.base_high = 1.0;
    start(&process, &config);
    rng_seed(&rng, 0);
    process_draw(&process, &rng, x, 2);
    assert_true(fabs((double)x[0] - (-3.0 + 4.0 * .49625659)) < 1e-6);
    assert_true(fabs((double)x[1] - (-3.0 + 4.0 * .76822180)) < 1e-6);
    process_finish(&process);
}

static void the_start_is_as_wide_as_the_noise_at_the_end(void **state)
{
    static const double scales[PROCESS_COUNT] = {1, 1, 1, 50, 1, 1, 1, 1, 80};

    (void)state;
    for (int type = PROCESS_TABLE; type < PROCESS_COUNT; type++) {
        struct process process;

        begin(&process, (enum process_type)type);
        assert_near(process_start_scale(&process), scales[type], 1e-15);
        process_finish(&process);
    }
}

/* Song et al. 2023: at sigma_min a consistency model is the identity. */
static void a_consistency_models_output_says_x0_and_noise(void **state)
{
    struct process process;

    (void)state;
    begin(&process, PROCESS_CM);
    for (int i = 0; i < 13; i++) {
        const double sigma = ldexp(.01, i);
        const double scale = 1.0 / sqrt(sigma * sigma + .25);
        const struct level level = {scale, scale * sigma};
        const struct conversion by = process_conversion(&process, level);
        const double x_0 = 2.0, epsilon = -1.5, x = scale * (x_0 + sigma * epsilon);
        const double o = process_output(&process, level, x_0, epsilon);
        const double skip = .25 / ((sigma - .002) * (sigma - .002) + .25);
        const double out = .5 * (sigma - .002) / sqrt(sigma * sigma + .25);

        assert_true(fabs(by.x0_x * x + by.x0_o * o - x_0) < 1e-9);
        assert_true(fabs(by.epsilon_x * x + by.epsilon_o * o - epsilon) < 1e-9);
        assert_true(fabs(skip * (x_0 + sigma * epsilon) + out * o - x_0) < 1e-9);
    }
    process_finish(&process);
}

static void an_exact_model_knows_every_level(void **state)
{
    struct process process;

    (void)state;
    begin(&process, PROCESS_VE);
    assert_false(process_allows_sigma(&process, 0.0));
    assert_false(process_allows_sigma(&process, .009));
    assert_false(process_allows_sigma(&process, 51.0));
    process.network.is_exact = true;
    assert_true(process_allows_sigma(&process, 1000.0));
    assert_false(process_allows_sigma(&process, 0.0));
    process.network.is_exact_at_zero = true;
    assert_true(process_allows_sigma(&process, 0.0));
    process_finish(&process);
}

static void refused(const struct process_config *config, const char *words)
{
    struct process process;
    struct error error;

    assert_false(process_init(&process, config, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_error_says(&error, words);
}

static void what_no_process_can_be_is_refused_by_its_key(void **state)
{
    static double rising[] = {1.0, 2.0};
    struct process_config config = usual(PROCESS_VP);

    (void)state;
    config.beta_min = 20.0;
    refused(&config, "beta_min");
    config = usual(PROCESS_VP);
    config.schedule.head = HEAD_VELOCITY;
    refused(&config, "prediction_type velocity");
    config = usual(PROCESS_SUB_VP);
    config.schedule.head = HEAD_V;
    refused(&config, "prediction_type v_prediction");
    config = usual(PROCESS_VE);
    config.sigma_min = 60.0;
    refused(&config, "sigma_min");
    config = usual(PROCESS_VE);
    config.levels = rising;
    config.level_count = 2;
    refused(&config, "levels|levels[1]");
    config = usual(PROCESS_VE);
    config.model_time = MODEL_TIME_INDEX;
    refused(&config, "model_time index needs levels");
    config = usual(PROCESS_OU);
    config.t_max = .1;
    refused(&config, "t_max");
    config = usual(PROCESS_VE_LINEAR);
    config.sigma_q = 0.0;
    refused(&config, "sigma_q");
    config = usual(PROCESS_FLOW);
    config.base = FLOW_BASE_ANNULUS;
    config.base_low = 5.0;
    config.base_high = 4.0;
    refused(&config, "base");
    config = usual(PROCESS_FLOW);
    config.schedule.head = HEAD_EPSILON;
    refused(&config, "prediction_type epsilon");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_those_of_the_papers),
        cmocka_unit_test(vp_is_on_a_table_the_linear_schedule),
        cmocka_unit_test(slopes_and_drift_belong_to_the_levels),
        cmocka_unit_test(a_sigma_has_the_time_at_which_it_is_reached),
        cmocka_unit_test(a_table_has_the_sigmas_of_its_entries),
        cmocka_unit_test(a_table_in_continuous_time_runs_through_its_entries),
        cmocka_unit_test(a_table_that_ends_without_signal_has_no_continuous_time),
        cmocka_unit_test(networks_are_told_the_time_as_they_count_it),
        cmocka_unit_test(a_flow_starts_in_its_base),
        cmocka_unit_test(the_start_is_as_wide_as_the_noise_at_the_end),
        cmocka_unit_test(a_consistency_models_output_says_x0_and_noise),
        cmocka_unit_test(an_exact_model_knows_every_level),
        cmocka_unit_test(what_no_process_can_be_is_refused_by_its_key),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
