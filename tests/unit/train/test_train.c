/* Training step by step: Adam and the average by their formulas, the rate, stopping and going on,
 * what is refused; and that a small network learns. */
#include "tests/support/test.h"

#include "core/train/gradient.h"
#include "core/train/minibatch.h"
#include "core/train/mlp.h"
#include "core/train/train.h"
#include "tests/support/allocations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 300, DIM = 2, FLOATS = 14 * 9 + 2 * 15, STEPS = 5 };

static float points[POINTS * DIM];
static const struct train_set set = {points, NULL, POINTS, DIM};

static struct train_options small(void)
{
    struct train_options options = train_options_default();
    struct rng rng;
    rng_seed(&rng, 8);
    rng_randn(&rng, points, POINTS * DIM);
    options.hidden_count = 1;
    options.hidden[0] = 14;
    options.time_dim = 6;
    options.batch = 40;
    options.iterations = 20;
    options.warmup = 2;
    options.process = objective_process(options.objective, 50);
    return options;
}

static struct train *create(const struct train_options *options)
{
    struct train *train = NULL;
    struct error error;
    assert_true(train_create(options, &set, &train, &error));
    return train;
}

static void advance(struct train *train, size_t steps)
{
    struct error error;
    for (size_t i = 0; i < steps; i++)
        assert_true(train_step(train, &error));
}

/* The whole state is one row of floats a part: the first tensor's values begin it. */
static float *part_of(const struct train *train, enum train_part part)
{
    return train_tensor(train, part, 0).values;
}

/* --- Adam, the average, the rate -------------------------------------------------------------- */

/* What one more iteration must make of the state, in double. */
struct shadow {
    double weights[FLOATS], average[FLOATS], first[FLOATS], second[FLOATS];
};

static double rate_by_hand(size_t iteration)
{
    double risen = fmin(1.0, (double)(iteration + 1) / 3.0);
    return .005 * risen * (1.0 + cos(3.14159265358979323846 * (double)iteration / 20.0)) / 2.0;
}

static void step_by_hand(struct shadow *shadow, const float *gradient, size_t iteration)
{
    double t = (double)(iteration + 1), blend = 1.0 - fmin(.999, t / (t + 9.0));
    for (size_t i = 0; i < FLOATS; i++) {
        double g = (double)gradient[i];
        shadow->first[i] = .9 * shadow->first[i] + .1 * g;
        shadow->second[i] = .999 * shadow->second[i] + .001 * g * g;
        double first = shadow->first[i] / (1.0 - pow(.9, t));
        double second = shadow->second[i] / (1.0 - pow(.999, t));
        shadow->weights[i] -= rate_by_hand(iteration) * first / (sqrt(second) + 1e-8);
        shadow->average[i] += blend * (shadow->weights[i] - shadow->average[i]);
    }
}

static void find_gradient(const struct train_options *options, const float *weights,
                          uint64_t iteration, float *gradient)
{
    struct mlp mlp = mlp_of(options, DIM);
    struct process process;
    struct minibatch batch;
    struct gradient finder;
    struct error error;
    assert_int_equal(mlp.floats, FLOATS);
    assert_true(process_init(&process, &options->process, &error));
    assert_true(minibatch_init(&batch, options, &process, &set, &error));
    assert_true(gradient_init(&finder, &mlp, 0, 1, &error));
    minibatch_draw(&batch, iteration);
    (void)gradient_find(&finder, &batch, weights, gradient);
    gradient_finish(&finder);
    minibatch_finish(&batch);
    process_finish(&process);
}

static void steps_are_adams_and_the_average_follows(void **state)
{
    static struct shadow shadow;
    struct train_options options = small();
    struct train *train = create(&options);
    float gradient[FLOATS];
    (void)state;
    for (size_t i = 0; i < FLOATS; i++)
        shadow.weights[i] = shadow.average[i] = (double)part_of(train, TRAIN_WEIGHTS)[i];
    for (size_t step = 0; step < STEPS; step++) {
        assert_true(fabs(train_progress(train).rate - rate_by_hand(step)) < 1e-12);
        find_gradient(&options, part_of(train, TRAIN_WEIGHTS), step, gradient);
        step_by_hand(&shadow, gradient, step);
        advance(train, 1);
        for (size_t i = 0; i < FLOATS; i++) {
            assert_true(fabs((double)part_of(train, TRAIN_WEIGHTS)[i] - shadow.weights[i]) < 1e-6);
            assert_true(fabs((double)part_of(train, TRAIN_AVERAGE)[i] - shadow.average[i]) < 1e-6);
        }
    }
    train_destroy(train);
}

/* Adam's first mean after one step is a tenth of the gradient that it followed. */
static void a_gradient_of_too_large_a_norm_is_scaled_down_to_it(void **state)
{
    struct train_options options = small();
    (void)state;
    for (int part = 0; part < 3; part++) {
        static const double parts[] = {.5, .999, 2.0};
        float gradient[FLOATS];
        double square = 0.0;
        options.clip_norm = 0.0;
        struct train *train = create(&options);
        find_gradient(&options, part_of(train, TRAIN_WEIGHTS), 0, gradient);
        train_destroy(train);
        for (size_t i = 0; i < FLOATS; i++)
            square += (double)gradient[i] * (double)gradient[i];
        options.clip_norm = parts[part] * sqrt(square);
        train = create(&options);
        advance(train, 1);
        double scale = fmin(1.0, options.clip_norm / (sqrt(square) + 1e-6));
        assert_true(fabs(train_progress(train).norm / sqrt(square) - 1.0) < 1e-12);
        for (size_t i = 0; i < FLOATS; i++)
            assert_true(fabs((double)part_of(train, TRAIN_FIRST_MOMENT)[i] -
                             .1 * scale * (double)gradient[i]) <
                        1e-6 * fabs((double)gradient[i]) + 1e-30);
        train_destroy(train);
    }
}

static void without_an_average_it_is_the_weights(void **state)
{
    struct train_options options = small();
    (void)state;
    options.average = 0.0;
    struct train *train = create(&options);
    advance(train, 3);
    assert_memory_equal(part_of(train, TRAIN_WEIGHTS), part_of(train, TRAIN_AVERAGE),
                        FLOATS * sizeof(float));
    train_destroy(train);
}

static void the_rate_ends_at_zero(void **state)
{
    struct train_options options = small();
    struct train *train = create(&options);
    (void)state;
    advance(train, 20);
    assert_true(train_progress(train).rate == 0.0);
    assert_int_equal(train_progress(train).iteration, 20);
    train_destroy(train);
}

/* --- the state -------------------------------------------------------------------------------- */

static void tensors_are_those_of_a_folder(void **state)
{
    static const char *const names[] = {"layers.0.weight", "layers.0.bias", "layers.1.weight",
                                        "layers.1.bias", "class_embedding.weight"};
    static int32_t labels[POINTS];
    static const size_t sizes[5][2] = {{14, 14}, {14, 1}, {2, 14}, {2, 1}, {4, 6}};
    struct train_options options = small();
    struct train_set labelled = {points, labels, POINTS, DIM};
    struct train *train;
    struct error error;
    (void)state;
    options.class_count = 3;
    options.class_drop = .1;
    assert_true(train_create(&options, &labelled, &train, &error));
    assert_int_equal(train_tensor_count(train), 5);
    for (size_t i = 0; i < 5; i++) {
        struct train_tensor tensor = train_tensor(train, TRAIN_AVERAGE, i);
        assert_string_equal(tensor.name, names[i]);
        assert_int_equal(tensor.size[0], sizes[i][0]);
        assert_int_equal(tensor.size[1], sizes[i][1]);
        assert_int_equal(tensor.rank, strstr(names[i], "bias") != NULL ? 1 : 2);
    }
    assert_int_equal(train_folder(train).num_class_embeds, 4);
    assert_int_equal(train_folder(train).null_class, 3);
    train_destroy(train);
}

/* nn.Linear's: even within 1 / sqrt(inputs), so of variance 1 / (3 inputs). */
static void weights_start_as_torchs_do(void **state)
{
    struct train_options options = small();
    (void)state;
    options.hidden[0] = 400;
    struct train *train = create(&options);
    for (size_t i = 0; i < 3; i++) {
        struct train_tensor tensor = train_tensor(train, TRAIN_WEIGHTS, i);
        double bound = 1.0 / sqrt(i < 2 ? 8.0 : 400.0), square = 0.0;
        size_t count = tensor.size[0] * tensor.size[1];
        for (size_t k = 0; k < count; k++) {
            assert_true(fabs((double)tensor.values[k]) <= bound * 1.000001);
            square += (double)tensor.values[k] * (double)tensor.values[k] / (double)count;
        }
        assert_true(fabs(square / (bound * bound / 3.0) - 1.0) < .15);
    }
    train_destroy(train);
}

static void copy_state(const struct train *from, struct train *to)
{
    for (int part = 0; part < TRAIN_PARTS; part++)
        for (size_t i = 0; i < train_tensor_count(from); i++) {
            struct train_tensor tensor = train_tensor(from, (enum train_part)part, i);
            memcpy(train_tensor(to, (enum train_part)part, i).values, tensor.values,
                   tensor.size[0] * tensor.size[1] * sizeof(float));
        }
}

static void a_training_that_was_stopped_goes_on_bit_for_bit(void **state)
{
    struct train_options options = small();
    struct train *whole = create(&options), *begun = create(&options), *resumed = create(&options);
    struct error error;
    (void)state;
    advance(whole, 20);
    advance(begun, 7);
    copy_state(begun, resumed);
    struct train_progress progress = train_progress(begun);
    assert_true(train_resume(resumed, &progress, &error));
    advance(resumed, 13);
    for (int part = 0; part < TRAIN_PARTS; part++)
        assert_memory_equal(part_of(whole, (enum train_part)part),
                            part_of(resumed, (enum train_part)part), FLOATS * sizeof(float));
    assert_true(train_progress(whole).mean_loss == train_progress(resumed).mean_loss);
    train_destroy(whole);
    train_destroy(begun);
    train_destroy(resumed);
}

static void the_bits_do_not_depend_on_threads(void **state)
{
    struct train_options options = small();
    (void)state;
    options.batch = 300;
    struct train *alone = create(&options);
    options.threads = 3;
    struct train *together = create(&options);
    advance(alone, 6);
    advance(together, 6);
    assert_memory_equal(part_of(alone, TRAIN_WEIGHTS), part_of(together, TRAIN_WEIGHTS),
                        FLOATS * sizeof(float));
    assert_true(train_progress(alone).loss == train_progress(together).loss);
    train_destroy(alone);
    train_destroy(together);
}

static void another_seed_is_another_training(void **state)
{
    struct train_options options = small();
    struct train *one = create(&options);
    (void)state;
    options.seed = 1;
    struct train *other = create(&options);
    assert_memory_not_equal(part_of(one, TRAIN_WEIGHTS), part_of(other, TRAIN_WEIGHTS),
                            FLOATS * sizeof(float));
    train_destroy(one);
    train_destroy(other);
}

static void a_state_that_cannot_be_is_refused(void **state)
{
    struct train_options options = small();
    struct train *train = create(&options);
    struct train_progress progress = {.iteration = 21};
    struct error error;
    (void)state;
    assert_false(train_resume(train, &progress, &error));
    progress.iteration = 2;
    part_of(train, TRAIN_SECOND_MOMENT)[3] = (float)NAN;
    assert_false(train_resume(train, &progress, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    train_destroy(train);
}

/* --- failures --------------------------------------------------------------------------------- */

static void a_step_to_nowhere_leaves_the_weights_and_says_so(void **state)
{
    struct train_options options = small();
    struct train *train = create(&options);
    float before[FLOATS];
    struct error error;
    (void)state;
    advance(train, 2);
    part_of(train, TRAIN_WEIGHTS)[0] = (float)INFINITY;
    memcpy(before, part_of(train, TRAIN_WEIGHTS), sizeof before);
    assert_false(train_step(train, &error));
    assert_int_equal(error.code, ERROR_NONFINITE);
    assert_int_equal(train_progress(train).iteration, 2);
    assert_memory_equal(before, part_of(train, TRAIN_WEIGHTS), sizeof before);
    train_destroy(train);
}

/* Large values make a gradient that no float holds of a loss that a double does. */
static void a_gradient_that_is_no_number_is_not_followed(void **state)
{
    struct train_options options = small();
    struct train *train = create(&options);
    const struct train_tensor bias = train_tensor(train, TRAIN_WEIGHTS, 1);
    float before[FLOATS];
    struct error error;
    (void)state;
    for (size_t i = 0; i < bias.size[0]; i++)
        bias.values[i] = 1e25F;
    memcpy(before, part_of(train, TRAIN_WEIGHTS), sizeof before);
    assert_false(train_step(train, &error));
    assert_int_equal(error.code, ERROR_NONFINITE);
    assert_int_equal(train_progress(train).iteration, 0);
    assert_memory_equal(before, part_of(train, TRAIN_WEIGHTS), sizeof before);
    train_destroy(train);
}

/* Finite in a float, but not its square. */
static void a_gradient_that_adam_cannot_square_is_followed_only_when_it_is_clipped(void **state)
{
    struct train_options options = small();
    struct error error;
    (void)state;
    for (int clips = 0; clips < 2; clips++) {
        options.clip_norm = clips;
        struct train *train = create(&options);
        const struct train_tensor bias = train_tensor(train, TRAIN_WEIGHTS, 1);
        for (size_t i = 0; i < bias.size[0]; i++)
            bias.values[i] = 1e12F;
        assert_int_equal(train_step(train, &error), clips);
        assert_int_equal(error.code, clips ? ERROR_NONE : ERROR_NONFINITE);
        assert_true(clips || strstr(error.text, "--clip-norm 1") != NULL);
        struct train_progress progress = train_progress(train);
        assert_true(clips ? progress.norm > 1e19 : progress.norm == 0.0);
        assert_true(train_resume(train, &progress, &error));
        train_destroy(train);
        error.code = ERROR_NONE;
    }
}

static void assert_refused(const struct train_options *options, const struct train_set *what,
                           const char *key)
{
    struct train *train;
    struct error error;
    assert_false(train_create(options, what, &train, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.text, key));
}

#define REFUSED(change, key)                                                                       \
    do {                                                                                           \
        struct train_options options = small();                                                    \
        options.change;                                                                            \
        assert_refused(&options, &set, key);                                                       \
    } while (0)

static void options_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    REFUSED(hidden_count = 0, "hidden");
    REFUSED(hidden_count = 17, "hidden");
    REFUSED(hidden[0] = 0, "hidden");
    REFUSED(hidden[0] = 4097, "hidden");
    REFUSED(time_dim = 5, "time-dim");
    REFUSED(activation = ACTIVATION_MISH, "activation");
    REFUSED(batch = 0, "batch");
    REFUSED(batch = 1048577, "batch");
    REFUSED(iterations = 0, "iterations");
    REFUSED(rate = 0.0, "rate");
    REFUSED(rate = (double)NAN, "rate");
    REFUSED(clip_norm = -1.0, "clip-norm");
    REFUSED(clip_norm = (double)NAN, "clip-norm");
    REFUSED(clip_norm = 1e7, "clip-norm");
    REFUSED(average = 1.0, "average");
    REFUSED(class_drop = 1.0, "class-drop");
    REFUSED(threads = 0, "threads");
    REFUSED(class_count = 2, "labels");
    REFUSED(objective = OBJECTIVE_V, "objective");
    REFUSED(process.schedule.beta_start = -1.0, "beta_start");
}

static void sets_that_cannot_be_learned_are_refused(void **state)
{
    static float wrong[2] = {0.0f, (float)NAN};
    static int32_t labels[1] = {2};
    struct train_options options = small();
    (void)state;
    assert_refused(&options, &(struct train_set){points, NULL, 0, DIM}, "data");
    assert_refused(&options, &(struct train_set){points, NULL, 1, 65}, "data");
    assert_refused(&options, &(struct train_set){wrong, NULL, 1, DIM}, "finite");
    options.class_count = 2;
    assert_refused(&options, &(struct train_set){points, labels, 1, DIM}, "label");
    options = small();
    options.objective = OBJECTIVE_FLOW;
    options.process = objective_process(OBJECTIVE_FLOW, 1000);
    options.process.base = FLOW_BASE_ANNULUS;
    options.process.base_high = 1.0;
    assert_refused(&options, &(struct train_set){points, NULL, 1, 3}, "annulus");
}

static void steps_allocate_nothing(void **state)
{
    struct train_options options = small();
    (void)state;
    options.objective = OBJECTIVE_IMPLICIT;
    options.process = objective_process(OBJECTIVE_IMPLICIT, 50);
    struct train *train = create(&options);
    advance(train, 1);
    size_t before = allocations_count();
    advance(train, 4);
    assert_int_equal(allocations_count(), before);
    train_destroy(train);
}

/* --- learning --------------------------------------------------------------------------------- */

/* N(0, I) data: eps* = sqrt(1 - A_t) x_t, whose squared error is A_t, of the mean .28 here. */
static void a_small_network_learns_what_can_be_known(void **state)
{
    static float many[20000];
    struct train_options options = small();
    struct train_set data = {many, NULL, 10000, DIM};
    struct train *train;
    struct error error;
    struct rng rng;
    (void)state;
    rng_seed(&rng, 4);
    rng_randn(&rng, many, 20000);
    options.process = objective_process(OBJECTIVE_EPSILON, 1000);
    options.hidden[0] = 32;
    options.time_dim = 16;
    options.batch = 256;
    options.iterations = 600;
    options.rate = .01;
    assert_true(train_create(&options, &data, &train, &error));
    advance(train, 1);
    double first = train_progress(train).loss, floor = 0.0;
    advance(train, 599);
    struct process process;
    assert_true(process_init(&process, &options.process, &error));
    for (size_t i = 0; i < 1000; i++)
        floor += process.schedule.alpha_bar[i] / 1000.0;
    assert_true(first > 2.0 * floor);
    assert_true(fabs(train_progress(train).mean_loss / floor - 1.0) < .05);
    process_finish(&process);
    train_destroy(train);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_adams_and_the_average_follows),
        cmocka_unit_test(a_gradient_of_too_large_a_norm_is_scaled_down_to_it),
        cmocka_unit_test(without_an_average_it_is_the_weights),
        cmocka_unit_test(the_rate_ends_at_zero),
        cmocka_unit_test(tensors_are_those_of_a_folder),
        cmocka_unit_test(weights_start_as_torchs_do),
        cmocka_unit_test(a_training_that_was_stopped_goes_on_bit_for_bit),
        cmocka_unit_test(the_bits_do_not_depend_on_threads),
        cmocka_unit_test(another_seed_is_another_training),
        cmocka_unit_test(a_state_that_cannot_be_is_refused),
        cmocka_unit_test(a_gradient_that_is_no_number_is_not_followed),
        cmocka_unit_test(a_gradient_that_adam_cannot_square_is_followed_only_when_it_is_clipped),
        cmocka_unit_test(a_step_to_nowhere_leaves_the_weights_and_says_so),
        cmocka_unit_test(options_out_of_range_are_refused_by_name),
        cmocka_unit_test(sets_that_cannot_be_learned_are_refused),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(a_small_network_learns_what_can_be_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
