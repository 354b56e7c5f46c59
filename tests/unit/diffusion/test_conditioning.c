/* Rows that begin from what they are given, keep a part of a picture, and leave a record. */
#include "tests/support/test.h"

#include "core/diffusion/conditioning.h"
#include "core/diffusion/trajectory.h"
#include "tests/support/chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIM 32

static const struct option_values NO_OPTIONS;

/* The first process that a sampler runs on, of those that a network may have. */
static bool find_process(const struct sampler *sampler, struct process *process)
{
    struct error error;

    for (int type = 0; type < PROCESS_COUNT; type++) {
        const struct process_config config = process_config_default((enum process_type)type);

        assert_true(process_init(process, &config, &error));
        process->network =
            (struct process_network){.is_points = true, .is_exact = true, .is_exact_at_zero = true};
        if (sampler_runs_on(sampler, process, &error))
            return true;
        process_finish(process);
    }
    return false;
}

static struct plan_request request_for(const struct process *process, const char *sampler,
                                       size_t steps)
{
    return (struct plan_request){.process = process,
                                 .sampler = sampler,
                                 .steps = steps,
                                 .options = &NO_OPTIONS,
                                 .strength = 1.0,
                                 .dim = DIM,
                                 .output_dim = DIM};
}

static void fill(float *values, double first)
{
    for (size_t i = 0; i < DIM; i++)
        values[i] = (float)(first + 0.03 * (double)i);
}

static void every_sampler_begins_where_it_is_told_and_draws_nothing_for_it(void **state)
{
    const struct sampler *sampler;
    float given[DIM];
    struct process process;
    struct chain chain;
    struct error error;

    (void)state;
    fill(given, -0.4);
    for (size_t i = 0; (sampler = sampler_at(i)) != NULL; i++) {
        struct plan_request request;
        struct plan *plan;
        struct rng untouched;

        if (!find_process(sampler, &process))
            fail_msg("%s runs nowhere", sampler->name);
        request = request_for(&process, sampler->name, 5);
        plan = plan_create(&request, &error);
        if (plan == NULL)
            fail_msg("%s: %s", sampler->name, error.text);
        chain_init(&chain, 7);
        untouched = chain.row.rng;
        chain.row.given = given;
        sampler->begin(&chain.row, plan);
        if (memcmp(chain.x, given, sizeof given) != 0 ||
            memcmp(&chain.row.rng, &untouched, sizeof untouched) != 0)
            fail_msg("%s does not begin where it is told", sampler->name);
        plan_destroy(plan);
        process_finish(&process);
    }
}

struct setting {
    struct process process;
    float picture[DIM];
};

static struct setting setting;

static struct plan *plan_with(const char *sampler, size_t steps, double strength)
{
    struct plan_request request = request_for(&setting.process, sampler, steps);

    request.has_picture = true;
    request.strength = strength;
    return chain_plan(&request);
}

static void strength_keeps_the_last_steps_as_diffusers_counts(void **state)
{
    static const struct {
        size_t steps;
        double strength;
        size_t kept;
    } CASES[] = {{100, .29, 28}, {50, .8, 40}, {10, .1, 1}, {10, .99, 9}, {10, 1.0, 10}};

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct plan *plan = plan_with("ddim", CASES[i].steps, CASES[i].strength);

        assert_int_equal(plan->evaluations, CASES[i].kept);
        assert_int_equal(plan_whole_steps(plan), CASES[i].kept);
        assert_int_equal(plan->first, CASES[i].steps - CASES[i].kept);
        assert_int_equal(plan->from_picture, CASES[i].kept < CASES[i].steps);
        plan_destroy(plan);
    }
}

static void a_strength_of_no_step_is_refused(void **state)
{
    struct plan_request request = request_for(&setting.process, "ddim", 10);
    struct error error;

    (void)state;
    request.has_picture = true;
    request.strength = 0.09;
    assert_null(plan_create(&request, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, "strength 0.09 of 10 steps is not one whole step");
}

static void a_row_begins_with_the_picture_noised_by_its_first_draw(void **state)
{
    const struct conditioning conditioning = {.picture = setting.picture};
    struct plan *plan = plan_with("ddpm", 20, .5);
    const struct level level = plan->step[10].from;
    struct chain chain, plain;
    float noise[DIM];

    (void)state;
    chain_init(&chain, 3);
    chain_init(&plain, 3);
    rng_randn(&plain.row.rng, noise, DIM);
    chain.row.given = conditioning_given(&conditioning, plan, 5);
    plan->sampler->begin(&chain.row, plan);
    assert_int_equal(chain.row.step, 10);
    assert_true(chain.row.time == plan->step[10].model_time);
    for (size_t i = 0; i < DIM; i++) {
        const double expected =
            level.alpha * (double)setting.picture[i] + level.sigma * (double)noise[i];

        assert_true(fabs((double)chain.x[i] - expected) < 1e-6);
        assert_true(chain.x[i] == chain.input[i]);
    }
    assert_int_equal(rng_word(&chain.row.rng), rng_word(&plain.row.rng));
    plan_destroy(plan);
}

static void at_strength_1_the_picture_is_not_begun_with(void **state)
{
    const struct conditioning conditioning = {.picture = setting.picture};
    struct plan *plan = plan_with("ddim", 20, 1.0);

    (void)state;
    assert_null(conditioning_given(&conditioning, plan, 0));
    plan_destroy(plan);
}

static void known_values_are_noised_to_the_next_level_and_end_as_they_are(void **state)
{
    uint8_t known[DIM] = {0};
    const struct conditioning conditioning = {.picture = setting.picture, .known = known};
    struct plan *plan = plan_with("ddim", 20, 1.0);
    const struct level level = plan->step[4].from;
    struct chain chain, plain;
    float before[DIM], noise[DIM];

    (void)state;
    known[2] = known[9] = 1;
    chain_init(&chain, 3);
    plan->sampler->begin(&chain.row, plan);
    chain.row.step = 4;
    memcpy(before, chain.x, sizeof before);
    plain.row.rng = chain.row.rng;
    rng_randn(&plain.row.rng, noise, DIM);
    conditioning_keep(&conditioning, &chain.row, plan, false);
    for (size_t i = 0; i < DIM; i++) {
        const double expected =
            level.alpha * (double)setting.picture[i] + level.sigma * (double)noise[i];

        if (known[i])
            assert_true(fabs((double)chain.x[i] - expected) < 1e-6);
        else
            assert_true(chain.x[i] == before[i]);
        assert_true(chain.input[i] == chain.x[i]);
    }
    assert_int_equal(rng_word(&chain.row.rng), rng_word(&plain.row.rng));
    conditioning_keep(&conditioning, &chain.row, plan, true);
    assert_true(chain.x[2] == setting.picture[2] && chain.x[9] == setting.picture[9]);
    assert_true(chain.x[3] == before[3]);
    assert_int_equal(rng_word(&chain.row.rng), rng_word(&plain.row.rng));
    plan_destroy(plan);
}

static void a_record_has_a_frame_for_every_kth_step_and_the_sample(void **state)
{
    static const size_t CASES[][3] = {
        {10, 1, 11}, {10, 3, 5}, {10, 5, 3}, {10, 10, 2}, {10, 99, 2}};

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct plan *plan = plan_with("ddim", CASES[i][0], 1.0);

        assert_int_equal(trajectory_frames(plan, CASES[i][1]), CASES[i][2]);
        plan_destroy(plan);
    }
}

static void a_frame_is_x_t_and_the_x0_predicted_from_it(void **state)
{
    struct plan *plan = plan_with("ddim", 10, 1.0);
    struct trajectory_frame frame[5] = {{0}};
    float values[2 * 5 * 2 * DIM] = {0}, output[DIM];
    const struct trajectory trajectory = {3, 5, frame, values};
    struct recording recording = {&trajectory, 1, 2};
    struct chain chain;
    const float *x_t;

    (void)state;
    fill(output, .2);
    chain_init(&chain, 3);
    plan->sampler->begin(&chain.row, plan);
    assert_true(trajectory_record(&recording, plan, &chain.row, output));
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_true(values[i] == 0.0f);
    recording.step = 3;
    assert_true(trajectory_record(&recording, plan, &chain.row, output));
    assert_true(frame[1].scale == 0.0); /* the first row's to write */
    recording.index = 0;
    assert_true(trajectory_record(&recording, plan, &chain.row, output));
    assert_true(frame[1].scale == 1.0 && frame[1].time == chain.row.time);
    for (size_t row = 0; row < 2; row++) {
        x_t = trajectory_values(&trajectory, DIM, row, 1);
        assert_memory_equal(x_t, chain.x, sizeof chain.x[0] * DIM);
        plan_predicted_x0(plan, &chain.row, output, output);
        assert_memory_equal(x_t + DIM, output, sizeof output);
        fill(output, .2);
    }
    trajectory_end(&recording, &chain.row, DIM);
    x_t = trajectory_values(&trajectory, DIM, 0, 4);
    assert_memory_equal(x_t, chain.x, sizeof chain.x[0] * DIM);
    assert_memory_equal(x_t + DIM, chain.x, sizeof chain.x[0] * DIM);
    plan_destroy(plan);
}

static int start(void **state)
{
    const struct process_config config = process_config_default(PROCESS_TABLE);
    struct error error;

    (void)state;
    fill(setting.picture, -0.5);
    return process_init(&setting.process, &config, &error) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    process_finish(&setting.process);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sampler_begins_where_it_is_told_and_draws_nothing_for_it),
        cmocka_unit_test(strength_keeps_the_last_steps_as_diffusers_counts),
        cmocka_unit_test(a_strength_of_no_step_is_refused),
        cmocka_unit_test(a_row_begins_with_the_picture_noised_by_its_first_draw),
        cmocka_unit_test(at_strength_1_the_picture_is_not_begun_with),
        cmocka_unit_test(known_values_are_noised_to_the_next_level_and_end_as_they_are),
        cmocka_unit_test(a_record_has_a_frame_for_every_kth_step_and_the_sample),
        cmocka_unit_test(a_frame_is_x_t_and_the_x0_predicted_from_it),
    };

    return cmocka_run_group_tests_name("conditioning", tests, start, stop);
}
