/* Score matching without a target: from points of a Gaussian alone, hardly noised, a network finds
 * their precision, minus the mean slope of the score (Hyvarinen 2005, section 3). */
#include "tests/support/test.h"

#include "core/train/minibatch.h"
#include "core/train/train.h"
#include "tests/support/mlp_reference.h"

#include <math.h>

enum { POINTS = 20000, DIM = 2, FLOATS_MAX = 4000 };

static float points[POINTS * DIM];
static const struct train_set set = {points, NULL, POINTS, DIM};

/* Mean (1, -.5), covariance (4, 1.2; 1.2, 1). */
static void draw_points(void)
{
    struct rng rng;
    rng_seed(&rng, 12345);
    rng_randn(&rng, points, POINTS * DIM);
    for (size_t i = 0; i < POINTS * DIM; i += DIM) {
        float a = points[i], b = points[i + 1];
        points[i] = 1.0f + 2.0f * a;
        points[i + 1] = -.5f + .6f * a + .8f * b;
    }
}

static struct train_options options_for(enum objective objective)
{
    struct train_options options = train_options_default();
    options.objective = objective;
    options.process = objective_process_on(objective, PROCESS_VE, 1000);
    options.process.sigma_min = .01;
    options.process.sigma_max = .05;
    options.hidden_count = 2;
    options.hidden[0] = options.hidden[1] = 32;
    options.time_dim = 8;
    options.batch = 256;
    options.iterations = 500;
    return options;
}

/* Of the averaged weights at the process's middle, over some of the points. */
static void find_precision(const struct train *train, const struct train_options *options,
                           double precision[DIM][DIM])
{
    static double weights[FLOATS_MAX];
    enum { SOME = 500 };
    struct mlp mlp = mlp_of(options, DIM);
    const float *average = train_tensor(train, TRAIN_AVERAGE, 0).values;
    struct error error;
    struct minibatch batch;
    struct process process;
    float embedding[MLP_REFERENCE_WIDEST];
    assert_true(mlp.floats <= FLOATS_MAX);
    for (size_t i = 0; i < mlp.floats; i++)
        weights[i] = (double)average[i];
    assert_true(process_init(&process, &options->process, &error));
    assert_true(minibatch_init(&batch, options, &process, &set, &error));
    batch.times[0] = 500.0;
    minibatch_embedding(&batch, 0, embedding);
    for (size_t i = 0; i < SOME * DIM; i++) {
        struct dual z = {
            .value = {(double)points[i / DIM * DIM], (double)points[i / DIM * DIM + 1]}};
        z.tangent[i % DIM] = 1.0;
        for (size_t j = 0; j < mlp.time_dim; j++)
            z.value[DIM + j] = (double)embedding[j];
        mlp_reference(&mlp, weights, &z);
        for (size_t j = 0; j < DIM; j++)
            precision[j][i % DIM] -= z.tangent[j] / SOME;
    }
    minibatch_finish(&batch);
    process_finish(&process);
}

static void assert_precision(enum objective objective)
{
    static const double exact[DIM][DIM] = {{.390625, -.46875}, {-.46875, 1.5625}};
    struct train_options options = options_for(objective);
    double precision[DIM][DIM] = {{0}}, wrong = 0.0, whole = 0.0;
    struct train *train;
    struct error error;
    draw_points();
    assert_true(train_create(&options, &set, &train, &error));
    while (train_progress(train).iteration < options.iterations)
        assert_true(train_step(train, &error));
    find_precision(train, &options, precision);
    for (size_t i = 0; i < DIM * DIM; i++) {
        double difference = precision[i / DIM][i % DIM] - exact[i / DIM][i % DIM];
        wrong += difference * difference;
        whole += exact[i / DIM][i % DIM] * exact[i / DIM][i % DIM];
    }
    assert_true(sqrt(wrong / whole) < .05);
    train_destroy(train);
}

static void implicit_score_matching_finds_the_precision(void **state)
{
    (void)state;
    assert_precision(OBJECTIVE_IMPLICIT);
}

static void sliced_score_matching_finds_the_precision(void **state)
{
    (void)state;
    assert_precision(OBJECTIVE_SLICED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(implicit_score_matching_finds_the_precision),
        cmocka_unit_test(sliced_score_matching_finds_the_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
