/* What the engine believes a step costs, and how it counts. */
#include "tests/support/test.h"

#include "core/engine/cost.h"
#include "core/engine/counters.h"

#include <math.h>

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

static struct cost cost_of(struct engine_calibration calibration)
{
    struct cost cost;

    cost_init(&cost, &calibration);
    return cost;
}

static void a_step_costs_something_fixed_and_something_a_place(void **state)
{
    const struct cost cost =
        cost_of((struct engine_calibration){.places = {1, 4, 16}, .milliseconds = {3, 6, 18}});

    (void)state;
    assert_true(near(cost_step(&cost, 1), 0.003));
    assert_true(near(cost_step(&cost, 16), 0.018));
    assert_true(near(cost_step(&cost, 100), 0.102));
}

static void one_measurement_makes_every_place_cost_the_same(void **state)
{
    const struct cost cost =
        cost_of((struct engine_calibration){.places = {1}, .milliseconds = {5}});

    (void)state;
    assert_true(near(cost_step(&cost, 10), 0.050));
}

/* A batch of four that was measured quicker than one alone. */
static void noise_in_the_calibration_does_not_make_places_free(void **state)
{
    const struct cost cost =
        cost_of((struct engine_calibration){.places = {1, 4}, .milliseconds = {5, 4}});

    (void)state;
    assert_true(cost_step(&cost, 100) > 0.1);
    assert_true(cost_step(&cost, 1) > 0.0);
}

/* A guess may be far off; what comes after it is averaged as ever. */
static void the_first_tick_takes_the_place_of_a_guess(void **state)
{
    struct cost cost;

    (void)state;
    cost_guess(&cost, 0.5);
    assert_true(near(cost_step(&cost, 4), 2.0));
    cost_learn(&cost, 2, 3.0);
    assert_true(near(cost_step(&cost, 4), 6.0));
    cost_learn(&cost, 2, 1.0);
    assert_true(near(cost_step(&cost, 4), 5.6));
}

static void a_clock_that_stood_still_leaves_the_prediction_a_number(void **state)
{
    struct cost cost = cost_of((struct engine_calibration){.places = {1}, .milliseconds = {0}});

    (void)state;
    cost_learn(&cost, 1, 0.0);
    assert_true(cost_step(&cost, 1) >= 0.0);
    cost_learn(&cost, 1, 1e-3);
    assert_true(cost_step(&cost, 1) > 0.0);
}

static void the_prediction_follows_the_ticks_and_forgives_one(void **state)
{
    struct cost cost = cost_of((struct engine_calibration){.places = {1}, .milliseconds = {1}});

    (void)state;
    for (int i = 0; i < 100; i++)
        cost_learn(&cost, 8, 0.016);
    assert_true(fabs(cost_step(&cost, 1) - 0.002) < 1e-6);
    cost_learn(&cost, 8, 1000.0);
    assert_true(cost_step(&cost, 1) < 0.01);
    for (int i = 0; i < 100; i++)
        cost_learn(&cost, 8, 0.008);
    assert_true(fabs(cost_step(&cost, 1) - 0.001) < 1e-6);
}

static void steps_are_counted_in_the_bucket_of_their_places_and_time(void **state)
{
    static struct counters counters;
    static struct model_counters model;
    struct engine_model_stats steps;
    struct engine_stats stats;

    (void)state;
    counters_steps(&counters, &model, 1, 1, 0.00005);
    counters_steps(&counters, &model, 1, 4096, ENGINE_TIME_BOUNDS[2]);
    counters_steps(&counters, &model, 3, 4097, 1e6);
    counters_start(&counters, 0.5);
    counters_read(&counters, &stats);
    model_counters_read(&model, &steps);
    assert_int_equal(stats.batch_buckets[0], 1);
    assert_int_equal(stats.batch_buckets[ENGINE_BATCH_BUCKETS - 2], 1);
    assert_int_equal(stats.batch_buckets[ENGINE_BATCH_BUCKETS - 1], 3);
    assert_int_equal(stats.batch_places, 1 + 4096 + 3 * 4097);
    assert_int_equal(steps.steps, 1 + 1 + 3);
    assert_int_equal(steps.step_buckets[0], 1);
    assert_int_equal(steps.step_buckets[2], 1);
    assert_int_equal(steps.step_buckets[ENGINE_TIME_BUCKETS - 1], 3);
    assert_true(near(steps.step_seconds, 0.00005 + ENGINE_TIME_BOUNDS[2] + 3e6));
    assert_true(near(stats.queue_seconds, 0.5));
    for (size_t i = 1; i < ENGINE_TIME_BUCKETS - 1; i++)
        assert_true(ENGINE_TIME_BOUNDS[i] > ENGINE_TIME_BOUNDS[i - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_costs_something_fixed_and_something_a_place),
        cmocka_unit_test(one_measurement_makes_every_place_cost_the_same),
        cmocka_unit_test(the_first_tick_takes_the_place_of_a_guess),
        cmocka_unit_test(noise_in_the_calibration_does_not_make_places_free),
        cmocka_unit_test(a_clock_that_stood_still_leaves_the_prediction_a_number),
        cmocka_unit_test(the_prediction_follows_the_ticks_and_forgives_one),
        cmocka_unit_test(steps_are_counted_in_the_bucket_of_their_places_and_time),
    };
    return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
