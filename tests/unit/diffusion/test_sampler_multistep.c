/* DPM-Solver++ and UniPC: what combines the x_0 of several steps. */
#include "tests/support/test.h"

#include "core/diffusion/multistep.h"
#include "tests/support/chain.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

static void chains_end_where_they_must_by_every_head(void **state)
{
    static const struct {
        struct known_run run;
        double end[4];
    } chains[] = {
        {{.sampler = "dpmpp_2m", .steps = 10}, {2.767019, 1.030146, -1.810216, -2.183669}},
        {{.sampler = "dpmpp_2m",
          .steps = 10,
          .options = {{OPTION_SOLVER_TYPE, SOLVER_HEUN}},
          .option_count = 1},
         {2.884012, 1.121660, -1.809866, -2.188798}},
        {{.sampler = "dpmpp_2m",
          .steps = 20,
          .options = {{OPTION_FINAL_SIGMAS_TYPE, FINAL_SIGMA_MIN}},
          .option_count = 1},
         {2.827774, .799912, -1.583782, -2.019801}},
        {{.sampler = "dpmpp_2m_sde", .steps = 10}, {-4.706958, -2.710348, -3.992378, -3.598191}},
        {{.sampler = "unipc", .steps = 10}, {2.948402, 1.183881, -1.792483, -2.171881}},
    };
    static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_V, HEAD_SCORE};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        const struct process_config config = known_config(heads[i]);

        for (size_t k = 0; k < sizeof(chains) / sizeof(chains[0]); k++)
            known_ends(&chains[k].run, &config, chains[k].end, 1e-4);
    }
}

/* Karras' levels are near whole timesteps, not at them: the network answers for the timestep, and
 * only of epsilon nothing else is told. */
static void karras_chain_ends_where_it_must(void **state)
{
    static const struct known_run run = {.sampler = "dpmpp_2m",
                                         .steps = 10,
                                         .options = {{OPTION_USE_KARRAS_SIGMAS, 1.0}},
                                         .option_count = 1};
    static const double end[] = {2.648880, .578114, -1.926702, -2.371946};
    const struct process_config config = known_config(HEAD_EPSILON);

    (void)state;
    known_ends(&run, &config, end, 3e-4);
}

static void they_sample_the_mixture(void **state)
{
    static const struct known_shares shares[] = {
        {.run = {.sampler = "dpmpp_2m", .steps = 10},
         .samples = 4000,
         .share = .2,
         .centre = {3.01, -2.99},
         .deviation = {.97, .95}},
        {.run = {.sampler = "unipc", .steps = 10},
         .samples = 4000,
         .share = .204,
         .centre = {3.01, -2.99},
         .deviation = {.96, .96}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
        known_shares(&shares[i]);
}

/* --- levels and timesteps */

static void assert_times(const struct known_run *run, const struct process_config *config,
                         const double *times)
{
    struct process process;
    struct plan *plan = known_plan(run, config, &process);

    assert_int_equal(plan->evaluations, 10);
    assert_true(plan->start_scale == 1.0);
    for (size_t i = 0; i < 10; i++)
        if (plan->step[i].model_time != times[i])
            fail_msg("step %zu is at %g instead of %g", i, plan->step[i].model_time, times[i]);
    plan_destroy(plan);
    process_finish(&process);
}

static void timesteps_are_whole_and_those_of_the_spacing(void **state)
{
    static const double linspace[] = {999, 899, 799, 699, 599, 500, 400, 300, 200, 100};
    static const double leading[] = {900, 810, 720, 630, 540, 450, 360, 270, 180, 90};
    static const double karras[] = {999, 937, 864, 775, 663, 511, 301, 102, 18, 0};
    static const char *const samplers[] = {"dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde", "unipc"};
    const struct process_config config = known_config(HEAD_EPSILON);

    (void)state;
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        struct known_run run = {.sampler = samplers[i], .steps = 10};

        assert_times(&run, &config, linspace);
        run.option_count = 1;
        run.options[0] = (struct known_option){OPTION_SPACING, SPACING_LEADING};
        assert_times(&run, &config, leading);
        run.options[0] = (struct known_option){OPTION_USE_KARRAS_SIGMAS, 1.0};
        assert_times(&run, &config, karras);
    }
}

/* --- the order of each step */

/* By how many earlier predictions it looks at: those whose coefficient is not 0. */
static size_t order_of(const struct plan_step *step)
{
    return step->coefficient[3] != 0.0 ? 3 : step->coefficient[2] != 0.0 ? 2 : 1;
}

static void assert_orders(const struct known_run *run, const char *orders)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(run, &config, &process);

    assert_int_equal(plan->step_count, strlen(orders));
    for (size_t i = 0; i < plan->step_count; i++)
        if (order_of(&plan->step[i]) != (size_t)(orders[i] - '0'))
            fail_msg("step %zu of %s is of order %zu", i, orders, order_of(&plan->step[i]));
    plan_destroy(plan);
    process_finish(&process);
}

static void dpm_solver_is_of_lower_order_at_both_ends(void **state)
{
    const struct known_option sigma_min = {OPTION_FINAL_SIGMAS_TYPE, FINAL_SIGMA_MIN};
    const struct known_option never = {OPTION_LOWER_ORDER_FINAL, 0.0};
    struct known_run run = {.sampler = "dpmpp_3m", .steps = 6};

    (void)state;
    assert_orders(&run, "123321");
    run.options[run.option_count++] = never;
    assert_orders(&run, "123331"); /* to level 0 */
    run.options[run.option_count++] = sigma_min;
    assert_orders(&run, "123333");
    run.options[run.option_count++] = (struct known_option){OPTION_EULER_AT_FINAL, 1.0};
    assert_orders(&run, "123331");
    run = (struct known_run){.sampler = "dpmpp_2m", .steps = 4};
    assert_orders(&run, "1221");
    run = (struct known_run){.sampler = "dpmpp_2m",
                             .steps = 16,
                             .options = {{OPTION_FINAL_SIGMAS_TYPE, FINAL_SIGMA_MIN}},
                             .option_count = 1};
    assert_orders(&run, "1222222222222222");
    run.steps = 14;
    assert_orders(&run, "12222222222221");
    run = (struct known_run){.sampler = "dpmpp_2m_sde",
                             .steps = 4,
                             .options = {{OPTION_SOLVER_ORDER, 1.0}},
                             .option_count = 1};
    assert_orders(&run, "1111");
}

static double order_by_default(const char *sampler, double config_order)
{
    const struct known_run run = {.sampler = sampler, .steps = 4};
    struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan;
    double order;

    if (config_order > 0.0)
        chain_config(&config, OPTION_SOLVER_ORDER, config_order);
    plan = known_plan(&run, &config, &process);
    order = plan->options.value[OPTION_SOLVER_ORDER];
    plan_destroy(plan);
    process_finish(&process);
    return order;
}

static void the_configs_order_is_that_of_samplers_without_one_in_their_name(void **state)
{
    (void)state;
    assert_true(order_by_default("dpmpp_2m", 0.0) == 2.0);
    assert_true(order_by_default("dpmpp_2m", 1.0) == 1.0);
    assert_true(order_by_default("dpmpp_2m", 3.0) == 2.0);
    assert_true(order_by_default("dpmpp_3m", 0.0) == 3.0);
    assert_true(order_by_default("dpmpp_3m", 2.0) == 3.0);
    assert_true(order_by_default("dpmpp_2m_sde", 3.0) == 3.0);
    assert_true(order_by_default("unipc", 3.0) == 3.0);
    assert_true(order_by_default("unipc", 0.0) == 2.0);
}

/* --- what is exact: constant x_0 is integrated without error, whatever the order */

static void answer_constant(const struct row *row, const struct plan *plan, float *output)
{
    (void)row;
    for (size_t i = 0; i < plan->dim; i++)
        output[i] = .75f;
}

/* x = alpha x_0 + sigma e with one e all the way, and x_0 at level 0. */
static void a_constant_prediction_is_the_sample_and_the_noise_is_kept(void **state)
{
    static const char *const samplers[] = {"dpmpp_2m", "dpmpp_3m", "unipc"};
    const struct process_config config = known_config(HEAD_SAMPLE);

    (void)state;
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        const struct known_run run = {.sampler = samplers[i],
                                      .steps = 7,
                                      .options = {{OPTION_SOLVER_ORDER, 3.0}},
                                      .option_count = 1};
        struct process process;
        struct plan *plan = known_plan(&run, &config, &process);
        struct chain chain;
        double noise;

        chain_init(&chain, 2);
        plan->sampler->begin(&chain.row, plan);
        noise = ((double)chain.x[0] - .75 * plan->step[0].from.alpha) / plan->step[0].from.sigma;
        for (size_t k = 0; k < 7; k++) {
            const struct level to = plan->step[k].to;

            answer_constant(&chain.row, plan, chain.output);
            assert_int_equal(plan->sampler->advance(&chain.row, plan, chain.output),
                             k == 6 ? ADVANCE_DONE : ADVANCE_EVALUATE);
            assert_true(fabs((double)chain.x[0] - .75 * to.alpha - noise * to.sigma) < 1e-6);
        }
        plan_destroy(plan);
        process_finish(&process);
    }
}

/* With more than one step to each timestep, as linspace rounds 1000 of 1000, lambda stands still.
 */
static void steps_that_stay_at_their_level_leave_x_where_it_is(void **state)
{
    static const char *const samplers[] = {"dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde", "unipc"};
    const struct process_config config = known_config(HEAD_EPSILON);

    (void)state;
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        const struct known_run run = {.sampler = samplers[i],
                                      .steps = 1000,
                                      .options = {{OPTION_SOLVER_ORDER, 3.0}},
                                      .option_count = 1};
        struct process process;
        struct plan *plan = known_plan(&run, &config, &process);
        size_t still = 0;

        for (size_t k = 0; k < plan->step_count; k++) {
            const bool stays = plan->step[k].from.sigma == plan->step[k].to.sigma;

            still += stays;
            for (size_t c = 0; c < PLAN_COEFFICIENTS; c++)
                assert_true(isfinite(plan->step[k].coefficient[c]) &&
                            fabs(plan->step[k].coefficient[c]) < 1e4);
        }
        assert_true(still > 0);
        plan_destroy(plan);
        process_finish(&process);
    }
}

/* Where rounding may turn the last step around, which must not be the root of a negative number. */
static void check_last_step_stays(const char *sampler, enum sampler_option row, size_t steps)
{
    const struct process_config config = known_config(HEAD_SAMPLE);
    const struct known_run run = {.sampler = sampler,
                                  .steps = steps,
                                  .options = {{row, 1.0},
                                              {OPTION_FINAL_SIGMAS_TYPE, FINAL_SIGMA_MIN},
                                              {OPTION_LOWER_ORDER_FINAL, 0.0}},
                                  .option_count = 3};
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    struct chain chain;
    float before = 0.0f;

    chain_init(&chain, 2);
    plan->sampler->begin(&chain.row, plan);
    for (size_t k = 0; k < steps; k++) {
        before = chain.x[0];
        chain.output[0] = chain.output[1] = (float)k;
        (void)plan->sampler->advance(&chain.row, plan, chain.output);
    }
    if (strcmp(sampler, "unipc") != 0) /* which corrects once more */
        assert_true(fabsf(chain.x[0] - before) < 1e-6f);
    assert_true(isfinite(chain.x[0]));
    plan_destroy(plan);
    process_finish(&process);
}

static void the_last_step_of_a_row_of_its_own_may_stay_where_the_table_ends(void **state)
{
    static const char *const samplers[] = {"dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde", "unipc"};

    (void)state;
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++)
        for (size_t steps = 4; steps <= 14; steps++) {
            check_last_step_stays(samplers[i], OPTION_USE_KARRAS_SIGMAS, steps);
            check_last_step_stays(samplers[i], OPTION_USE_EXPONENTIAL_SIGMAS, steps);
        }
}

static void phi_keeps_its_digits_near_zero_and_far_from_it(void **state)
{
    static const struct {
        unsigned k;
        double h, value;
    } known[] = {
        {1, 0.0, 1.0},
        {2, 0.0, .5},
        {3, -1e-9, 1.0 / 6.0},
        {4, -1e-9, 1.0 / 24.0},
        {1, -2.0, .43233235838169365},
        {2, -2.0, .28383382080915318},
        {3, -2.0, .10808308959542341},
        {4, -2.0, .029291788535621619},
        {4, -.5, .03782388873546811},
        {1, -(double)INFINITY, 0.0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!(fabs(multistep_phi(known[i].k, known[i].h) - known[i].value) < 1e-10))
            fail_msg("phi_%u(%g) is %.12f", known[i].k, known[i].h,
                     multistep_phi(known[i].k, known[i].h));
}

/* --- draws */

static void answer_mixture(const struct row *row, const struct plan *plan, float *output)
{
    mixture_output(process_head(plan->process), row->level, -1, row->input, output);
}

static void only_the_stochastic_solver_draws_and_at_every_step(void **state)
{
    static const struct {
        const char *sampler;
        size_t draws;
    } rows[] = {{"dpmpp_2m", 0}, {"dpmpp_3m", 0}, {"dpmpp_2m_sde", 6}, {"unipc", 0}};
    const struct process_config config = known_config(HEAD_EPSILON);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct known_run run = {.sampler = rows[i].sampler, .steps = 6};
        struct process process;
        struct plan *plan = known_plan(&run, &config, &process);
        struct chain chain;
        struct rng rng;
        float draw[2];

        chain_init(&chain, 9);
        assert_int_equal(chain_run(&chain, plan, answer_mixture), ADVANCE_DONE);
        rng_seed(&rng, 9);
        for (size_t k = 0; k < 1 + rows[i].draws; k++)
            rng_randn(&rng, draw, 2);
        assert_int_equal(rng_word(&chain.row.rng), rng_word(&rng));
        for (size_t k = 0; k < 6; k++)
            assert_int_equal(plan->step[k].draws, rows[i].draws > 0);
        assert_true(rows[i].draws == 0 || plan->step[5].coefficient[4] == 0.0);
        plan_destroy(plan);
        process_finish(&process);
    }
}

/* --- clipping */

static void they_know_thresholding_and_no_other_clipping(void **state)
{
    static const char *const samplers[] = {"dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde", "unipc"};
    struct process_config config = known_config(HEAD_SAMPLE);

    (void)state;
    config.schedule.clip_sample = GIVEN_TRUE;
    for (size_t i = 0; i < 2 * sizeof(samplers) / sizeof(samplers[0]); i++) {
        const struct known_run run = {.sampler = samplers[i / 2], .steps = 1};
        struct process process;
        struct plan *plan;
        struct chain chain;

        config.schedule.thresholding = i % 2 == 1;
        plan = known_plan(&run, &config, &process);
        chain_init(&chain, 4);
        plan->sampler->begin(&chain.row, plan);
        assert_int_equal(plan->sampler->advance(&chain.row, plan, (const float[]){2.5f, -.5f}),
                         ADVANCE_DONE);
        assert_true(fabs((double)chain.x[0] - (i % 2 == 1 ? 1.0 : 2.5)) < 1e-6);
        assert_true(fabs((double)chain.x[1] + .5) < 1e-6);
        plan_destroy(plan);
        process_finish(&process);
    }
}

static void a_table_that_ends_without_signal_starts_at_level_4096(void **state)
{
    static const char *const samplers[] = {"dpmpp_2m", "dpmpp_2m_sde", "unipc"};
    struct process_config config = known_config(HEAD_V);

    (void)state;
    config.schedule.rescale_betas_zero_snr = true;
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        const struct known_run run = {.sampler = samplers[i], .steps = 10};
        struct process process;
        struct plan *plan = known_plan(&run, &config, &process);

        assert_true(fabs(plan->step[0].from.sigma / plan->step[0].from.alpha - 4096.0) < 1e-3);
        plan_destroy(plan);
        process_finish(&process);
    }
}

/* --- a picture: its first step has no history */

static void rows_that_begin_late_have_no_history_there(void **state)
{
    static const char *const samplers[] = {"dpmpp_2m", "dpmpp_3m", "unipc"};
    const struct option_values options = {.given = {false}};
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct error error;

    (void)state;
    assert_true(process_init(&process, &config, &error));
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        const struct plan_request request = {.process = &process,
                                             .sampler = samplers[i],
                                             .steps = 10,
                                             .steps_asked = true,
                                             .has_picture = true,
                                             .strength = .5,
                                             .options = &options,
                                             .dim = 2,
                                             .output_dim = 2};
        struct plan *plan = chain_plan(&request);
        const bool corrects = strcmp(samplers[i], "unipc") == 0;

        assert_int_equal(plan->first, 5);
        if (corrects) {
            assert_true(plan->step[5].coefficient[0] == 1.0); /* x is kept */
            for (size_t c = 1; c < 6; c++)
                assert_true(plan->step[5].coefficient[c] == 0.0);
            assert_true(plan->step[5].coefficient[8] == 0.0);
            assert_true(plan->step[6].coefficient[0] == 0.0);
            assert_true(plan->step[6].coefficient[8] != 0.0);
        } else {
            assert_int_equal(order_of(&plan->step[5]), 1);
            assert_int_equal(order_of(&plan->step[6]), 2);
        }
        plan_destroy(plan);
    }
    process_finish(&process);
}

/* --- refusals */

static void what_cannot_be_meant_is_refused(void **state)
{
    static const struct {
        struct known_run run;
        const char *text;
    } rows[] = {
        {{.sampler = "dpmpp_2m",
          .steps = 5,
          .options = {{OPTION_USE_KARRAS_SIGMAS, 1.0}, {OPTION_USE_EXPONENTIAL_SIGMAS, 1.0}},
          .option_count = 2},
         "use_karras_sigmas and use_exponential_sigmas cannot both be true"},
        {{.sampler = "unipc", .steps = 5, .options = {{OPTION_SIGMA_MIN, 5.0}}, .option_count = 1},
         "sigma_min has no meaning without use_karras_sigmas or use_exponential_sigmas"},
        {{.sampler = "unipc",
          .steps = 5,
          .options = {{OPTION_LOWER_ORDER_FINAL, 0.0}},
          .option_count = 1},
         "lower_order_final false needs final_sigmas_type sigma_min: a step to level zero is of "
         "first order"},
        {{.sampler = "dpmpp_3m",
          .steps = 5,
          .options = {{OPTION_SOLVER_ORDER, 4.0}},
          .option_count = 1},
         "solver_order must be 1..3, got 4"},
        {{.sampler = "dpmpp_2m",
          .steps = 5,
          .options = {{OPTION_SIGMA_MAX, 4.0}},
          .option_count = 1},
         "sigma_max is not an option of sampler dpmpp_2m"},
        {{.sampler = "unipc", .steps = 1001},
         "steps must be 1..1000, the timesteps that the model was trained with, got 1001"},
    };
    const struct process_config config = known_config(HEAD_EPSILON);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        known_refusal(&rows[i].run, &config, rows[i].text);
}

static struct plan *plan_without_corrector(const struct process *process, const int *list,
                                           size_t count, struct error *error)
{
    struct option_values options = {.given = {false}};
    const struct plan_request request = {.process = process,
                                         .sampler = "unipc",
                                         .steps = 6,
                                         .steps_asked = true,
                                         .options = &options,
                                         .dim = 2,
                                         .output_dim = 2};

    options.given[OPTION_DISABLE_CORRECTOR] = true;
    options.value[OPTION_DISABLE_CORRECTOR] = (double)count;
    options.list[OPTION_DISABLE_CORRECTOR] = list;
    return plan_create(&request, error);
}

static void unipc_does_not_correct_after_the_steps_of_the_list(void **state)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct error error;
    struct plan *plan;

    (void)state;
    assert_true(process_init(&process, &config, &error));
    plan = plan_without_corrector(&process, (const int[]){0, 3}, 2, &error);
    assert_non_null(plan);
    for (size_t i = 0; i < 6; i++)
        assert_true(plan->step[i].coefficient[0] == (i == 0 || i == 1 || i == 4 ? 1.0 : 0.0));
    plan_destroy(plan);
    assert_null(plan_without_corrector(&process, (const int[]){6}, 1, &error));
    assert_string_equal(error.text, "disable_corrector must be steps 0..5, got 6");
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_end_where_they_must_by_every_head),
        cmocka_unit_test(karras_chain_ends_where_it_must),
        cmocka_unit_test(they_sample_the_mixture),
        cmocka_unit_test(timesteps_are_whole_and_those_of_the_spacing),
        cmocka_unit_test(dpm_solver_is_of_lower_order_at_both_ends),
        cmocka_unit_test(the_configs_order_is_that_of_samplers_without_one_in_their_name),
        cmocka_unit_test(a_constant_prediction_is_the_sample_and_the_noise_is_kept),
        cmocka_unit_test(steps_that_stay_at_their_level_leave_x_where_it_is),
        cmocka_unit_test(the_last_step_of_a_row_of_its_own_may_stay_where_the_table_ends),
        cmocka_unit_test(phi_keeps_its_digits_near_zero_and_far_from_it),
        cmocka_unit_test(only_the_stochastic_solver_draws_and_at_every_step),
        cmocka_unit_test(they_know_thresholding_and_no_other_clipping),
        cmocka_unit_test(a_table_that_ends_without_signal_starts_at_level_4096),
        cmocka_unit_test(rows_that_begin_late_have_no_history_there),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(unipc_does_not_correct_after_the_steps_of_the_list),
    };
    return cmocka_run_group_tests_name("multistep", tests, NULL, NULL);
}
