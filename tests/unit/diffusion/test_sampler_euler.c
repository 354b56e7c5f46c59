/* Euler, Euler ancestral and Heun: what steps down noise levels in VE coordinates. */
#include "tests/support/test.h"

#include "core/diffusion/sigmas.h"
#include "tests/support/chain.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

static void answer_mixture(const struct row *row, const struct plan *plan, float *output)
{
    mixture_output(process_head(plan->process), row->level, -1, row->input, output);
}

static void chains_end_where_they_must_by_every_head(void **state)
{
    static const struct {
        struct known_run run;
        double end[4];
    } chains[] = {
        {{.sampler = "euler", .steps = 10}, {-.291841, -1.786108, -1.805351, -2.126640}},
        {{.sampler = "euler_ancestral", .steps = 10}, {-4.221834, -2.378656, -3.601618, -3.453573}},
        {{.sampler = "heun", .steps = 10}, {3.196168, 1.255240, -1.688395, -2.105723}},
    };
    static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_V, HEAD_SCORE};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        const struct process_config config = known_config(heads[i]);

        for (size_t k = 0; k < sizeof(chains) / sizeof(chains[0]); k++)
            known_ends(&chains[k].run, &config, chains[k].end, 1e-4);
    }
}

static void the_discrete_form_of_vp_is_such_a_table(void **state)
{
    static const double end[] = {3.196168, 1.255240, -1.688395, -2.105723};
    const struct known_run run = {.sampler = "heun", .steps = 10};
    const struct process_config config = known_config_vp();

    (void)state;
    known_ends(&run, &config, end, 2e-4);
}

static void they_sample_the_mixture(void **state)
{
    static const struct known_shares shares[] = {
        {.run = {.sampler = "euler", .steps = 10},
         .samples = 20000,
         .share = .18,
         .centre = {2.65, -2.87}},
        {.run = {.sampler = "euler_ancestral", .steps = 10},
         .samples = 20000,
         .share = .149,
         .centre = {2.67, -2.88}},
        {.run = {.sampler = "heun", .steps = 10},
         .samples = 20000,
         .share = .212,
         .centre = {3.16, -3.05}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
        known_shares(&shares[i]);
}

/* --- grids */

static void levels_are_those_of_the_spacing_and_the_model_hears_fractions(void **state)
{
    const struct known_run run = {.sampler = "euler", .steps = 6};
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);

    (void)state;
    assert_int_equal(plan->step_count, 6);
    assert_true(fabs(plan->start_scale - 157.40727) < 1e-4);
    assert_true(fabs(plan->step[1].model_time - 799.2) < 1e-9);
    assert_true(fabs(plan->step[1].from.sigma - 25.569986) < 1e-5);
    assert_true(plan->step[0].to.sigma == plan->step[1].from.sigma);
    assert_true(plan->step[5].to.sigma == 0.0);
    plan_destroy(plan);
    process_finish(&process);
}

static void a_leading_grid_starts_a_little_higher(void **state)
{
    const struct known_run run = {.sampler = "heun",
                                  .steps = 5,
                                  .options = {{OPTION_SPACING, SPACING_LEADING}},
                                  .option_count = 1};
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    const double sigma = plan->step[0].from.sigma;

    (void)state;
    assert_true(plan->step[0].model_time == 800.0);
    assert_true(plan->start_scale == sqrt(sigma * sigma + 1.0));
    plan_destroy(plan);
    process_finish(&process);
}

/* Every step but the last asks at both of its ends. */
static void heun_asks_twice_at_every_level_but_the_first(void **state)
{
    const struct known_run run = {.sampler = "heun", .steps = 3};
    const struct process_config config = known_config(HEAD_EPSILON);
    static const double times[] = {999.0, 499.5, 499.5, 0.0, 0.0};
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);

    (void)state;
    assert_int_equal(plan->step_count, 5);
    assert_int_equal(plan->evaluations, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(plan->step[i].model_time == times[i]);
        assert_int_equal(plan->step[i].is_inner, i == 0 || i == 2);
        assert_true(plan->step[i].to.sigma == (i == 4 ? 0.0 : plan->step[i | 1].from.sigma));
    }
    plan_destroy(plan);
    process_finish(&process);
}

/* Steps that are left out take both of their evaluations with them. */
static void from_a_picture_heun_begins_with_a_whole_step(void **state)
{
    const struct known_run run = {.sampler = "heun", .steps = 5, .strength = .6};
    const struct process_config config = known_config(HEAD_EPSILON);
    const float picture[] = {.5f, -2.0f};
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    struct chain chain;

    (void)state;
    assert_int_equal(plan->evaluations, 5);
    assert_int_equal(plan->first, 4);
    assert_true(plan->step[plan->first].model_time == 499.5);
    chain_init(&chain, 3);
    chain.row.given = picture;
    assert_int_equal(chain_run(&chain, plan, answer_mixture), ADVANCE_DONE);
    assert_int_equal(chain.row.evaluations, 5);
    plan_destroy(plan);
    process_finish(&process);
}

static void assert_range(const struct known_run *run, const struct process_config *config,
                         double first, double last)
{
    struct process process;
    struct plan *plan = known_plan(run, config, &process);

    assert_true(fabs(plan->step[0].from.sigma - first) < 1e-6 * first);
    assert_true(fabs(plan->step[plan->step_count - 1].from.sigma - last) < 1e-6 * last);
    plan_destroy(plan);
    process_finish(&process);
}

static void levels_in_a_row_of_their_own_take_another_range_if_told(void **state)
{
    struct known_run run = {.sampler = "euler",
                            .steps = 5,
                            .options = {{OPTION_USE_KARRAS_SIGMAS, 1.0}, {OPTION_SIGMA_MAX, 20.0}},
                            .option_count = 1};
    struct process_config config = known_config(HEAD_EPSILON);
    const double lowest = .0100013297;
    struct process process;
    struct plan *plan;

    (void)state;
    assert_range(&run, &config, 157.4072723, lowest);
    run.option_count = 2;
    assert_range(&run, &config, 20.0, lowest);
    chain_config(&config, OPTION_SIGMA_MIN, .5);
    assert_range(&run, &config, 20.0, .5);
    run.option_count = 0; /* the config's range is that of rows of their own only */
    assert_range(&run, &config, 157.4072723, lowest);
    plan = known_plan(&run, &config, &process);
    assert_false(plan->options.given[OPTION_SIGMA_MIN] || plan->options.given[OPTION_SIGMA_MAX]);
    plan_destroy(plan);
    process_finish(&process);
}

static void the_row_that_a_request_asks_for_replaces_the_configs(void **state)
{
    const struct known_run run = {.sampler = "euler",
                                  .steps = 3,
                                  .options = {{OPTION_USE_EXPONENTIAL_SIGMAS, 1.0}},
                                  .option_count = 1};
    struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan;

    (void)state;
    chain_config(&config, OPTION_USE_KARRAS_SIGMAS, 1.0);
    plan = known_plan(&run, &config, &process);
    assert_true(plan->options.value[OPTION_USE_KARRAS_SIGMAS] == 0.0);
    assert_true(fabs(plan->step[1].from.sigma -
                     sqrt(plan->step[0].from.sigma * plan->step[2].from.sigma)) < 1e-6);
    plan_destroy(plan);
    process_finish(&process);
}

static void the_last_level_may_be_the_tables_lowest(void **state)
{
    const struct known_run run = {.sampler = "euler",
                                  .steps = 4,
                                  .options = {{OPTION_FINAL_SIGMAS_TYPE, FINAL_SIGMA_MIN},
                                              {OPTION_SPACING, SPACING_TRAILING}},
                                  .option_count = 2};
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);

    (void)state;
    assert_true(plan->step[3].to.sigma == sigma_at(&process.schedule, 0.0));
    plan_destroy(plan);
    process_finish(&process);
}

static void a_table_that_ends_without_signal_starts_at_4096(void **state)
{
    static const char *const samplers[] = {"euler", "euler_ancestral", "heun"};
    struct process_config config = known_config(HEAD_V);

    (void)state;
    config.schedule.rescale_betas_zero_snr = true;
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        const struct known_run run = {.sampler = samplers[i], .steps = 10};
        struct process process;
        struct plan *plan = known_plan(&run, &config, &process);

        assert_true(fabs(plan->start_scale - 4096.0) < 1e-3);
        plan_destroy(plan);
        process_finish(&process);
    }
}

/* --- draws */

/* The generator of a sample that has ended is where x_T and `count` more draws have put it. */
static void assert_draws(const struct known_run *run, size_t count)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(run, &config, &process);
    struct chain chain;
    struct rng rng;
    float draw[2];

    chain_init(&chain, 9);
    assert_int_equal(chain_run(&chain, plan, answer_mixture), ADVANCE_DONE);
    rng_seed(&rng, 9);
    for (size_t i = 0; i < 1 + count; i++)
        rng_randn(&rng, draw, 2);
    assert_int_equal(rng_word(&chain.row.rng), rng_word(&rng));
    plan_destroy(plan);
    process_finish(&process);
}

static void noise_is_drawn_by_every_ancestral_step_and_where_euler_churns(void **state)
{
    struct known_run churn = {
        .sampler = "euler",
        .steps = 6,
        .options = {{OPTION_S_CHURN, 1.5}, {OPTION_S_TMIN, .05}, {OPTION_S_TMAX, 50.0}},
        .option_count = 3};
    const struct known_run heun = {.sampler = "heun", .steps = 6};
    const struct known_run ancestral = {.sampler = "euler_ancestral", .steps = 6};

    (void)state;
    assert_draws(&heun, 0);
    assert_draws(&ancestral, 6);
    assert_draws(&churn, 4); /* levels 157 26 6.2 2.0 .72 .01 */
    churn.option_count = 1;
    assert_draws(&churn, 6);
    churn.option_count = 0;
    assert_draws(&churn, 0);
}

/* --- churn: Karras et al. 2022, algorithm 2, one step */

static double x0_of(enum head head, double x, double output, double sigma, double hat)
{
    const double alpha = 1.0 / sqrt(1.0 + sigma * sigma);

    if (head == HEAD_SAMPLE)
        return output;
    if (head == HEAD_V) /* the raised x, at the old level */
        return alpha * alpha * x - sigma * alpha * output;
    return x - hat * (head == HEAD_SCORE ? -sigma * alpha * output : output);
}

static void churn_is_of_unscaled_noise_at_every_level_by_default(void **state)
{
    const struct known_run run = {.sampler = "euler", .steps = 4};
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);

    (void)state;
    assert_true(plan->options.value[OPTION_S_CHURN] == 0.0);
    assert_true(plan->options.value[OPTION_S_TMIN] == 0.0);
    assert_true(isnan(plan->options.value[OPTION_S_TMAX]));
    assert_true(plan->options.value[OPTION_S_NOISE] == 1.0);
    plan_destroy(plan);
    process_finish(&process);
}

static void check_churn(enum head head, double churn, double gamma)
{
    const struct known_run run = {.sampler = "euler",
                                  .steps = 4,
                                  .options = {{OPTION_S_CHURN, churn}, {OPTION_S_NOISE, 1.1}},
                                  .option_count = 2};
    const struct process_config config = known_config(head);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    const double sigma = plan->step[0].from.sigma, hat = sigma * (1.0 + gamma);
    const float output[] = {.3f, -.8f};
    float x_0[2], x[2], draw[4];
    struct chain chain;
    struct rng rng;

    chain_init(&chain, 4);
    plan->sampler->begin(&chain.row, plan);
    memcpy(x, chain.x, sizeof(x));
    rng_seed(&rng, 4);
    rng_randn(&rng, draw, 2);
    rng_randn(&rng, draw + 2, 2);
    plan_predicted_x0(plan, &chain.row, output, x_0);
    (void)plan->sampler->advance(&chain.row, plan, output);
    for (size_t i = 0; i < 2; i++) {
        const double raised =
            (double)x[i] + 1.1 * sqrt(hat * hat - sigma * sigma) * (double)draw[2 + i];
        const double clean = x0_of(head, raised, (double)output[i], sigma, hat);
        const double end = raised + (raised - clean) / hat * (plan->step[1].from.sigma - hat);

        assert_true(fabs((double)x_0[i] - clean) < 1e-6 * fmax(1.0, fabs(clean)));
        assert_true(fabs((double)chain.x[i] - end) < 1e-6 * fmax(1.0, fabs(end)));
    }
    plan_destroy(plan);
    process_finish(&process);
}

static void a_churning_step_starts_from_the_raised_level(void **state)
{
    static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_V, HEAD_SCORE};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        check_churn(heads[i], 1.0, .25);
        check_churn(heads[i], 100.0, sqrt(2.0) - 1.0);
    }
}

/* --- clipping */

static void heun_clips_if_the_config_says_so_others_do_not_know_how(void **state)
{
    static const char *const samplers[] = {"euler", "euler_ancestral", "heun"};
    struct process_config config = known_config(HEAD_SAMPLE);

    (void)state;
    config.schedule.clip_sample = GIVEN_TRUE;
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        const struct known_run run = {.sampler = samplers[i], .steps = 1};
        const bool clips = strcmp(samplers[i], "heun") == 0;
        struct process process;
        struct plan *plan = known_plan(&run, &config, &process);
        struct chain chain;

        chain_init(&chain, 4);
        plan->sampler->begin(&chain.row, plan);
        assert_int_equal(plan->sampler->advance(&chain.row, plan, (const float[]){2.5f, -.5f}),
                         ADVANCE_DONE);
        assert_true(fabs((double)chain.x[0] - (clips ? 1.0 : 2.5)) < 1e-6);
        assert_true(fabs((double)chain.x[1] + .5) < 1e-6);
        assert_non_null(plan->warning); /* one step from the last timestep */
        plan_destroy(plan);
        process_finish(&process);
    }
}

/* --- refusals */

static void options_that_exclude_each_other_are_refused(void **state)
{
    static const struct {
        struct known_run run;
        const char *text;
    } rows[] = {
        {{.sampler = "euler",
          .steps = 5,
          .options = {{OPTION_USE_KARRAS_SIGMAS, 1.0}, {OPTION_USE_EXPONENTIAL_SIGMAS, 1.0}},
          .option_count = 2},
         "use_karras_sigmas and use_exponential_sigmas cannot both be true"},
        {{.sampler = "euler", .steps = 5, .options = {{OPTION_SIGMA_MAX, 5.0}}, .option_count = 1},
         "sigma_max has no meaning without use_karras_sigmas or use_exponential_sigmas"},
        {{.sampler = "euler",
          .steps = 5,
          .options = {{OPTION_USE_KARRAS_SIGMAS, 1.0},
                      {OPTION_SIGMA_MIN, 5.0},
                      {OPTION_SIGMA_MAX, 5.0}},
          .option_count = 3},
         "sigma_min 5 is not below sigma_max 5"},
        {{.sampler = "euler",
          .steps = 5,
          .options = {{OPTION_USE_EXPONENTIAL_SIGMAS, 1.0}, {OPTION_SIGMA_MIN, 200.0}},
          .option_count = 2},
         "sigma_min 200 is not below sigma_max 157.407"},
        {{.sampler = "heun", .steps = 1001},
         "steps must be 1..1000, the timesteps that the model was trained with, got 1001"},
    };
    const struct process_config config = known_config(HEAD_EPSILON);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        known_refusal(&rows[i].run, &config, rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_end_where_they_must_by_every_head),
        cmocka_unit_test(the_discrete_form_of_vp_is_such_a_table),
        cmocka_unit_test(they_sample_the_mixture),
        cmocka_unit_test(levels_are_those_of_the_spacing_and_the_model_hears_fractions),
        cmocka_unit_test(a_leading_grid_starts_a_little_higher),
        cmocka_unit_test(heun_asks_twice_at_every_level_but_the_first),
        cmocka_unit_test(from_a_picture_heun_begins_with_a_whole_step),
        cmocka_unit_test(levels_in_a_row_of_their_own_take_another_range_if_told),
        cmocka_unit_test(the_row_that_a_request_asks_for_replaces_the_configs),
        cmocka_unit_test(the_last_level_may_be_the_tables_lowest),
        cmocka_unit_test(a_table_that_ends_without_signal_starts_at_4096),
        cmocka_unit_test(noise_is_drawn_by_every_ancestral_step_and_where_euler_churns),
        cmocka_unit_test(churn_is_of_unscaled_noise_at_every_level_by_default),
        cmocka_unit_test(a_churning_step_starts_from_the_raised_level),
        cmocka_unit_test(heun_clips_if_the_config_says_so_others_do_not_know_how),
        cmocka_unit_test(options_that_exclude_each_other_are_refused),
    };
    return cmocka_run_group_tests_name("euler", tests, NULL, NULL);
}
