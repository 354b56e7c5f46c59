/* Reverse mode's kernels, in every build that this CPU runs: sums against the chains that they
 * state, activations against formulas in double, Adam against its own, and all builds against each
 * other, bit for bit. */
#include "tests/support/test.h"

#include "core/base/math.h"
#include "core/nn/backend.h"
#include "core/nn/gradient.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct build {
    const struct gradient_kernels *kernels;
    bool (*fits)(void);
};

static const struct build builds[] = {
    {&gradient_kernels_baseline, cpu_is_any},
    {&gradient_kernels_fma, cpu_has_fma},
    {&gradient_kernels_avx2, cpu_has_fma},
    {&gradient_kernels_avx512, cpu_has_avx512},
};

enum { BUILD_COUNT = sizeof builds / sizeof builds[0], ROWS = 5, COLUMNS = 32, DIRECTIONS = 2 };
enum { BLOCK = ROWS * COLUMNS, ALL = (1 + DIRECTIONS) * BLOCK };

/* The next of them, the first of NULL; NULL: there are no more. */
static const struct build *build_after(const struct build *build)
{
    do
        build = build == NULL ? builds : build + 1;
    while (build < builds + BUILD_COUNT && !build->fits());
    return build < builds + BUILD_COUNT ? build : NULL;
}

static void *checked(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

/* --- outer product ---------------------------------------------------------------------------- */

static void assert_outer(const struct gradient_kernels *kernels, size_t rows, size_t down,
                         size_t across)
{
    size_t a_ld = 48, b_ld = 80, c_ld = across + 3;
    float *a = checked(malloc(rows * a_ld * sizeof *a));
    float *b = checked(malloc(rows * b_ld * sizeof *b));
    float *c = checked(malloc(down * c_ld * sizeof *c));
    float *before = checked(malloc(down * c_ld * sizeof *c));
    numbers_fill(a, rows * a_ld, rows);
    numbers_fill(b, rows * b_ld, across);
    numbers_fill(c, down * c_ld, down);
    memcpy(before, c, down * c_ld * sizeof *c);
    kernels->outer(&(struct outer_product){.rows = rows,
                                           .down = down,
                                           .across = across,
                                           .a = a,
                                           .b = b,
                                           .c = c,
                                           .a_ld = a_ld,
                                           .b_ld = b_ld,
                                           .c_ld = c_ld});
    for (size_t i = 0; i < down; i++)
        for (size_t j = 0; j < c_ld; j++) {
            float sum = before[i * c_ld + j];
            for (size_t r = 0; j < across && r < rows; r++)
                sum = fmaf(a[r * a_ld + i], b[r * b_ld + j], sum);
            assert_true(c[i * c_ld + j] == sum);
        }
    free(a);
    free(b);
    free(c);
    free(before);
}

static void an_outer_product_adds_each_row_in_its_turn(void **state)
{
    (void)state;
    for (const struct build *build = NULL; (build = build_after(build)) != NULL;) {
        for (size_t down = 1; down <= 13; down++)
            assert_outer(build->kernels, 4, down, 33);
        for (size_t across = 1; across <= 66; across += 5)
            assert_outer(build->kernels, 3, 12, across);
        assert_outer(build->kernels, 1, 48, 64);
    }
}

/* --- activations ------------------------------------------------------------------------------ */

struct curve {
    double value, slope, curvature;
};

static struct curve curve_silu(double x)
{
    double s = 1.0 / (1.0 + math_exp(-x));
    return (struct curve){x * s, s + x * s * (1.0 - s),
                          s * (1.0 - s) * (2.0 + x * (1.0 - 2.0 * s))};
}

static struct curve curve_gelu(double x)
{
    double phi = .5 * (1.0 + math_erf(x / sqrt(2.0)));
    double density = math_exp(-x * x / 2.0) / sqrt(2.0 * 3.14159265358979323846);
    return (struct curve){x * phi, phi + x * density, density * (2.0 - x * x)};
}

static struct curve curve_relu(double x)
{
    return (struct curve){x > 0.0 ? x : 0.0, x > 0.0 ? 1.0 : 0.0, 0.0};
}

static struct curve curve_elu(double x)
{
    double e = math_exp(x);
    return x > 0.0 ? (struct curve){x, 1.0, 0.0} : (struct curve){math_expm1(x), e, e};
}

static struct curve curve_tanh(double x)
{
    double t = math_tanh(x), slope = 1.0 - t * t;
    return (struct curve){t, slope, -2.0 * t * slope};
}

static const struct {
    enum activation activation;
    struct curve (*curve)(double x);
} activations[] = {
    {ACTIVATION_SILU, curve_silu}, {ACTIVATION_GELU, curve_gelu}, {ACTIVATION_RELU, curve_relu},
    {ACTIVATION_ELU, curve_elu},   {ACTIVATION_TANH, curve_tanh},
};

enum { ACTIVATIONS_COUNT = sizeof activations / sizeof activations[0] };

struct layer {
    float values[ALL], slope[BLOCK], curvature[BLOCK], sums[DIRECTIONS * BLOCK], bias[COLUMNS];
};

/* Sums in -12..12, biases in -1..1. */
static void fill_layer(struct layer *layer)
{
    numbers_fill(layer->values, ALL, 5);
    numbers_fill(layer->bias, COLUMNS, 6);
    for (size_t i = 0; i < BLOCK; i++)
        layer->values[i] *= 12.0f;
}

static void run_layer(const struct gradient_kernels *kernels, enum activation activation,
                      struct layer *layer)
{
    fill_layer(layer);
    kernels->activate(&(struct activation_rows){.activation = activation,
                                                .rows = ROWS,
                                                .columns = COLUMNS,
                                                .ld = COLUMNS,
                                                .directions = DIRECTIONS,
                                                .bias = layer->bias,
                                                .values = layer->values,
                                                .slope = layer->slope,
                                                .curvature = layer->curvature,
                                                .sums = layer->sums});
}

static void assert_near(float found, double exact)
{
    assert_true(fabs((double)found - exact) < 6e-7 * (1.0 + fabs(exact)));
}

static void activations_are_curves_with_two_derivatives(void **state)
{
    static struct layer before, layer;
    (void)state;
    fill_layer(&before);
    for (const struct build *build = NULL; (build = build_after(build)) != NULL;)
        for (size_t k = 0; k < ACTIVATIONS_COUNT; k++) {
            run_layer(build->kernels, activations[k].activation, &layer);
            for (size_t i = 0; i < BLOCK; i++) {
                float sum = before.values[i] + before.bias[i % COLUMNS];
                struct curve curve = activations[k].curve((double)sum);
                assert_near(layer.values[i], curve.value);
                assert_near(layer.slope[i], curve.slope);
                assert_near(layer.curvature[i], curve.curvature);
                for (size_t d = 0; d < DIRECTIONS; d++) {
                    float along = before.values[(1 + d) * BLOCK + i];
                    assert_true(layer.sums[d * BLOCK + i] == along);
                    assert_true(layer.values[(1 + d) * BLOCK + i] == along * layer.slope[i]);
                }
            }
        }
}

static void far_from_zero_activations_are_finite(void **state)
{
    static struct layer layer;
    (void)state;
    for (const struct build *build = NULL; (build = build_after(build)) != NULL;)
        for (size_t k = 0; k < ACTIVATIONS_COUNT; k++) {
            for (size_t i = 0; i < ALL; i++)
                layer.values[i] = (i % 2 == 0 ? 1.0f : -1.0f) * 1e4f;
            memset(layer.bias, 0, sizeof layer.bias);
            build->kernels->activate(
                &(struct activation_rows){.activation = activations[k].activation,
                                          .rows = ROWS,
                                          .columns = COLUMNS,
                                          .ld = COLUMNS,
                                          .bias = layer.bias,
                                          .values = layer.values,
                                          .slope = layer.slope});
            assert_true(math_all_finite(layer.values, BLOCK) &&
                        math_all_finite(layer.slope, BLOCK));
        }
}

static void the_way_back_goes_through_slope_and_curvature(void **state)
{
    static struct layer layer;
    static float back[ALL], before[ALL], bias[COLUMNS];
    (void)state;
    for (const struct build *build = NULL; (build = build_after(build)) != NULL;) {
        double sums[COLUMNS] = {0};
        run_layer(build->kernels, ACTIVATION_SILU, &layer);
        numbers_fill(before, ALL, 9);
        memcpy(back, before, sizeof back);
        memset(bias, 0, sizeof bias);
        build->kernels->slope(&(struct slope_rows){.rows = ROWS,
                                                   .columns = COLUMNS,
                                                   .ld = COLUMNS,
                                                   .directions = DIRECTIONS,
                                                   .slope = layer.slope,
                                                   .curvature = layer.curvature,
                                                   .sums = layer.sums,
                                                   .values = back,
                                                   .bias_gradient = bias});
        for (size_t i = 0; i < BLOCK; i++) {
            double exact = (double)layer.slope[i] * (double)before[i];
            for (size_t d = 0; d < DIRECTIONS; d++) {
                float along = before[(1 + d) * BLOCK + i];
                exact +=
                    (double)layer.curvature[i] * (double)layer.sums[d * BLOCK + i] * (double)along;
                assert_true(back[(1 + d) * BLOCK + i] == along * layer.slope[i]);
            }
            assert_near(back[i], exact);
            sums[i % COLUMNS] += exact;
        }
        for (size_t j = 0; j < COLUMNS; j++)
            assert_near(bias[j], sums[j]);
    }
}

/* --- Adam ------------------------------------------------------------------------------------- */

struct weights {
    float gradient[37], weights[37], first[37], second[37], average[37];
};

static void run_adam(const struct gradient_kernels *kernels, struct weights *w)
{
    numbers_fill((float *)w, sizeof *w / sizeof(float), 4);
    for (size_t i = 0; i < 37; i++)
        w->second[i] = fabsf(w->second[i]);
    struct adam_step step = {w->gradient, w->weights, w->first, w->second, w->average, .1f,
                             .999f,       .001f,      .01f,     2.0f,      1e-8f,      .25f};
    kernels->adam(&step, 37);
}

static void adam_moves_by_its_formula(void **state)
{
    (void)state;
    for (const struct build *build = NULL; (build = build_after(build)) != NULL;) {
        struct weights w, b;
        numbers_fill((float *)&b, sizeof b / sizeof(float), 4);
        run_adam(build->kernels, &w);
        for (size_t i = 0; i < 37; i++) {
            double g = (double)b.gradient[i], first = .9 * (double)b.first[i] + .1 * g;
            double second = .999 * fabs((double)b.second[i]) + .001 * g * g;
            double weight = (double)b.weights[i] - .01 * first / (2.0 * sqrt(second) + 1e-8);
            assert_near(w.first[i], first);
            assert_near(w.second[i], second);
            assert_near(w.weights[i], weight);
            assert_near(w.average[i], .75 * (double)b.average[i] + .25 * weight);
        }
    }
}

/* --- all builds ------------------------------------------------------------------------------- */

static void all_builds_give_the_same_bits(void **state)
{
    static struct layer first, other;
    struct weights one, two;
    (void)state;
    run_adam(builds[0].kernels, &one);
    for (const struct build *build = NULL; (build = build_after(build)) != NULL;) {
        run_adam(build->kernels, &two);
        assert_memory_equal(&one, &two, sizeof one);
        for (size_t k = 0; k < ACTIVATIONS_COUNT; k++) {
            run_layer(builds[0].kernels, activations[k].activation, &first);
            run_layer(build->kernels, activations[k].activation, &other);
            assert_memory_equal(&first, &other, sizeof first);
        }
    }
}

static void packed_rows_are_found_where_panels_have_them(void **state)
{
    enum { DEPTH = 300, WIDTH = 45, LD = 50 };
    static float matrix[DEPTH * LD];
    float *panels = malloc(panel_floats(WIDTH, DEPTH) * sizeof *panels);
    (void)state;
    assert_non_null(panels);
    numbers_fill(matrix, DEPTH * LD, 2);
    panel_pack(matrix, LD, WIDTH, DEPTH, panels);
    for (size_t k = 0; k < DEPTH; k++)
        for (size_t j = 0; j < WIDTH; j++)
            assert_true(panels[panel_place(WIDTH, DEPTH, k, j)] == matrix[k * LD + j]);
    for (size_t k = 0; k < DEPTH; k++)
        for (size_t j = WIDTH; j < panel_width(WIDTH); j++)
            assert_true(panels[panel_place(WIDTH, DEPTH, k, j)] == 0.0f);
    free(panels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outer_product_adds_each_row_in_its_turn),
        cmocka_unit_test(activations_are_curves_with_two_derivatives),
        cmocka_unit_test(far_from_zero_activations_are_finite),
        cmocka_unit_test(the_way_back_goes_through_slope_and_curvature),
        cmocka_unit_test(adam_moves_by_its_formula),
        cmocka_unit_test(all_builds_give_the_same_bits),
        cmocka_unit_test(packed_rows_are_found_where_panels_have_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
