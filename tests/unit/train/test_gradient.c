/* Gradients of every objective, with every activation, against central differences of the same
 * loss computed in double, layer by layer as the objectives' formulas say it: a point's tangent is
 * carried beside it by the chain rule, and no code of the trainer's is used. */
#include "tests/support/test.h"

#include "core/train/gradient.h"
#include "tests/support/mlp_reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 2, POINTS = 24, CLASSES = 3 };

/* --- the loss in double ----------------------------------------------------------------------- */

static struct dual output_of(const struct mlp *mlp, const struct minibatch *batch, size_t row,
                             const double *weights, const double along[DIM])
{
    struct dual z = {.value = {0}};
    float embedding[MLP_REFERENCE_WIDEST];
    minibatch_embedding(batch, row, embedding);
    for (size_t j = 0; j < DIM; j++) {
        z.value[j] = (double)batch->x[row * DIM + j];
        z.tangent[j] = along[j];
    }
    for (size_t j = 0; j < mlp->time_dim; j++) {
        size_t table = mlp->class_table + (size_t)batch->labels[row] * mlp->time_dim;
        z.value[DIM + j] = (double)embedding[j];
        if (mlp->embedded > 0)
            z.value[DIM + mlp->time_dim + j] = weights[table + j];
    }
    mlp_reference(mlp, weights, &z);
    return z;
}

static double square_loss(const struct objective_term *term, const struct minibatch *batch,
                          size_t row, const struct dual *out)
{
    double sum = 0.0;
    for (size_t j = 0; j < DIM; j++) {
        double target = term->of_x0 * (double)batch->x_0[row * DIM + j] +
                        term->of_epsilon * (double)batch->epsilon[row * DIM + j];
        sum += (out->value[j] - target) * (out->value[j] - target);
    }
    return term->weight * sum;
}

/* v.(do/dx)v, and once |o|^2 / 2. */
static double matching_loss(const struct mlp *mlp, const struct minibatch *batch, size_t row,
                            const double *weights)
{
    double sum = 0.0;
    for (size_t d = 0; d < batch->directions; d++) {
        double along[DIM] = {0};
        along[d] = 1.0;
        for (size_t j = 0; batch->directions == 1 && j < DIM; j++)
            along[j] = (double)batch->signs[row * DIM + j];
        struct dual out = output_of(mlp, batch, row, weights, along);
        for (size_t j = 0; j < DIM; j++)
            sum += along[j] * out.tangent[j] + (d == 0 ? out.value[j] * out.value[j] / 2.0 : 0.0);
    }
    return batch->terms[row].weight * sum;
}

static double loss_of(const struct mlp *mlp, const struct minibatch *batch, const double *weights)
{
    static const double nowhere[DIM] = {0};
    double sum = 0.0;
    for (size_t row = 0; row < batch->options->batch; row++) {
        struct dual out = output_of(mlp, batch, row, weights, nowhere);
        sum += batch->directions > 0 ? matching_loss(mlp, batch, row, weights)
                                     : square_loss(&batch->terms[row], batch, row, &out);
    }
    return sum / (double)batch->options->batch + batch->constant;
}

/* --- both ------------------------------------------------------------------------------------- */

static float *points(void)
{
    static float values[50 * DIM];
    struct rng rng;
    rng_seed(&rng, 3);
    rng_randn(&rng, values, 50 * DIM);
    return values;
}

static const int32_t *labels(void)
{
    static int32_t values[50];
    for (int32_t i = 0; i < 50; i++)
        values[i] = i % CLASSES;
    return values;
}

struct trial {
    struct train_options options;
    struct train_set set;
    struct process process;
    struct mlp mlp;
    struct minibatch batch;
    struct gradient finder;
    float *weights, *gradient;
};

static void trial_init(struct trial *trial, enum objective objective, enum activation activation,
                       size_t points_count)
{
    struct error error;
    trial->options = train_options_default();
    trial->options.objective = objective;
    trial->options.process = objective_process(objective, 50);
    trial->options.hidden_count = 2;
    trial->options.hidden[0] = 5;
    trial->options.hidden[1] = 17;
    trial->options.time_dim = 4;
    trial->options.activation = activation;
    trial->options.class_count = CLASSES;
    trial->options.class_drop = .3;
    trial->options.batch = points_count;
    trial->set = (struct train_set){points(), labels(), 50, DIM};
    trial->mlp = mlp_of(&trial->options, DIM);
    assert_true(process_init(&trial->process, &trial->options.process, &error));
    assert_true(
        minibatch_init(&trial->batch, &trial->options, &trial->process, &trial->set, &error));
    assert_true(gradient_init(&trial->finder, &trial->mlp, trial->batch.directions, 1, &error));
    trial->weights = calloc(2 * trial->mlp.floats, sizeof *trial->weights);
    assert_non_null(trial->weights);
    trial->gradient = trial->weights + trial->mlp.floats;
    minibatch_seed(&trial->batch.rng, 1, UINT64_MAX);
    mlp_draw(&trial->mlp, &trial->batch.rng, trial->weights);
    minibatch_draw(&trial->batch, 7);
}

static void trial_finish(struct trial *trial)
{
    minibatch_finish(&trial->batch);
    gradient_finish(&trial->finder);
    process_finish(&trial->process);
    free(trial->weights);
}

static void assert_gradient(struct trial *trial)
{
    size_t count = trial->mlp.floats;
    double *weights = calloc(2 * count, sizeof *weights), *slopes = weights + count, largest = 0.0;
    assert_non_null(weights);
    for (size_t i = 0; i < count; i++)
        weights[i] = (double)trial->weights[i];
    double loss = gradient_find(&trial->finder, &trial->batch, trial->weights, trial->gradient);
    double exact = loss_of(&trial->mlp, &trial->batch, weights);
    assert_true(fabs(loss - exact) < 2e-6 * (1.0 + fabs(exact)));
    for (size_t i = 0; i < count; i++) {
        const double h = 1e-6, before = weights[i];
        weights[i] = before + h;
        double above = loss_of(&trial->mlp, &trial->batch, weights);
        weights[i] = before - h;
        slopes[i] = (above - loss_of(&trial->mlp, &trial->batch, weights)) / (2.0 * h);
        weights[i] = before;
        largest = fmax(largest, fabs(slopes[i]));
    }
    for (size_t i = 0; i < count; i++)
        assert_true(fabs((double)trial->gradient[i] - slopes[i]) < 1e-6 * largest);
    assert_true(largest > 1e-3);
    free(weights);
}

static void gradients_are_those_of_the_loss_for_every_objective_and_activation(void **state)
{
    static const enum activation activations[] = {ACTIVATION_SILU, ACTIVATION_GELU, ACTIVATION_RELU,
                                                  ACTIVATION_ELU, ACTIVATION_TANH};
    (void)state;
    for (int objective = 0; objective < OBJECTIVE_COUNT; objective++)
        for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
            struct trial trial;
            trial_init(&trial, (enum objective)objective, activations[i], POINTS);
            assert_gradient(&trial);
            trial_finish(&trial);
        }
}

/* 150 points are three parts; the rows of a pass are 64, or 21 with two tangents each. */
static void a_gradient_does_not_depend_on_how_points_fall_into_passes(void **state)
{
    static const enum objective objectives[] = {OBJECTIVE_V, OBJECTIVE_IMPLICIT};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct trial trial;
        trial_init(&trial, objectives[k], ACTIVATION_SILU, 150);
        assert_gradient(&trial);
        size_t count = trial.mlp.floats;
        float *whole = calloc(count, sizeof *whole);
        assert_non_null(whole);
        double loss = gradient_find(&trial.finder, &trial.batch, trial.weights, whole);
        trial.finder.passes[0].rows = 7;
        double same = gradient_find(&trial.finder, &trial.batch, trial.weights, trial.gradient);
        assert_true(fabs(loss - same) < 1e-6 * fabs(loss));
        for (size_t i = 0; i < count; i++)
            assert_true(fabsf(whole[i] - trial.gradient[i]) < 1e-5f);
        free(whole);
        trial_finish(&trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_the_loss_for_every_objective_and_activation),
        cmocka_unit_test(a_gradient_does_not_depend_on_how_points_fall_into_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
