/* Plans: defaults, levels, draws, and everything that is refused before a row begins. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/chain.h"

#include <math.h>
#include <string.h>

struct fixture {
    struct process process;
    struct option_values options;
    struct plan_request request;
};

static void set_up(struct fixture *fixture, const struct process_config *config,
                   const char *sampler)
{
    struct error error;

    memset(fixture, 0, sizeof(*fixture));
    if (!process_init(&fixture->process, config, &error))
        fail_msg("%s", error.text);
    fixture->request = (struct plan_request){.process = &fixture->process,
                                             .sampler = sampler,
                                             .steps = 10,
                                             .options = &fixture->options,
                                             .dim = 2,
                                             .output_dim = 2};
}

static void give(struct fixture *fixture, enum sampler_option option, double value)
{
    fixture->options.given[option] = true;
    fixture->options.value[option] = value;
}

static void assert_refused(const struct fixture *fixture, const char *word)
{
    struct error error = {.code = ERROR_NONE};
    struct plan *plan = plan_create(&fixture->request, &error);

    assert_null(plan);
    assert_int_equal(error.code, ERROR_INVALID);
    if (strstr(error.text, word) == NULL)
        fail_msg("'%s' does not say %s", error.text, word);
}

static void every_sampler_is_found_by_its_name_and_runs_on_a_table(void **state)
{
    const struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;
    struct error error;
    size_t count = 0;

    (void)state;
    set_up(&fixture, &config, "ddpm");
    for (const struct sampler *sampler; (sampler = sampler_at(count)) != NULL; count++) {
        assert_ptr_equal(sampler_find(sampler->name), sampler);
        assert_true(strlen(sampler->title) > 0);
        if ((sampler->runs_on & PROCESS_BIT(TABLE)) == 0)
            continue;
        assert_true(sampler_runs_on(sampler, &fixture.process, &error));
        for (size_t i = 0; i < sampler->option_count; i++)
            if (!isnan(sampler->option_default(&fixture.process, sampler->options[i])))
                assert_true(
                    option_allows(sampler->options[i],
                                  sampler->option_default(&fixture.process, sampler->options[i])));
    }
    assert_true(count >= 2);
    assert_null(sampler_find("DDIM"));
    process_finish(&fixture.process);
}

static void options_that_are_not_given_take_the_models_default(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;
    struct plan *plan;

    (void)state;
    chain_config(&config, OPTION_SPACING, SPACING_TRAILING);
    chain_config(&config, OPTION_VARIANCE_TYPE, VARIANCE_FIXED_LARGE);
    set_up(&fixture, &config, "ddpm");
    plan = chain_plan(&fixture.request);
    assert_true(plan->options.value[OPTION_SPACING] == (double)SPACING_TRAILING);
    assert_true(plan->options.value[OPTION_VARIANCE_TYPE] == (double)VARIANCE_FIXED_LARGE);
    assert_true(plan->options.given[OPTION_VARIANCE_TYPE]);
    assert_false(plan->options.given[OPTION_ETA]);
    assert_true(plan->step[0].model_time == 999.0);
    plan_destroy(plan);
    give(&fixture, OPTION_SPACING, SPACING_LEADING);
    plan = chain_plan(&fixture.request);
    assert_true(plan->step[0].model_time == 900.0);
    plan_destroy(plan);
    process_finish(&fixture.process);
}

static void ddpm_goes_to_the_next_timestep_and_draws_until_zero(void **state)
{
    const struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;
    struct plan *plan;

    (void)state;
    set_up(&fixture, &config, "ddpm");
    plan = chain_plan(&fixture.request);
    assert_int_equal(plan->step_count, 10);
    assert_int_equal(plan->evaluations, 10);
    assert_true(plan->start_scale == 1.0);
    assert_null(plan->warning);
    for (size_t i = 0; i < 10; i++) {
        const double alpha_bar = fixture.process.schedule.alpha_bar_parity[900 - 100 * i];

        assert_true(plan->step[i].from.alpha == sqrt(alpha_bar));
        assert_true(plan->step[i].from.sigma == sqrt(1.0 - alpha_bar));
        assert_true(plan->step[i].to.alpha == (i == 9 ? 1.0 : plan->step[i + 1].from.alpha));
        assert_int_equal(plan->step[i].draws, i < 9);
    }
    plan_destroy(plan);
    process_finish(&fixture.process);
}

static void ddim_targets_t_minus_a_stride_whatever_the_spacing(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;
    struct plan *plan;

    (void)state;
    set_up(&fixture, &config, "ddim");
    fixture.request.steps = 7;
    give(&fixture, OPTION_SPACING, SPACING_TRAILING);
    plan = chain_plan(&fixture.request);
    for (size_t i = 0; i < 7; i++) {
        const size_t target = (size_t)plan->step[i].model_time - 142;

        assert_true(plan->step[i].to.alpha ==
                    sqrt(fixture.process.schedule.alpha_bar_parity[target]));
        assert_false(plan->step[i].draws);
    }
    plan_destroy(plan);
    process_finish(&fixture.process);
}

static double last_target(bool set_alpha_to_one)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;
    struct plan *plan;
    double alpha;

    config.schedule.set_alpha_to_one = set_alpha_to_one ? GIVEN_TRUE : GIVEN_FALSE;
    set_up(&fixture, &config, "ddim");
    give(&fixture, OPTION_ETA, 1.0);
    plan = chain_plan(&fixture.request);
    assert_true(plan->step[9].draws);
    alpha = plan->step[9].to.alpha;
    plan_destroy(plan);
    process_finish(&fixture.process);
    return alpha;
}

static void ddim_ends_at_one_or_at_the_first_timestep(void **state)
{
    (void)state;
    assert_true(last_target(true) == 1.0);
    assert_true(fabs(last_target(false) - sqrt(.9999)) < 1e-7);
}

static void unknown_samplers_and_options_of_others_are_refused(void **state)
{
    const struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;

    (void)state;
    set_up(&fixture, &config, "lms");
    assert_refused(&fixture, "sampler");
    fixture.request.sampler = "ddpm";
    give(&fixture, OPTION_ETA, .5);
    assert_refused(&fixture, "eta is not an option of sampler ddpm");
    fixture.request.sampler = "ddim";
    give(&fixture, OPTION_ETA, 1.5);
    assert_refused(&fixture, "eta must be");
    give(&fixture, OPTION_ETA, (double)NAN);
    assert_refused(&fixture, "eta must be");
    process_finish(&fixture.process);
}

static void impossible_numbers_of_steps_are_refused(void **state)
{
    const struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;

    (void)state;
    set_up(&fixture, &config, "ddim");
    fixture.request.steps = 0;
    assert_refused(&fixture, "steps must be 1..1000");
    fixture.request.steps = 1001;
    assert_refused(&fixture, "steps must be 1..1000");
    fixture.request.steps = SIZE_MAX;
    assert_refused(&fixture, "steps must be 1..1000");
    fixture.process.schedule.config.steps_offset = 1;
    fixture.request.steps = 1000;
    assert_refused(&fixture, "steps_offset");
    process_finish(&fixture.process);
}

static void one_step_from_the_last_timestep_is_made_with_a_warning(void **state)
{
    const struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;
    struct plan *plan;

    (void)state;
    set_up(&fixture, &config, "ddim");
    fixture.request.steps = 1;
    plan = chain_plan(&fixture.request);
    assert_non_null(plan->warning);
    plan_destroy(plan);
    give(&fixture, OPTION_SPACING, SPACING_TRAILING);
    plan = chain_plan(&fixture.request);
    assert_null(plan->warning);
    plan_destroy(plan);
    process_finish(&fixture.process);
}

static void a_learned_variance_is_read_as_the_config_says_or_refused(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;
    struct plan *plan;

    (void)state;
    chain_config(&config, OPTION_VARIANCE_TYPE, VARIANCE_LEARNED_RANGE);
    set_up(&fixture, &config, "ddpm");
    assert_refused(&fixture, "variance_type must not be learned_range");
    fixture.request.output_dim = 4;
    plan = chain_plan(&fixture.request);
    plan_destroy(plan);
    give(&fixture, OPTION_VARIANCE_TYPE, VARIANCE_LEARNED);
    assert_refused(&fixture, "variance_type must be learned_range");
    give(&fixture, OPTION_VARIANCE_TYPE, VARIANCE_FIXED_SMALL);
    assert_refused(&fixture, "variance_type must be learned_range");
    chain_config(&fixture.process.config, OPTION_VARIANCE_TYPE, VARIANCE_FIXED_SMALL);
    assert_refused(&fixture, "scheduler_config.json");
    process_finish(&fixture.process);
}

static void ddim_runs_on_a_model_that_predicts_its_variance(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;

    (void)state;
    chain_config(&config, OPTION_VARIANCE_TYPE, VARIANCE_LEARNED);
    set_up(&fixture, &config, "ddim");
    fixture.request.output_dim = 4;
    plan_destroy(chain_plan(&fixture.request));
    process_finish(&fixture.process);
}

/* diffusers keeps the variance, and so its logarithm, from nothing: 1e-20. */
static void a_last_step_above_zero_adds_next_to_no_noise(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct fixture fixture;
    struct plan *plan;

    (void)state;
    chain_config(&config, OPTION_SPACING, SPACING_TRAILING);
    set_up(&fixture, &config, "ddpm");
    plan = chain_plan(&fixture.request);
    assert_true(plan->step[9].draws && plan->step[9].model_time == 99.0);
    assert_true(fabs(plan->step[9].coefficient[3] - 1e-10) < 1e-20);
    plan_destroy(plan);
    process_finish(&fixture.process);
    chain_config(&config, OPTION_VARIANCE_TYPE, VARIANCE_LEARNED_RANGE);
    set_up(&fixture, &config, "ddpm");
    fixture.request.output_dim = 4;
    plan = chain_plan(&fixture.request);
    assert_true(isfinite(plan->step[9].coefficient[3]));
    assert_true(isfinite(plan->step[9].coefficient[4]));
    plan_destroy(plan);
    process_finish(&fixture.process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sampler_is_found_by_its_name_and_runs_on_a_table),
        cmocka_unit_test(options_that_are_not_given_take_the_models_default),
        cmocka_unit_test(ddpm_goes_to_the_next_timestep_and_draws_until_zero),
        cmocka_unit_test(a_last_step_above_zero_adds_next_to_no_noise),
        cmocka_unit_test(ddim_targets_t_minus_a_stride_whatever_the_spacing),
        cmocka_unit_test(ddim_ends_at_one_or_at_the_first_timestep),
        cmocka_unit_test(unknown_samplers_and_options_of_others_are_refused),
        cmocka_unit_test(impossible_numbers_of_steps_are_refused),
        cmocka_unit_test(one_step_from_the_last_timestep_is_made_with_a_warning),
        cmocka_unit_test(a_learned_variance_is_read_as_the_config_says_or_refused),
        cmocka_unit_test(ddim_runs_on_a_model_that_predicts_its_variance),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
