/* What holds for steps of samplers whatever the model answers. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/allocations.h"
#include "tests/support/chain.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

#define DIM 48

static void answer_mixture(const struct row *row, const struct plan *plan, float *output)
{
    mixture_output(process_head(plan->process), row->level, -1, row->input, output);
}

/* Some network: bounded, and different for every value and time. */
static void answer_anything(const struct row *row, const struct plan *plan, float *output)
{
    for (size_t i = 0; i < plan->output_dim; i++)
        output[i] = (float)sin((double)row->input[i % plan->dim] + .01 * row->time + (double)i);
}

static void answer_nan(const struct row *row, const struct plan *plan, float *output)
{
    answer_anything(row, plan, output);
    if (row->evaluations == 3)
        output[1] = (float)NAN;
}

struct setting {
    struct process process;
    struct option_values options;
    struct plan_request request;
};

static struct process_config unclipped(void)
{
    struct process_config config = process_config_default(PROCESS_TABLE);

    config.schedule.clip_sample = GIVEN_FALSE;
    return config;
}

static void set_up(struct setting *setting, const struct process_config *config,
                   const char *sampler, size_t dim)
{
    struct error error;

    memset(setting, 0, sizeof(*setting));
    if (!process_init(&setting->process, config, &error))
        fail_msg("%s", error.text);
    setting->request = (struct plan_request){.process = &setting->process,
                                             .sampler = sampler,
                                             .steps = 10,
                                             .options = &setting->options,
                                             .dim = dim,
                                             .output_dim = dim};
}

static void give(struct setting *setting, enum sampler_option option, double value)
{
    setting->options.given[option] = true;
    setting->options.value[option] = value;
}

static bool runs_on_a_table(const struct sampler *sampler)
{
    return (sampler->runs_on & PROCESS_BIT(TABLE)) != 0;
}

static void ddim_with_eta_1_on_every_timestep_is_ddpm(void **state)
{
    const struct process_config config = unclipped();
    struct setting setting;
    struct plan *ddpm, *ddim;

    (void)state;
    set_up(&setting, &config, "ddpm", 2);
    setting.request.steps = 1000;
    ddpm = chain_plan(&setting.request);
    setting.request.sampler = "ddim";
    give(&setting, OPTION_ETA, 1.0);
    ddim = chain_plan(&setting.request);
    for (uint32_t seed = 0; seed < 3; seed++) {
        struct chain one, other;

        chain_init(&one, seed);
        chain_init(&other, seed);
        assert_int_equal(chain_run(&one, ddpm, answer_mixture), ADVANCE_DONE);
        assert_int_equal(chain_run(&other, ddim, answer_mixture), ADVANCE_DONE);
        for (size_t i = 0; i < 2; i++)
            assert_true(fabs((double)one.x[i] - (double)other.x[i]) < 1e-4);
    }
    plan_destroy(ddpm);
    plan_destroy(ddim);
    process_finish(&setting.process);
}

static void asked_at(const struct row *row, const struct plan *plan, float *output)
{
    const double alpha_bar = plan->process->schedule.alpha_bar_parity[(size_t)row->time];

    assert_true(row->time == plan->step[row->step].model_time);
    assert_true(row->level.alpha == sqrt(alpha_bar));
    assert_true(row->level.sigma == sqrt(1.0 - alpha_bar));
    assert_memory_equal(row->input, row->x, plan->dim * sizeof(*row->x));
    answer_anything(row, plan, output);
}

static void every_evaluation_is_asked_at_the_exact_level_of_its_timestep(void **state)
{
    static const char *const samplers[] = {"ddpm", "ddim"};
    struct process_config config = unclipped();
    struct setting setting;

    (void)state;
    config.schedule.head = HEAD_V;
    config.schedule.rescale_betas_zero_snr = true;
    chain_config(&config, OPTION_SPACING, SPACING_TRAILING);
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        struct chain chain;
        struct plan *plan;

        set_up(&setting, &config, samplers[i], DIM);
        plan = chain_plan(&setting.request);
        assert_true(plan->step[0].from.alpha == 0.0);
        chain_init(&chain, 5);
        assert_int_equal(chain_run(&chain, plan, asked_at), ADVANCE_DONE);
        plan_destroy(plan);
        process_finish(&setting.process);
    }
}

static void a_row_begins_with_torchs_first_draw(void **state)
{
    const struct process_config config = unclipped();
    struct setting setting;
    struct chain chain;
    struct rng rng;
    float draw[DIM];
    struct plan *plan;

    (void)state;
    set_up(&setting, &config, "ddpm", DIM);
    plan = chain_plan(&setting.request);
    chain_init(&chain, 42);
    plan->sampler->begin(&chain.row, plan);
    rng_seed(&rng, 42);
    rng_randn(&rng, draw, DIM);
    assert_memory_equal(chain.input, draw, sizeof(draw));
    plan_destroy(plan);
    process_finish(&setting.process);
}

static void ddim_draws_noise_only_if_eta_is_above_zero(void **state)
{
    const struct process_config config = unclipped();
    struct setting setting;
    struct chain chain;
    struct rng rng;
    float draw[DIM];

    (void)state;
    set_up(&setting, &config, "ddim", DIM);
    for (size_t noisy = 0; noisy < 2; noisy++) {
        struct plan *plan;

        give(&setting, OPTION_ETA, noisy == 0 ? 0.0 : .5);
        plan = chain_plan(&setting.request);
        chain_init(&chain, 42);
        assert_int_equal(chain_run(&chain, plan, answer_anything), ADVANCE_DONE);
        rng_seed(&rng, 42);
        for (size_t i = 0; i < 1 + 10 * noisy; i++)
            rng_randn(&rng, draw, DIM);
        assert_int_equal(rng_word(&chain.row.rng), rng_word(&rng));
        plan_destroy(plan);
    }
    process_finish(&setting.process);
}

static void ddpm_adds_no_noise_at_timestep_zero(void **state)
{
    const struct process_config config = unclipped();
    struct setting setting;
    struct chain chain;
    struct rng rng;
    float draw[DIM];
    struct plan *plan;

    (void)state;
    set_up(&setting, &config, "ddpm", DIM);
    give(&setting, OPTION_VARIANCE_TYPE, VARIANCE_FIXED_LARGE);
    plan = chain_plan(&setting.request);
    chain_init(&chain, 42);
    assert_int_equal(chain_run(&chain, plan, answer_anything), ADVANCE_DONE);
    rng_seed(&rng, 42);
    for (size_t i = 0; i < 10; i++)
        rng_randn(&rng, draw, DIM);
    assert_int_equal(rng_word(&chain.row.rng), rng_word(&rng));
    plan_destroy(plan);
    process_finish(&setting.process);
}

/* The deviation is sqrt(v): with a v of 0 the step is its mean, with 1 the mean and the draw. */
static void a_learned_variance_is_the_variance_of_each_value(void **state)
{
    struct process_config config = unclipped();
    struct setting setting;
    struct chain still, noisy;
    struct plan *plan;

    (void)state;
    chain_config(&config, OPTION_VARIANCE_TYPE, VARIANCE_LEARNED);
    set_up(&setting, &config, "ddpm", 2);
    setting.request.output_dim = 4;
    plan = chain_plan(&setting.request);
    chain_init(&still, 1);
    chain_init(&noisy, 1);
    plan->sampler->begin(&still.row, plan);
    plan->sampler->begin(&noisy.row, plan);
    memcpy(still.output, (float[]){.1f, .2f, 0.0f, 0.0f}, 4 * sizeof(float));
    memcpy(noisy.output, (float[]){.1f, .2f, 1.0f, .25f}, 4 * sizeof(float));
    (void)plan->sampler->advance(&still.row, plan, still.output);
    (void)plan->sampler->advance(&noisy.row, plan, noisy.output);
    assert_true(fabsf(noisy.x[0] - still.x[0] - noisy.noise[0]) < 1e-6f);
    assert_true(fabsf(noisy.x[1] - still.x[1] - .5f * noisy.noise[1]) < 1e-6f);
    plan_destroy(plan);
    process_finish(&setting.process);
}

static void a_row_fails_at_the_step_whose_value_is_no_number(void **state)
{
    const struct process_config config = process_config_default(PROCESS_TABLE); /* clips */
    struct setting setting;

    (void)state;
    for (size_t i = 0; sampler_at(i) != NULL; i++) {
        struct chain chain;
        struct plan *plan;

        if (!runs_on_a_table(sampler_at(i)))
            continue;
        set_up(&setting, &config, sampler_at(i)->name, DIM);
        plan = chain_plan(&setting.request);
        chain_init(&chain, 3);
        assert_int_equal(chain_run(&chain, plan, answer_nan), ADVANCE_FAILED);
        assert_int_equal(chain.row.evaluations, 4);
        plan_destroy(plan);
        process_finish(&setting.process);
    }
}

static void predicted_x0_is_the_x0_of_the_step(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct setting setting;
    struct chain chain;
    struct plan *plan;
    float x_0[DIM];

    (void)state;
    config.schedule.clip_sample_range = .75;
    config.schedule.head = HEAD_SAMPLE;
    set_up(&setting, &config, "ddim", DIM);
    setting.request.steps = 1; /* goes from t = 0 to x_0 itself */
    plan = chain_plan(&setting.request);
    chain_init(&chain, 3);
    plan->sampler->begin(&chain.row, plan);
    answer_anything(&chain.row, plan, chain.output);
    plan_predicted_x0(plan, &chain.row, chain.output, x_0);
    assert_int_equal(plan->sampler->advance(&chain.row, plan, chain.output), ADVANCE_DONE);
    for (size_t i = 0; i < DIM; i++)
        assert_true(x_0[i] == chain.x[i] && fabsf(x_0[i]) <= .75f);
    plan_destroy(plan);
    process_finish(&setting.process);
}

/* x_0 is cut to .25 and the noise that goes on is what then explains x. */
static void clipped_output_goes_on_with_the_noise_of_the_clipped_x0(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct setting setting;
    struct chain chain;
    struct plan *plan;
    float x_0[DIM], x[DIM];

    (void)state;
    config.schedule.clip_sample_range = .25;
    set_up(&setting, &config, "ddim", DIM);
    give(&setting, OPTION_USE_CLIPPED_MODEL_OUTPUT, 1.0);
    plan = chain_plan(&setting.request);
    chain_init(&chain, 3);
    plan->sampler->begin(&chain.row, plan);
    memcpy(x, chain.x, sizeof(x));
    answer_anything(&chain.row, plan, chain.output);
    plan_predicted_x0(plan, &chain.row, chain.output, x_0);
    (void)plan->sampler->advance(&chain.row, plan, chain.output);
    for (size_t i = 0; i < DIM; i++) {
        const struct level from = plan->step[0].from, to = plan->step[0].to;
        const double epsilon = ((double)x[i] - from.alpha * (double)x_0[i]) / from.sigma;
        const double expected = to.alpha * (double)x_0[i] + to.sigma * epsilon;

        assert_true(fabs((double)chain.x[i] - expected) < 1e-6);
    }
    plan_destroy(plan);
    process_finish(&setting.process);
}

static void steps_ask_for_no_memory(void **state)
{
    struct process_config config = unclipped();
    struct setting setting;

    (void)state;
    config.schedule.thresholding = true;
    for (size_t i = 0; sampler_at(i) != NULL; i++) {
        struct chain chain;
        struct plan *plan;
        size_t before = allocations_count();

        if (!runs_on_a_table(sampler_at(i)))
            continue;
        set_up(&setting, &config, sampler_at(i)->name, DIM);
        plan = chain_plan(&setting.request);
        assert_true(allocations_count() > before);
        before = allocations_count();
        chain_init(&chain, 3);
        assert_int_equal(chain_run(&chain, plan, answer_anything), ADVANCE_DONE);
        assert_int_equal(allocations_count(), before);
        plan_destroy(plan);
        process_finish(&setting.process);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ddim_with_eta_1_on_every_timestep_is_ddpm),
        cmocka_unit_test(every_evaluation_is_asked_at_the_exact_level_of_its_timestep),
        cmocka_unit_test(a_row_begins_with_torchs_first_draw),
        cmocka_unit_test(ddim_draws_noise_only_if_eta_is_above_zero),
        cmocka_unit_test(ddpm_adds_no_noise_at_timestep_zero),
        cmocka_unit_test(a_learned_variance_is_the_variance_of_each_value),
        cmocka_unit_test(a_row_fails_at_the_step_whose_value_is_no_number),
        cmocka_unit_test(predicted_x0_is_the_x0_of_the_step),
        cmocka_unit_test(clipped_output_goes_on_with_the_noise_of_the_clipped_x0),
        cmocka_unit_test(steps_ask_for_no_memory),
    };
    return cmocka_run_group_tests_name("samplers", tests, NULL, NULL);
}
