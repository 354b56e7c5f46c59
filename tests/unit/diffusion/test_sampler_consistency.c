/* Consistency models: to the data at once, with noise in between. */
#include "tests/support/test.h"

#include "tests/support/chain.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

struct setting {
    struct process process;
    struct option_values options;
    struct plan_request request;
};

static void set_up(struct setting *setting, size_t steps)
{
    struct process_config config = process_config_default(PROCESS_CM);
    struct error error;

    memset(setting, 0, sizeof(*setting));
    config.schedule.timesteps = 40;
    config.clip_denoised = false;
    assert_true(process_init(&setting->process, &config, &error));
    setting->request = (struct plan_request){.process = &setting->process,
                                             .sampler = "consistency",
                                             .steps = steps,
                                             .options = &setting->options,
                                             .dim = MIXTURE_DIM,
                                             .output_dim = MIXTURE_DIM};
}

static void give(struct setting *setting, const int *timesteps, size_t count)
{
    setting->options.given[OPTION_TIMESTEPS] = true;
    setting->options.value[OPTION_TIMESTEPS] = (double)count;
    setting->options.list[OPTION_TIMESTEPS] = timesteps;
}

/* What a network that says E[x_0 | x] answers: x_0 = c_skip x + c_out o in VE coordinates. */
static void answer(const struct row *row, const struct plan *plan, float *output)
{
    const double sigma = row->level.sigma / row->level.alpha, beyond = sigma - .002;
    const double skip = .25 / (beyond * beyond + .25);
    const double out = .5 * beyond / sqrt(sigma * sigma + .25);
    const double alpha = 1.0 / sqrt(1.0 + sigma * sigma);
    const struct level level = {.alpha = alpha, .sigma = alpha * sigma};
    float x[MIXTURE_DIM], x_0[MIXTURE_DIM];

    (void)plan;
    for (size_t i = 0; i < MIXTURE_DIM; i++)
        x[i] = (float)(alpha * (double)row->x[i]);
    mixture_output(HEAD_SAMPLE, level, -1, x, x_0);
    for (size_t i = 0; i < MIXTURE_DIM; i++)
        output[i] = (float)(((double)x_0[i] - skip * (double)row->x[i]) / out);
}

static void two_given_timesteps_end_where_they_must(void **state)
{
    static const double end[] = {-3.584003, -2.287261, -2.526502, -2.262430};
    static const int timesteps[] = {22, 0};
    struct setting setting;
    struct plan *plan;

    (void)state;
    set_up(&setting, 1);
    give(&setting, timesteps, 2);
    plan = chain_plan(&setting.request);
    for (size_t seed = 0; seed < 2; seed++) {
        struct chain chain;

        chain_init(&chain, (uint32_t)seed);
        assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_DONE);
        assert_int_equal(chain.row.evaluations, 2);
        for (size_t i = 0; i < 2; i++)
            assert_true(fabs((double)chain.x[i] - end[2 * seed + i]) < 1e-4);
    }
    plan_destroy(plan);
    process_finish(&setting.process);
}

static void levels_fall_from_sigma_max_along_karras_row(void **state)
{
    static const int timesteps[] = {22, 0};
    struct setting setting;
    struct plan *plan;

    (void)state;
    set_up(&setting, 1);
    give(&setting, timesteps, 2);
    plan = chain_plan(&setting.request);
    assert_true(fabs(plan->start_scale - 80.0) < 1e-9);
    assert_true(fabs(plan->step[0].from.sigma - 80.0) < 1e-9);
    assert_true(fabs(plan->step[1].from.sigma - 1.382367957) < 1e-9);
    assert_true(fabs(plan->step[0].to.sigma - 1.382367957) < 1e-9);
    assert_true(plan->step[1].to.sigma == .002);
    assert_true(fabs(plan->step[0].model_time - 1095.50666) < 1e-5);
    assert_true(fabs(plan->step[0].input_scale - 1.0 / sqrt(6400.25)) < 1e-12);
    plan_destroy(plan);
    process_finish(&setting.process);
}

static void steps_are_spread_over_the_timesteps_when_none_are_given(void **state)
{
    static const int timesteps[] = {30, 20, 10, 0};
    struct setting setting;
    struct plan *plan, *given;

    (void)state;
    set_up(&setting, 4);
    setting.request.steps_asked = true;
    plan = chain_plan(&setting.request);
    assert_false(plan->options.given[OPTION_TIMESTEPS]);
    setting.request.steps_asked = false;
    setting.request.steps = 1;
    give(&setting, timesteps, 4);
    given = chain_plan(&setting.request);
    assert_int_equal(given->steps, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(plan->step[i].from.sigma == given->step[i].from.sigma);
    plan_destroy(plan);
    plan_destroy(given);
    process_finish(&setting.process);
}

static void one_step_draws_nothing_more_steps_draw_every_time(void **state)
{
    (void)state;
    for (size_t steps = 1; steps <= 3; steps++) {
        struct setting setting;
        struct chain chain;
        struct plan *plan;
        struct rng rng;
        float draw[2];

        set_up(&setting, steps);
        plan = chain_plan(&setting.request);
        chain_init(&chain, 5);
        assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_DONE);
        rng_seed(&rng, 5);
        for (size_t i = 0; i < 1 + (steps > 1 ? steps : 0); i++)
            rng_randn(&rng, draw, 2);
        assert_int_equal(rng_word(&chain.row.rng), rng_word(&rng));
        plan_destroy(plan);
        process_finish(&setting.process);
    }
}

static void x_0_is_clipped_if_the_config_says_so_and_the_noise_is_scaled(void **state)
{
    struct setting setting;
    struct chain chain;
    struct plan *plan;
    float x_0[2], draw[4];
    struct rng rng;
    double added;

    (void)state;
    set_up(&setting, 2);
    setting.process.config.clip_denoised = true;
    setting.process.config.s_noise = .5;
    plan = chain_plan(&setting.request);
    chain_init(&chain, 5);
    plan->sampler->begin(&chain.row, plan);
    rng_seed(&rng, 5);
    rng_randn(&rng, draw, 2);
    rng_randn(&rng, draw + 2, 2);
    plan_predicted_x0(plan, &chain.row, (const float[]){9.0f, .5f}, x_0);
    (void)plan->sampler->advance(&chain.row, plan, (const float[]){9.0f, .5f});
    assert_true(x_0[0] == 1.0f && x_0[1] < 1.0f);
    added = .5 * sqrt(plan->step[1].from.sigma * plan->step[1].from.sigma - .002 * .002);
    for (size_t i = 0; i < 2; i++)
        assert_true(fabs((double)chain.x[i] - (double)x_0[i] - added * (double)draw[2 + i]) < 1e-6);
    plan_destroy(plan);
    process_finish(&setting.process);
}

static void assert_refused(const struct setting *setting, const char *text)
{
    struct error error = {.code = ERROR_NONE};

    assert_null(plan_create(&setting->request, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, text);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    struct setting setting;

    (void)state;
    set_up(&setting, 41);
    assert_refused(&setting, "steps must be 1..40, got 41");
    setting.request.steps = 2;
    give(&setting, (const int[]){22, 0}, 2);
    setting.request.steps_asked = true;
    assert_refused(&setting, "timesteps stand in place of steps: give one of the two");
    setting.request.steps_asked = false;
    give(&setting, (const int[]){22, 22}, 2);
    assert_refused(&setting, "timesteps must be falling integers 0..39: timesteps[1] is 22");
    give(&setting, (const int[]){40, 0}, 2);
    assert_refused(&setting, "timesteps must be falling integers 0..39: timesteps[0] is 40");
    give(&setting, (const int[]){0}, 0);
    assert_refused(&setting, "timesteps must be at least one integer");
    process_finish(&setting.process);
}

static void it_needs_a_consistency_model(void **state)
{
    const struct process_config config = process_config_default(PROCESS_TABLE);
    struct setting setting;
    struct process table;
    struct error error;

    (void)state;
    set_up(&setting, 2);
    assert_true(process_init(&table, &config, &error));
    setting.request.process = &table;
    assert_refused(&setting, "consistency needs a consistency model; this model's process is a "
                             "beta table");
    process_finish(&table);
    process_finish(&setting.process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_given_timesteps_end_where_they_must),
        cmocka_unit_test(levels_fall_from_sigma_max_along_karras_row),
        cmocka_unit_test(steps_are_spread_over_the_timesteps_when_none_are_given),
        cmocka_unit_test(one_step_draws_nothing_more_steps_draw_every_time),
        cmocka_unit_test(x_0_is_clipped_if_the_config_says_so_and_the_noise_is_scaled),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(it_needs_a_consistency_model),
    };
    return cmocka_run_group_tests_name("consistency", tests, NULL, NULL);
}
