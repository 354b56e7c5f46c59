/* Activations, softmax and group norm against double, and all builds against each other. */
#include "tests/support/test.h"

#include "core/base/gang.h"
#include "core/nn/backend.h"
#include "core/nn/pointwise.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 2000

/* Those that need most last. */
static const struct pointwise *const BUILDS[] = {&pointwise_baseline, &pointwise_fma,
                                                 &pointwise_avx2, &pointwise_avx512};

static size_t build_count(void)
{
    if (!cpu_has_fma())
        return 1;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
               ? 4
               : 3;
}

/* --- activations ------------------------------------------------------------------------------ */

static double exact(enum activation activation, double x)
{
    static const double ROOT_HALF = 0.70710678118654752440;
    const double value[] = {
        [ACTIVATION_NONE] = x,
        [ACTIVATION_SILU] = x / (1 + exp(-x)),
        [ACTIVATION_MISH] = x * tanh(log1p(exp(x))),
        [ACTIVATION_GELU] = 0.5 * x * (1 + erf(x * ROOT_HALF)),
        [ACTIVATION_RELU] = x > 0 ? x : 0,
        [ACTIVATION_ELU] = x > 0 ? x : expm1(x),
        [ACTIVATION_TANH] = tanh(x),
    };
    return value[activation];
}

static void activations_are_those_of_their_names(void **state)
{
    (void)state;
    float x[COUNT], y[COUNT];
    numbers_fill(x, COUNT, 1);
    for (size_t i = 0; i < COUNT; i++)
        x[i] *= i % 2 == 0 ? 3.0f : 30.0f;
    x[0] = 0.0f;
    for (size_t b = 0; b < build_count(); b++)
        for (enum activation a = ACTIVATION_NONE; a <= ACTIVATION_TANH; a++) {
            BUILDS[b]->activate(a, x, y, COUNT);
            for (size_t i = 0; i < COUNT; i++) {
                double expected = exact(a, (double)x[i]);
                assert_true(fabs((double)y[i] - expected) <= 1e-6 * fabs(expected) + 1e-9);
            }
        }
}

static void activations_stay_finite_far_out(void **state)
{
    (void)state;
    const float x[] = {-1e30f, -1000.0f, -100.0f, -88.0f, 88.0f, 100.0f, 1000.0f, 1e30f};
    float y[8];
    for (size_t b = 0; b < build_count(); b++)
        for (enum activation a = ACTIVATION_NONE; a <= ACTIVATION_TANH; a++) {
            BUILDS[b]->activate(a, x, y, 8);
            for (size_t i = 0; i < 8; i++)
                assert_true(isfinite(y[i]));
            assert_true(a == ACTIVATION_TANH || fabs((double)y[6] - 1000) < 1e-3);
        }
}

static void activations_keep_what_is_not_a_number(void **state)
{
    (void)state;
    const float x = NAN;
    for (size_t b = 0; b < build_count(); b++)
        for (enum activation a = ACTIVATION_NONE; a <= ACTIVATION_TANH; a++) {
            float y = 0;
            BUILDS[b]->activate(a, &x, &y, 1);
            assert_true(isnan(y));
        }
}

static void sums_go_on_in_one_chain_to_bias_and_activation(void **state)
{
    (void)state;
    enum { LENGTH = 37, ROWS = 5, DEPTH = 3 };
    float sums[ROWS * LENGTH], y[ROWS * LENGTH], bias[LENGTH], x[ROWS * DEPTH], w[DEPTH * LENGTH];
    numbers_fill(bias, LENGTH, 3);
    numbers_fill(x, ROWS * DEPTH, 5);
    numbers_fill(w, DEPTH * LENGTH, 6);
    for (size_t b = 0; b < build_count(); b++)
        for (enum activation a = ACTIVATION_NONE; a <= ACTIVATION_TANH; a++) {
            size_t depth = a == ACTIVATION_GELU ? 0 : DEPTH;
            const struct row_end end = {a, bias, x, w, depth};
            numbers_fill(sums, ROWS * LENGTH, 4);
            for (size_t i = 0; i < ROWS * LENGTH; i++) {
                y[i] = sums[i];
                for (size_t k = 0; k < depth; k++)
                    y[i] = fmaf(x[i / LENGTH * depth + k], w[k * LENGTH + i % LENGTH], y[i]);
                y[i] = y[i] + bias[i % LENGTH];
            }
            BUILDS[0]->activate(a, y, y, ROWS * LENGTH);
            BUILDS[b]->finish_rows(&end, sums, ROWS, LENGTH);
            assert_memory_equal(sums, y, sizeof y);
        }
}

/* --- softmax ---------------------------------------------------------------------------------- */

static void softmax_rows_are_shares(void **state)
{
    (void)state;
    for (size_t b = 0; b < build_count(); b++)
        for (size_t length = 1; length < 70; length += 3) {
            float rows[2 * 75], z[2 * 75];
            const size_t ld = length + length % 5;
            numbers_fill(z, 2 * ld, length);
            for (size_t i = 0; i < 2 * ld; i++)
                z[i] *= 40.0f;
            memcpy(rows, z, sizeof rows);
            BUILDS[b]->softmax(rows, ld, 2, length, 0.5f);
            for (size_t row = 0; row < 2; row++) {
                double sum = 0;
                for (size_t j = 0; j < length; j++)
                    sum += exp(0.5 * (double)z[row * ld + j]);
                for (size_t j = 0; j < length; j++) {
                    double share = exp(0.5 * (double)z[row * ld + j]) / sum;
                    assert_true(fabs((double)rows[row * ld + j] - share) <= 4e-6 * share + 1e-12);
                }
                for (size_t j = length; j < ld; j++)
                    assert_true(rows[row * ld + j] == z[row * ld + j]);
            }
        }
}

static void softmax_hides_no_score_that_is_not_finite(void **state)
{
    static const float SCORES[] = {NAN, -NAN, INFINITY};

    (void)state;
    for (size_t b = 0; b < build_count(); b++)
        for (size_t length = 1; length < 70; length += 3)
            for (size_t i = 0; i < sizeof SCORES / sizeof *SCORES; i++) {
                float row[75];
                numbers_fill(row, length, length);
                row[length / 2] = SCORES[i];
                BUILDS[b]->softmax(row, length, 1, length, 0.5f);
                for (size_t j = 0; j < length; j++)
                    assert_true(isnan(row[j]));
            }
}

/* --- group norm ------------------------------------------------------------------------------- */

struct norm {
    struct norm_shape shape;
    struct norm_call call;
    float *in, *out, *gamma, *beta, *modulation, *scale_shift, *scratch;
    size_t pixels;
};

static float *numbers(size_t count, uint64_t seed)
{
    float *out = calloc(count + 1, sizeof *out);
    assert_non_null(out);
    numbers_fill(out, count, seed);
    return out;
}

static void norm_init(struct norm *norm, float mean)
{
    const struct norm_shape *s = &norm->shape;
    norm->pixels = s->height * s->width;
    norm->in = numbers(norm->pixels * (s->channels + 3), 1);
    for (size_t i = 0; i < norm->pixels * (s->channels + 3); i++)
        norm->in[i] += mean;
    norm->out = numbers(norm->pixels * (s->channels + 1), 2);
    norm->gamma = numbers(s->channels, 3);
    norm->beta = numbers(s->channels, 4);
    norm->modulation = numbers(2 * s->channels, 5);
    norm->scale_shift = numbers(2 * s->channels, 6);
    norm->scratch = numbers(16384, 7);
    norm->call = (struct norm_call){.gamma = norm->gamma,
                                    .beta = norm->beta,
                                    .modulation = norm->modulation,
                                    .in = norm->in,
                                    .in_ld = s->channels + 3,
                                    .out = norm->out,
                                    .out_ld = s->channels + 1,
                                    .scale_shift = norm->scale_shift};
}

static void norm_finish(struct norm *norm)
{
    free(norm->in);
    free(norm->out);
    free(norm->gamma);
    free(norm->beta);
    free(norm->modulation);
    free(norm->scale_shift);
    free(norm->scratch);
}

static void norm_run(const struct norm_kernel *kernel, struct norm *norm)
{
    assert_true(kernel->statistics_scratch_floats(&norm->shape) <= 16384);
    for (size_t part = kernel->statistics_parts(&norm->shape); part-- > 0;)
        kernel->statistics(&norm->shape, &norm->call, part, norm->scratch);
    for (size_t part = kernel->apply_parts(&norm->shape); part-- > 0;)
        kernel->apply(&norm->shape, &norm->call, part);
}

static void group_moments(const struct norm *norm, size_t group, double *mean, double *variance)
{
    size_t size = norm->shape.channels / norm->shape.groups;
    double n = (double)(size * norm->pixels);
    *mean = *variance = 0;
    for (size_t p = 0; p < norm->pixels; p++)
        for (size_t c = group * size; c < (group + 1) * size; c++)
            *mean += (double)norm->in[p * norm->call.in_ld + c] / n;
    for (size_t p = 0; p < norm->pixels; p++)
        for (size_t c = group * size; c < (group + 1) * size; c++) {
            double d = (double)norm->in[p * norm->call.in_ld + c] - *mean;
            *variance += d * d / n;
        }
}

static void check_norm(const struct norm *norm, double tolerance)
{
    size_t size = norm->shape.channels / norm->shape.groups;
    for (size_t c = 0; c < norm->shape.channels; c++) {
        double mean, variance;
        group_moments(norm, c / size, &mean, &variance);
        for (size_t p = 0; p < norm->pixels; p++) {
            double y = ((double)norm->in[p * norm->call.in_ld + c] - mean) /
                           sqrt(variance + norm->shape.epsilon) * (double)norm->gamma[c] +
                       (double)norm->beta[c];
            if (norm->call.modulation != NULL)
                y = y * (1 + (double)norm->modulation[c]) +
                    (double)norm->modulation[norm->shape.channels + c];
            y = exact(norm->shape.activation, y);
            assert_true(fabs((double)norm->out[p * norm->call.out_ld + c] - y) <= tolerance);
        }
    }
}

static const struct norm_shape SHAPES[] = {
    {1, 1, 4, 2, 1e-5, ACTIVATION_NONE},
    {5, 7, 6, 3, 1e-6, ACTIVATION_SILU},
    {4, 4, 40, 4, 1e-5, ACTIVATION_MISH},
    {3, 8, 33, 1, 1e-5, ACTIVATION_GELU},
    {16, 16, 96, 8, 1e-5, ACTIVATION_SILU},
    {24, 24, 120, 3, 1e-5, ACTIVATION_RELU}, /* several parts */
    {2, 3, 245, 7, 1e-5, ACTIVATION_SILU},
};

/* Where all numbers are one large number, rounding may make the variance negative. */
static void group_norm_of_equal_numbers_is_a_number(void **state)
{
    (void)state;
    for (size_t b = 0; b < build_count(); b++)
        for (size_t k = 0; k < 50; k++) {
            struct norm norm = {.shape = {5, 7, 6, 2, 1e-5, ACTIVATION_NONE}};
            norm_init(&norm, 0);
            for (size_t i = 0; i < norm.pixels * norm.call.in_ld; i++)
                norm.in[i] = 1e12f + 3.7e10f * (float)k;
            norm_run(&BUILDS[b]->norm, &norm);
            for (size_t p = 0; p < norm.pixels; p++)
                for (size_t c = 0; c < norm.shape.channels; c++)
                    assert_true(isfinite(norm.out[p * norm.call.out_ld + c]));
            norm_finish(&norm);
        }
}

static void group_norm_is_right_with_and_without_modulation(void **state)
{
    (void)state;
    for (size_t b = 0; b < build_count(); b++)
        for (size_t i = 0; i < 2 * sizeof SHAPES / sizeof *SHAPES; i++) {
            struct norm norm = {.shape = SHAPES[i / 2]};
            norm_init(&norm, 0.0f);
            if (i % 2 == 0)
                norm.call.modulation = NULL;
            norm_run(&BUILDS[b]->norm, &norm);
            check_norm(&norm, 1e-5);
            norm_finish(&norm);
        }
}

/* E[x^2] - E[x]^2 in float32 would be garbage here. */
static void a_large_mean_does_not_eat_the_variance(void **state)
{
    (void)state;
    struct norm norm = {.shape = {8, 8, 8, 2, 1e-5, ACTIVATION_NONE}};
    norm_init(&norm, 1000.0f);
    norm.call.modulation = NULL;
    norm_run(&pointwise_baseline.norm, &norm);
    check_norm(&norm, 5e-4); /* what rounding the scale and shift costs at this mean */
    norm_finish(&norm);
}

static void compare_norms(const struct pointwise *build, const struct norm_shape *shape)
{
    struct norm a = {.shape = *shape}, b = {.shape = *shape};
    norm_init(&a, 0.5f);
    norm_init(&b, 0.5f);
    norm_run(&pointwise_baseline.norm, &a);
    norm_run(&build->norm, &b);
    assert_memory_equal(a.scale_shift, b.scale_shift, 2 * shape->channels * sizeof(float));
    assert_memory_equal(a.out, b.out, a.pixels * a.call.out_ld * sizeof(float));
    norm_finish(&a);
    norm_finish(&b);
}

static void compare_softmax(const struct pointwise *build)
{
    float x[COUNT], y[COUNT];
    for (size_t length = 1; length < 100; length++) {
        numbers_fill(x, COUNT, length);
        memcpy(y, x, sizeof x);
        pointwise_baseline.softmax(x, length, COUNT / length, length, 7.0f);
        build->softmax(y, length, COUNT / length, length, 7.0f);
        assert_memory_equal(x, y, sizeof x);
    }
}

static void compare_activations(const struct pointwise *build)
{
    float x[COUNT], y[COUNT] = {0}, z[COUNT] = {0};
    numbers_fill(x, COUNT, 9);
    for (size_t i = 0; i < COUNT; i++)
        x[i] *= 100.0f;
    for (enum activation a = ACTIVATION_NONE; a <= ACTIVATION_TANH; a++)
        for (size_t count = COUNT - 17; count <= COUNT; count++) {
            y[COUNT - 1] = z[COUNT - 1] = 5.0f;
            pointwise_baseline.activate(a, x, y, count);
            build->activate(a, x, z, count);
            assert_memory_equal(y, z, sizeof y);
        }
}

static void all_builds_give_the_same_bits(void **state)
{
    (void)state;
    for (size_t b = 1; b < build_count(); b++) {
        for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
            compare_norms(BUILDS[b], &SHAPES[i]);
        compare_softmax(BUILDS[b]);
        compare_activations(BUILDS[b]);
    }
}

static int set_up(void **state)
{
    (void)state;
    gang_float_mode();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_are_those_of_their_names),
        cmocka_unit_test(activations_stay_finite_far_out),
        cmocka_unit_test(activations_keep_what_is_not_a_number),
        cmocka_unit_test(sums_go_on_in_one_chain_to_bias_and_activation),
        cmocka_unit_test(softmax_rows_are_shares),
        cmocka_unit_test(softmax_hides_no_score_that_is_not_finite),
        cmocka_unit_test(group_norm_of_equal_numbers_is_a_number),
        cmocka_unit_test(group_norm_is_right_with_and_without_modulation),
        cmocka_unit_test(a_large_mean_does_not_eat_the_variance),
        cmocka_unit_test(all_builds_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
