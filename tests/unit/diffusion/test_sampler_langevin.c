/* Langevin dynamics: at one level, without noise, and annealed. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/chain.h"
#include "tests/support/known.h"

#include <math.h>
#include <string.h>

/* At sigma 0 the model answers its score, whatever it was trained to say. */
static void a_langevin_chain_ends_where_it_must(void **state)
{
    static const double end[] = {.945888, 4.111429, 3.575338, -.327826};
    static const struct known_run run = {.sampler = "langevin", .steps = 10, .is_exact = true};
    static const struct {
        enum process_type type;
        enum head head;
    } cases[] = {
        {PROCESS_TABLE, HEAD_EPSILON}, {PROCESS_TABLE, HEAD_SAMPLE},  {PROCESS_TABLE, HEAD_V},
        {PROCESS_VE, HEAD_SCORE},      {PROCESS_FLOW, HEAD_VELOCITY}, {PROCESS_OU, HEAD_V},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct process_config config = known_config_of(cases[i].type, cases[i].head);

        known_ends(&run, &config, end, 1e-4);
    }
}

/* The same density through every process and head. */
static void at_a_noise_level_every_process_and_head_gives_the_same(void **state)
{
    static const struct {
        enum process_type type;
        enum head head;
    } cases[] = {
        {PROCESS_TABLE, HEAD_EPSILON},     {PROCESS_TABLE, HEAD_SAMPLE},
        {PROCESS_TABLE, HEAD_V},           {PROCESS_TABLE, HEAD_SCORE},
        {PROCESS_VP, HEAD_EPSILON},        {PROCESS_SUB_VP, HEAD_SAMPLE},
        {PROCESS_VE, HEAD_SCORE},          {PROCESS_OU, HEAD_V},
        {PROCESS_OU_FINITE, HEAD_EPSILON}, {PROCESS_FLOW, HEAD_VELOCITY},
        {PROCESS_FLOW, HEAD_SAMPLE},
    };
    static const struct known_run run = {
        .sampler = "langevin", .steps = 20, .options = {{OPTION_SIGMA, .8}}, .option_count = 1};
    double end[4];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct process_config config = known_config_of(cases[i].type, cases[i].head);
        struct process process;
        struct plan *plan = known_plan(&run, &config, &process);

        for (size_t seed = 0; i == 0 && seed < 2; seed++) {
            struct chain chain;

            chain_init(&chain, (uint32_t)seed);
            assert_int_equal(chain_run(&chain, plan, known_answer), ADVANCE_DONE);
            end[2 * seed] = (double)chain.x[0];
            end[2 * seed + 1] = (double)chain.x[1];
        }
        plan_destroy(plan);
        process_finish(&process);
        known_ends(&run, &config, end, 1e-3);
    }
}

/* On N(0, I), whose score is -x, the stationary variance is 1 / (1 - al/4). */
static void answer_normal(const struct row *row, const struct plan *plan, float *output)
{
    assert_true(row->wants_score);
    for (size_t i = 0; i < plan->dim; i++)
        output[i] = -row->input[i];
}

static void the_stationary_variance_is_that_of_the_step_size(void **state)
{
    static const struct known_run run = {.sampler = "langevin",
                                         .steps = 40,
                                         .options = {{OPTION_STEP_SIZE, 1.0}},
                                         .option_count = 1,
                                         .is_exact = true};
    const struct process_config config = known_config_of(PROCESS_VE, HEAD_SCORE);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    const double samples = 8000.0;
    double square = 0.0;

    (void)state;
    for (uint32_t seed = 0; seed < 8000; seed++) {
        struct chain chain;

        chain_init(&chain, seed);
        assert_int_equal(chain_run(&chain, plan, answer_normal), ADVANCE_DONE);
        square += (double)chain.x[0] * (double)chain.x[0] + (double)chain.x[1] * (double)chain.x[1];
    }
    assert_true(fabs(square / (2.0 * samples) - 4.0 / 3.0) < .045);
    plan_destroy(plan);
    process_finish(&process);
}

static void greedy_rows_climb_to_the_modes_and_draw_nothing(void **state)
{
    static const struct known_run run = {.sampler = "greedy", .steps = 2000, .is_exact = true};
    const struct process_config config = known_config_of(PROCESS_VE, HEAD_SCORE);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);

    (void)state;
    for (uint32_t seed = 0; seed < 40; seed++) {
        struct chain chain;
        struct rng rng;
        float start[2];
        double side;

        chain_init(&chain, seed);
        assert_int_equal(chain_run(&chain, plan, known_answer), ADVANCE_DONE);
        rng_seed(&rng, seed);
        rng_rand(&rng, start, 2);
        assert_int_equal(rng_word(&chain.row.rng), rng_word(&rng));
        side = chain.x[0] + chain.x[1] > 0.0f ? 3.0 : -3.0;
        assert_true(fabs((double)chain.x[0] - side) < 1e-3);
        assert_true(fabs((double)chain.x[1] - side) < 1e-3);
    }
    plan_destroy(plan);
    process_finish(&process);
}

static void a_row_begins_uniform_within_the_range(void **state)
{
    const struct known_run run = {.sampler = "langevin",
                                  .steps = 3,
                                  .options = {{OPTION_START_RANGE, 2.0}, {OPTION_SIGMA, 1.0}},
                                  .option_count = 2};
    const struct process_config config = known_config_of(PROCESS_VE, HEAD_SCORE);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    struct chain chain;

    (void)state;
    chain_init(&chain, 0);
    plan->sampler->begin(&chain.row, plan);
    assert_true(fabs((double)chain.x[0] - (4.0 * .49625659 - 2.0)) < 1e-6);
    assert_true(fabs((double)chain.x[1] - (4.0 * .76822180 - 2.0)) < 1e-6);
    assert_false(chain.row.wants_score);
    plan_destroy(plan);
    process_finish(&process);
}

/* --- annealed */

#define NCSN                                                                                       \
    {OPTION_SIGMA_MAX, 10.0}, {OPTION_SIGMA_MIN, .001}, {OPTION_EPSILON, 1e-6},                    \
    {                                                                                              \
        OPTION_START_RANGE, 1.0                                                                    \
    }

static void annealed_rows_sample_the_mixture(void **state)
{
    static const struct known_shares shares = {.run = {.sampler = "annealed_langevin",
                                                       .steps = 20,
                                                       .options = {NCSN},
                                                       .option_count = 4,
                                                       .is_exact = true},
                                               .process = PROCESS_VE,
                                               .samples = 1000,
                                               .share = .216,
                                               .centre = {3.0, -3.0},
                                               .deviation = {1.01, 1.01}};

    (void)state;
    known_shares(&shares);
}

static void levels_are_geometric_and_each_is_stepped_at_as_often_as_told(void **state)
{
    const struct known_run run = {.sampler = "annealed_langevin",
                                  .steps = 10,
                                  .options = {{OPTION_SIGMA_MAX, 10.0},
                                              {OPTION_SIGMA_MIN, .001},
                                              {OPTION_STEPS_PER_LEVEL, 7.0}},
                                  .option_count = 3,
                                  .is_exact = true};
    const struct process_config config = known_config_of(PROCESS_VE, HEAD_SCORE);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    struct chain chain;

    (void)state;
    assert_int_equal(plan->step_count, 10);
    assert_int_equal(plan->evaluations, 70);
    assert_int_equal(plan_whole_steps(plan), 70);
    assert_true(fabs(plan->step[1].from.sigma - 3.593813664) < 1e-8);
    assert_true(fabs(plan->step[8].from.sigma - .002782559402) < 1e-10);
    assert_true(plan->options.value[OPTION_EPSILON] == .1 * .001 * .001);
    for (size_t i = 0; i < 10; i++) { /* al = .1 s^2 */
        const double sigma = plan->step[i].from.sigma;

        assert_true(fabs(plan->step[i].coefficient[2] - .05 * sigma * sigma) <
                    1e-9 * sigma * sigma);
        assert_true(fabs(plan->step[i].coefficient[3] - sqrt(.1) * sigma) < 1e-9 * sigma);
    }
    chain_init(&chain, 3);
    assert_int_equal(chain_run(&chain, plan, known_answer), ADVANCE_DONE);
    assert_int_equal(chain.row.evaluations, 70);
    plan_destroy(plan);
    process_finish(&process);
}

static void a_model_with_levels_is_run_at_these(void **state)
{
    double levels[] = {8.0, 3.0, .5};
    const struct known_run run = {.sampler = "annealed_langevin", .steps = 3};
    const struct known_run more = {.sampler = "annealed_langevin", .steps = 4};
    const struct known_run range = {.sampler = "annealed_langevin",
                                    .steps = 3,
                                    .options = {{OPTION_SIGMA_MAX, 2.0}},
                                    .option_count = 1};
    struct process_config config = known_config_of(PROCESS_VE, HEAD_SCORE);
    struct option_values options = {.given = {false}};
    struct process process;
    struct plan_request request = {.process = &process,
                                   .sampler = "annealed_langevin",
                                   .steps = 1000,
                                   .options = &options,
                                   .dim = 2,
                                   .output_dim = 2};
    struct plan *plan;

    (void)state;
    config.levels = levels;
    config.level_count = 3;
    config.model_time = MODEL_TIME_INDEX;
    plan = known_plan(&run, &config, &process);
    for (size_t i = 0; i < 3; i++) {
        assert_true(plan->step[i].from.sigma == levels[i]);
        assert_true(fabs(plan->step[i].model_time - (double)i) < 1e-9);
    }
    plan_destroy(plan);
    plan = chain_plan(&request); /* whose steps are the model's default */
    assert_int_equal(plan->steps, 3);
    plan_destroy(plan);
    process_finish(&process);
    known_refusal(&more, &config, "steps must be 3, the model's levels, got 4");
    known_refusal(&range, &config,
                  "sigma_min and sigma_max have no meaning: this model has levels");
}

static void what_cannot_run_is_refused(void **state)
{
    static const struct {
        enum process_type type;
        struct known_run run;
        const char *text;
    } rows[] = {
        {PROCESS_VE,
         {.sampler = "langevin", .steps = 5, .options = {{OPTION_SIGMA, 0.0}}, .option_count = 1},
         "langevin would ask the model at sigma 0, outside the range of its noise"},
        {PROCESS_VE,
         {.sampler = "greedy", .steps = 5, .options = {{OPTION_SIGMA, 51.0}}, .option_count = 1},
         "greedy would ask the model at sigma 51, outside the range of its noise"},
        {PROCESS_VE,
         {.sampler = "annealed_langevin", .steps = 1},
         "annealed_langevin needs at least 2 steps: each is a noise level"},
        {PROCESS_FLOW,
         {.sampler = "annealed_langevin", .steps = 5},
         "sigma_max must be given: a flow has no largest noise level"},
        {PROCESS_VE,
         {.sampler = "annealed_langevin",
          .steps = 5,
          .options = {{OPTION_SIGMA_MIN, 2.0}, {OPTION_SIGMA_MAX, 1.0}},
          .option_count = 2},
         "sigma_min 2 is not below sigma_max 1"},
        {PROCESS_VE,
         {.sampler = "langevin", .steps = 5, .strength = .5},
         "sampler langevin cannot begin with a picture"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const enum head head = rows[i].type == PROCESS_FLOW ? HEAD_VELOCITY : HEAD_EPSILON;
        const struct process_config config = known_config_of(rows[i].type, head);

        known_refusal(&rows[i].run, &config, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_langevin_chain_ends_where_it_must),
        cmocka_unit_test(at_a_noise_level_every_process_and_head_gives_the_same),
        cmocka_unit_test(the_stationary_variance_is_that_of_the_step_size),
        cmocka_unit_test(greedy_rows_climb_to_the_modes_and_draw_nothing),
        cmocka_unit_test(a_row_begins_uniform_within_the_range),
        cmocka_unit_test(annealed_rows_sample_the_mixture),
        cmocka_unit_test(levels_are_geometric_and_each_is_stepped_at_as_often_as_told),
        cmocka_unit_test(a_model_with_levels_is_run_at_these),
        cmocka_unit_test(what_cannot_run_is_refused),
    };
    return cmocka_run_group_tests_name("langevin", tests, NULL, NULL);
}
