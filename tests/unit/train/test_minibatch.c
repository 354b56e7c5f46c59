/* Points of an iteration: noised as the process says, the same for the same seed. */
#include "tests/support/test.h"

#include "core/nn/embedding.h"
#include "core/train/minibatch.h"

#include <math.h>
#include <string.h>

enum { POINTS = 400, DIM = 2, CLASSES = 4 };

static struct train_options options;
static struct process process;
static struct minibatch batch;
static float points[POINTS * DIM];
static int32_t labels[POINTS];
static struct train_set set = {points, labels, POINTS, DIM};

/* The set: point i is (i, -i) / 100, its label i % 4. */
static void open_batch(enum objective objective, const struct process_config *config)
{
    struct error error;
    for (int i = 0; i < POINTS; i++) {
        points[2 * i] = (float)i / 100.0f;
        points[2 * i + 1] = -points[2 * i];
        labels[i] = i % CLASSES;
    }
    options = train_options_default();
    options.objective = objective;
    options.process = *config;
    options.batch = 2000;
    options.time_dim = 6;
    options.class_count = CLASSES;
    options.class_drop = .25;
    options.seed = 11;
    assert_true(process_init(&process, config, &error));
    assert_true(minibatch_init(&batch, &options, &process, &set, &error));
}

static void close_batch(void)
{
    minibatch_finish(&batch);
    process_finish(&process);
}

static void assert_noised(size_t row, struct level level)
{
    for (size_t j = row * DIM; j < (row + 1) * DIM; j++)
        assert_true(fabs((double)batch.x[j] - level.alpha * (double)batch.x_0[j] -
                         level.sigma * (double)batch.epsilon[j]) < 1e-5);
}

static void a_tables_points_are_noised_to_entries_spread_evenly(void **state)
{
    struct process_config config = objective_process(OBJECTIVE_EPSILON, 100);
    int seen[100] = {0};
    (void)state;
    open_batch(OBJECTIVE_EPSILON, &config);
    minibatch_draw(&batch, 0);
    for (size_t i = 0; i < options.batch; i++) {
        double alpha_bar = process.schedule.alpha_bar[batch.indices[i]];
        assert_true(batch.times[i] == (double)batch.indices[i]);
        assert_noised(i, (struct level){sqrt(alpha_bar), sqrt(1.0 - alpha_bar)});
        seen[batch.indices[i]]++;
    }
    for (size_t i = 0; i < 100; i++)
        assert_true(seen[i] >= 19 && seen[i] <= 21);
    close_batch();
}

static void a_continuous_process_is_noised_at_its_own_times(void **state)
{
    struct process_config config = objective_process(OBJECTIVE_FLOW, 1000);
    (void)state;
    open_batch(OBJECTIVE_FLOW, &config);
    minibatch_draw(&batch, 3);
    double least = 1.0, most = 0.0;
    for (size_t i = 0; i < options.batch; i++) {
        double t = batch.times[i] / 1000.0;
        assert_noised(i, (struct level){1.0 - t, t});
        least = fmin(least, t);
        most = fmax(most, t);
    }
    assert_true(least >= 0.0 && least < 1e-3 && most < 1.0 && most > .999);
    close_batch();
}

static void levels_of_a_list_are_each_drawn(void **state)
{
    double list[] = {8.0, 2.0, .5};
    int seen[3] = {0};
    struct process_config config = objective_process_on(OBJECTIVE_DENOISING, PROCESS_VE, 1000);
    (void)state;
    config.levels = list;
    config.level_count = 3;
    config.sigma_max = list[0];
    config.sigma_min = list[2];
    config.model_time = MODEL_TIME_INDEX;
    open_batch(OBJECTIVE_DENOISING, &config);
    minibatch_draw(&batch, 3);
    for (size_t i = 0; i < options.batch; i++) {
        size_t index = (size_t)(batch.times[i] + .5);
        assert_true(fabs(batch.times[i] - (double)index) < 1e-9);
        assert_noised(i, (struct level){1.0, list[index]});
        seen[index]++;
    }
    for (size_t i = 0; i < 3; i++)
        assert_in_range(seen[i], 664, 669);
    close_batch();
}

static void a_base_of_its_own_is_what_points_are_mixed_with(void **state)
{
    struct process_config config = objective_process(OBJECTIVE_FLOW, 1000);
    (void)state;
    config.base = FLOW_BASE_ANNULUS;
    config.base_low = 4.0;
    config.base_high = 5.0;
    open_batch(OBJECTIVE_FLOW, &config);
    minibatch_draw(&batch, 3);
    for (size_t i = 0; i < options.batch; i++) {
        double radius = hypot((double)batch.epsilon[2 * i], (double)batch.epsilon[2 * i + 1]);
        assert_true(radius > 3.999 && radius < 5.001);
        assert_noised(i, (struct level){1.0 - batch.times[i] / 1000.0, batch.times[i] / 1000.0});
    }
    close_batch();
}

/* 2000 draws of 400 points: 5 each on average, none more than 20, the mean point within four
 * standard errors. */
static void points_are_drawn_evenly_and_by_chance(void **state)
{
    struct process_config config = objective_process(OBJECTIVE_EPSILON, 100);
    int seen[POINTS] = {0}, most = 0;
    double mean = 0.0;
    (void)state;
    open_batch(OBJECTIVE_EPSILON, &config);
    minibatch_draw(&batch, 0);
    for (size_t i = 0; i < options.batch; i++) {
        int point = (int)lrintf(batch.x_0[2 * i] * 100.0f);
        mean += (double)point / 2000.0;
        seen[point]++;
        most = seen[point] > most ? seen[point] : most;
    }
    assert_in_range(most, 9, 20);
    assert_true(fabs(mean - 199.5) < 4.0 * 115.5 / sqrt(2000.0));
    close_batch();
}

static void labels_go_with_their_points_and_a_part_becomes_the_null_class(void **state)
{
    struct process_config config = objective_process(OBJECTIVE_EPSILON, 100);
    size_t dropped = 0;
    (void)state;
    open_batch(OBJECTIVE_EPSILON, &config);
    minibatch_draw(&batch, 0);
    for (size_t i = 0; i < options.batch; i++) {
        int point = (int)lrintf(batch.x_0[2 * i] * 100.0f);
        if (batch.labels[i] == CLASSES)
            dropped++;
        else
            assert_int_equal(batch.labels[i], point % CLASSES);
    }
    assert_in_range(dropped, 440, 560); /* 500 +- 3 standard errors */
    close_batch();
}

static void directions_of_sliced_score_matching_are_signs(void **state)
{
    struct process_config config = objective_process(OBJECTIVE_SLICED, 100);
    double sum = 0.0;
    (void)state;
    open_batch(OBJECTIVE_SLICED, &config);
    minibatch_draw(&batch, 0);
    for (size_t i = 0; i < options.batch * DIM; i++) {
        assert_true(fabsf(batch.signs[i]) == 1.0f);
        sum += (double)batch.signs[i];
    }
    assert_true(fabs(sum) < 190.0); /* 3 standard errors */
    close_batch();
}

static void an_iteration_draws_the_same_again_and_another_one_something_else(void **state)
{
    static float before[2000 * DIM];
    struct process_config config = objective_process(OBJECTIVE_EPSILON, 100);
    (void)state;
    open_batch(OBJECTIVE_EPSILON, &config);
    minibatch_draw(&batch, 5);
    memcpy(before, batch.x, sizeof before);
    minibatch_draw(&batch, 6);
    assert_memory_not_equal(before, batch.x, sizeof before);
    minibatch_draw(&batch, 5);
    assert_memory_equal(before, batch.x, sizeof before);
    options.seed++;
    minibatch_draw(&batch, 5);
    assert_memory_not_equal(before, batch.x, sizeof before);
    close_batch();
}

static void an_embedding_is_that_of_its_time(void **state)
{
    struct process_config config = objective_process(OBJECTIVE_EPSILON, 100);
    float frequencies[3], expected[6], found[6];
    (void)state;
    open_batch(OBJECTIVE_EPSILON, &config);
    minibatch_draw(&batch, 0);
    embedding_frequencies(3, 0, frequencies);
    for (size_t i = 0; i < options.batch; i += 37) {
        embedding_sinusoidal(frequencies, 3, batch.times[i], true, expected);
        minibatch_embedding(&batch, i, found);
        assert_memory_equal(expected, found, sizeof found);
    }
    close_batch();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tables_points_are_noised_to_entries_spread_evenly),
        cmocka_unit_test(a_continuous_process_is_noised_at_its_own_times),
        cmocka_unit_test(levels_of_a_list_are_each_drawn),
        cmocka_unit_test(a_base_of_its_own_is_what_points_are_mixed_with),
        cmocka_unit_test(points_are_drawn_evenly_and_by_chance),
        cmocka_unit_test(labels_go_with_their_points_and_a_part_becomes_the_null_class),
        cmocka_unit_test(directions_of_sliced_score_matching_are_signs),
        cmocka_unit_test(an_iteration_draws_the_same_again_and_another_one_something_else),
        cmocka_unit_test(an_embedding_is_that_of_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
