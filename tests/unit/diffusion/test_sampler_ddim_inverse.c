/* DDIM from data to noise, and back. */
#include "tests/support/test.h"

#include "tests/support/chain.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

static void answer(const struct row *row, const struct plan *plan, float *output)
{
    mixture_output(process_head(plan->process), row->level, -1, row->input, output);
}

/* From a point that is given in place of the draw. */
static void run_from(const struct known_run *run, enum head head, const float *from, float *to)
{
    const struct process_config config = known_config(head);
    struct process process;
    struct plan *plan = known_plan(run, &config, &process);
    struct chain chain;

    chain_init(&chain, 0);
    chain.row.given = from;
    assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_DONE);
    memcpy(to, chain.x, MIXTURE_DIM * sizeof(*to));
    plan_destroy(plan);
    process_finish(&process);
}

/* A score network is asked at the target's level, where what it answers is another noise than it
 * would be read as: only epsilon has the known end. */
static void a_point_is_encoded_and_decoded_as_known(void **state)
{
    const struct known_run encode = {.sampler = "ddim_inverse", .steps = 10};
    const struct known_run decode = {.sampler = "ddim", .steps = 10};
    const float point[] = {3.2f, 2.9f};
    float latent[2], back[2];

    (void)state;
    run_from(&encode, HEAD_EPSILON, point, latent);
    assert_true(fabs((double)latent[0] - 1.588706) < 1e-4);
    assert_true(fabs((double)latent[1] - 1.242430) < 1e-4);
    run_from(&decode, HEAD_EPSILON, latent, back);
    assert_true(fabs((double)back[0] - 3.679699) < 1e-4);
    assert_true(fabs((double)back[1] - 3.391702) < 1e-4);
}

#define POINTS 4000

/* Mean squared error per dimension over points of both modes. */
static double round_trip_error(size_t steps, enum variant variant)
{
    const struct known_run encode = {
        .sampler = "ddim_inverse",
        .steps = steps,
        .options = {{OPTION_SPACING, SPACING_TRAILING}, {OPTION_VARIANT, variant}},
        .option_count = 2};
    const struct known_run decode = {.sampler = "ddim",
                                     .steps = steps,
                                     .options = {{OPTION_SPACING, SPACING_TRAILING}},
                                     .option_count = 1};
    double sum = 0.0;

    for (uint32_t seed = 0; seed < POINTS; seed++) {
        const float centre = seed % 5 == 0 ? 3.0f : -3.0f;
        float point[2], latent[2], back[2];
        struct rng rng;

        rng_seed(&rng, seed);
        rng_randn(&rng, point, 2);
        point[0] += centre;
        point[1] += centre;
        run_from(&encode, HEAD_EPSILON, point, latent);
        run_from(&decode, HEAD_EPSILON, latent, back);
        for (size_t i = 0; i < 2; i++)
            sum += pow((double)back[i] - (double)point[i], 2.0) / (2.0 * POINTS);
    }
    return sum;
}

/* Beside simulated values of 400,000 points; the tail near the separatrix is heavy. */
static void round_trips_come_back_as_near_as_known(void **state)
{
    static const struct {
        size_t steps;
        enum variant variant;
        double error;
    } known[] = {{10, VARIANT_DIFFUSERS, .638},
                 {100, VARIANT_DIFFUSERS, .0333},
                 {10, VARIANT_PAPER, 1.13},
                 {100, VARIANT_PAPER, .0288}};

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const double ratio = round_trip_error(known[i].steps, known[i].variant) / known[i].error;

        assert_true(ratio > 1.0 / 1.3 && ratio < 1.3);
    }
}

/* --- where the network is asked */

static void timesteps_rise_and_each_step_begins_a_stride_below_its_target(void **state)
{
    const struct known_run run = {.sampler = "ddim_inverse", .steps = 10};
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    const double *alpha_bar = process.schedule.alpha_bar_parity;

    (void)state;
    assert_true(plan->start_scale == 1.0);
    assert_true(plan->step[0].from.alpha == 1.0 && plan->step[0].from.sigma == 0.0);
    for (size_t i = 0; i < 10; i++) {
        assert_true(plan->step[i].model_time == 100.0 * (double)i);
        assert_true(plan->step[i].to.alpha == sqrt(alpha_bar[100 * i]));
        assert_true(plan->step[i].model_level.alpha == plan->step[i].to.alpha);
        assert_true(i == 0 || plan->step[i].from.alpha == sqrt(alpha_bar[100 * i - 100]));
        assert_false(plan->step[i].draws);
    }
    plan_destroy(plan);
    process_finish(&process);
}

static void the_papers_variant_asks_at_the_level_that_x_has(void **state)
{
    const struct known_run run = {.sampler = "ddim_inverse",
                                  .steps = 10,
                                  .options = {{OPTION_VARIANT, VARIANT_PAPER}},
                                  .option_count = 1};
    const struct process_config config = known_config(HEAD_SAMPLE);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);

    (void)state;
    for (size_t i = 1; i < 10; i++) {
        assert_true(plan->step[i].model_time == 100.0 * (double)(i - 1));
        assert_true(plan->step[i].model_level.alpha == plan->step[i].from.alpha);
    }
    assert_true(plan->step[0].model_time == 0.0);
    assert_true(plan->step[0].input_scale == plan->step[0].to.alpha);
    plan_destroy(plan);
    process_finish(&process);
}

/* At the data or, with set_alpha_to_one false, as if at the table's first level: the noise is what
 * the network says of sqrt(alpha_bar_t) x at t. */
static void check_first_step(const struct process_config *config)
{
    const struct known_run run = {
        .sampler = "ddim_inverse",
        .steps = 10,
        .options = {{OPTION_VARIANT, VARIANT_PAPER}, {OPTION_SPACING, SPACING_TRAILING}},
        .option_count = 2};
    const float point[] = {3.2f, 2.9f};
    float x_0[2], shrunk[2], epsilon[2];
    struct process process;
    struct plan *plan = known_plan(&run, config, &process);
    const struct level from = plan->step[0].from, to = plan->step[0].to;
    struct chain chain;

    chain_init(&chain, 0);
    chain.row.given = point;
    plan->sampler->begin(&chain.row, plan);
    answer(&chain.row, plan, chain.output);
    for (size_t k = 0; k < 2; k++)
        shrunk[k] = (float)(to.alpha * (double)point[k]);
    mixture_output(HEAD_EPSILON, to, -1, shrunk, epsilon);
    plan_predicted_x0(plan, &chain.row, chain.output, x_0);
    (void)plan->sampler->advance(&chain.row, plan, chain.output);
    for (size_t k = 0; k < 2; k++) {
        const double clean = ((double)point[k] - from.sigma * (double)epsilon[k]) / from.alpha;

        assert_true(fabs((double)x_0[k] - clean) < 1e-5);
        assert_true(fabs((double)chain.x[k] - to.alpha * clean - to.sigma * (double)epsilon[k]) <
                    1e-5);
    }
    plan_destroy(plan);
    process_finish(&process);
}

static void the_papers_first_step_shrinks_the_data_for_the_network(void **state)
{
    static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_V, HEAD_SCORE};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct process_config config = known_config(heads[i]);

        check_first_step(&config);
        config.schedule.set_alpha_to_one = GIVEN_FALSE;
        check_first_step(&config);
    }
}

static void below_the_table_the_level_may_be_its_first(void **state)
{
    const struct known_run run = {.sampler = "ddim_inverse", .steps = 10};
    struct process_config config = known_config(HEAD_SAMPLE);
    struct process process;
    struct plan *plan;

    (void)state;
    config.schedule.set_alpha_to_one = GIVEN_FALSE;
    plan = known_plan(&run, &config, &process);
    assert_true(plan->step[0].from.alpha == sqrt(process.schedule.alpha_bar_parity[0]));
    plan_destroy(plan);
    process_finish(&process);
}

/* --- who may ask */

static void it_is_no_sampler_that_anybody_is_offered(void **state)
{
    (void)state;
    assert_null(sampler_find("ddim_inverse"));
    assert_non_null(encoder_find("ddim_inverse"));
    assert_null(encoder_find("ddim"));
    for (size_t i = 0; sampler_at(i) != NULL; i++)
        assert_string_not_equal(sampler_at(i)->name, "ddim_inverse");
    assert_false(option_is_used(OPTION_VARIANT));
}

static void a_head_that_does_not_say_the_noise_of_data_is_refused(void **state)
{
    const struct known_run run = {.sampler = "ddim_inverse", .steps = 10};
    const struct known_run linspace = {.sampler = "ddim_inverse",
                                       .steps = 10,
                                       .options = {{OPTION_SPACING, SPACING_LINSPACE}},
                                       .option_count = 1};
    const struct process_config config = known_config(HEAD_SAMPLE);

    (void)state;
    known_refusal(&run, &config,
                  "ddim_inverse begins at the data, where the model's output, sample, does not say "
                  "the noise");
    known_refusal(&linspace, &config, "sampler ddim_inverse has no spacing linspace");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_is_encoded_and_decoded_as_known),
        cmocka_unit_test(round_trips_come_back_as_near_as_known),
        cmocka_unit_test(timesteps_rise_and_each_step_begins_a_stride_below_its_target),
        cmocka_unit_test(the_papers_variant_asks_at_the_level_that_x_has),
        cmocka_unit_test(the_papers_first_step_shrinks_the_data_for_the_network),
        cmocka_unit_test(below_the_table_the_level_may_be_its_first),
        cmocka_unit_test(it_is_no_sampler_that_anybody_is_offered),
        cmocka_unit_test(a_head_that_does_not_say_the_noise_of_data_is_refused),
    };
    return cmocka_run_group_tests_name("ddim_inverse", tests, NULL, NULL);
}
