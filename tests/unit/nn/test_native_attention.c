/* Native attention: every build against double, and all of them bit by bit; samples together and
 * one by one, the last part first. Buffers end where the last row's last number ends. */
#include "tests/support/test.h"

#include "core/base/gang.h"
#include "core/nn/backend.h"
#include "core/nn/native.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const struct attention_kernel *kernel;
    int instructions; /* 0: none; 1: FMA; 2: AVX-512 */
} BUILDS[] = {{&native_attention_baseline, 0},
              {&native_attention_fma, 1},
              {&native_attention_avx2, 1},
              {&native_attention_avx512, 2}};

enum { BUILD_COUNT = sizeof BUILDS / sizeof *BUILDS };

static bool runs_here(size_t build)
{
    bool wide = cpu_has_fma() && __builtin_cpu_supports("avx512f") &&
                __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl");
    const bool has[] = {true, cpu_has_fma(), wide};
    return has[BUILDS[build].instructions];
}

struct attention {
    struct attention_shape shape;
    struct attention_call call;
    size_t inner, samples, stride, out_floats, gap;
    float *q, *k, *v, *bias, *residual, *out;
};

static float *numbers(size_t count, uint64_t *seed)
{
    float *out = malloc(count * sizeof *out);
    assert_non_null(out);
    numbers_fill(out, count, numbers_next(seed));
    return out;
}

/* Each with its own ld; the samples' stride fits the widest, the last sample ends with its row. */
static void attention_init(struct attention *a, bool with_all, uint64_t *seed)
{
    size_t tokens = a->shape.tokens;
    a->inner = a->shape.heads * a->shape.head_dim;
    a->stride = tokens * (a->inner + 7) + 5;
    size_t floats = (a->samples - 1) * a->stride + (tokens - 1) * (a->inner + a->gap) + a->inner;
    a->out_floats = floats;
    a->q = numbers(floats, seed);
    a->k = numbers(floats, seed);
    a->v = numbers(floats, seed);
    a->bias = numbers(a->inner, seed);
    a->residual = numbers(floats, seed);
    a->out = malloc(floats * sizeof *a->out);
    assert_non_null(a->out);
    a->call = (struct attention_call){.q = a->q,
                                      .k = a->k,
                                      .v = a->v,
                                      .bias = with_all ? a->bias : NULL,
                                      .residual = with_all ? a->residual : NULL,
                                      .out = a->out,
                                      .q_ld = a->inner + a->gap,
                                      .k_ld = a->inner + a->gap,
                                      .v_ld = a->inner + a->gap,
                                      .residual_ld = a->inner + a->gap,
                                      .out_ld = a->inner + a->gap,
                                      .divisor = with_all ? 1.25f : 1.0f,
                                      .samples = a->samples,
                                      .stride = a->stride};
}

static void attention_finish(struct attention *a)
{
    free(a->q);
    free(a->k);
    free(a->v);
    free(a->bias);
    free(a->residual);
    free(a->out);
}

/* What no part writes stays at 7. */
static void clear(struct attention *a)
{
    for (size_t i = 0; i < a->out_floats; i++)
        a->out[i] = 7.0f;
}

static float *scratch_for(size_t build, const struct attention *a)
{
    size_t floats = BUILDS[build].kernel->scratch_floats(&a->shape);
    float *scratch = aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64);
    assert_non_null(scratch);
    for (size_t i = 0; i < floats; i++)
        scratch[i] = NAN;
    return scratch;
}

static void run_together(size_t build, struct attention *a)
{
    const struct attention_kernel *kernel = BUILDS[build].kernel;
    float *scratch = scratch_for(build, a);
    clear(a);
    kernel->run(NULL, &a->shape, &a->call, (struct parts){0, kernel->parts(&a->shape)}, scratch);
    free(scratch);
}

static void run_alone(size_t build, struct attention *a)
{
    const struct attention_kernel *kernel = BUILDS[build].kernel;
    float *scratch = scratch_for(build, a);
    clear(a);
    for (size_t sample = 0; sample < a->samples; sample++) {
        struct attention_call call = a->call;
        size_t offset = sample * a->stride;
        call.q += offset;
        call.k += offset;
        call.v += offset;
        call.out += offset;
        call.residual = call.residual != NULL ? call.residual + offset : NULL;
        call.samples = 1;
        for (size_t part = kernel->parts(&a->shape); part-- > 0;)
            kernel->run(NULL, &a->shape, &call, (struct parts){part, part + 1}, scratch);
    }
    free(scratch);
}

/* --- in double -------------------------------------------------------------------------------- */

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void check_query(const struct attention *a, size_t sample, size_t head, size_t query)
{
    size_t dim = a->shape.head_dim, ld = a->inner + a->gap;
    size_t base = sample * a->stride + head * dim, at = base + query * ld;
    double sum = 0, share[400];
    for (size_t key = 0; key < a->shape.tokens; key++) {
        share[key] = exp((double)a->shape.scale * dot(a->q + at, a->k + base + key * ld, dim));
        sum += share[key];
    }
    for (size_t c = 0; c < dim; c++) {
        double expected = 0;
        for (size_t key = 0; key < a->shape.tokens; key++)
            expected += share[key] / sum * (double)a->v[base + key * ld + c];
        if (a->call.bias != NULL)
            expected += (double)a->bias[head * dim + c] + (double)a->residual[at + c];
        expected /= (double)a->call.divisor;
        if (!(fabs((double)a->out[at + c] - expected) <= 2e-6))
            fail_msg("%.9g is not %.9g", (double)a->out[at + c], expected);
    }
}

static void check(const struct attention *a)
{
    for (size_t sample = 0; sample < a->samples; sample++)
        for (size_t head = 0; head < a->shape.heads; head++)
            for (size_t query = 0; query < a->shape.tokens; query++)
                check_query(a, sample, head, query);
    for (size_t i = 0; i < a->out_floats; i++)
        if (i % a->stride % (a->inner + a->gap) >= a->inner)
            assert_true(a->out[i] == 7.0f);
}

/* --- tests ------------------------------------------------------------------------------------ */

static const struct attention_shape SHAPES[] = {
    {1, 1, 1, 1.0f},    {16, 1, 64, 0.125f}, {64, 2, 32, 0.17f}, {49, 3, 32, 0.17f},
    {16, 4, 32, 0.17f}, {33, 2, 7, 0.4f},    {5, 3, 41, 0.2f},   {70, 1, 300, 0.06f},
    {300, 1, 24, 0.2f}, {130, 1, 70, 0.1f},  {17, 1, 16, 0.25f}, {47, 5, 8, 0.35f},
};

static void each_shape(void (*test)(struct attention *attention))
{
    uint64_t seed = 5;
    for (size_t i = 0; i < 2 * sizeof SHAPES / sizeof *SHAPES; i++) {
        struct attention a = {.shape = SHAPES[i / 2], .samples = i % 3 + 1, .gap = i % 4};
        attention_init(&a, i % 2 == 0, &seed);
        test(&a);
        attention_finish(&a);
    }
}

static void compare_with_double(struct attention *a)
{
    for (size_t build = 0; build < BUILD_COUNT; build++)
        if (runs_here(build)) {
            run_together(build, a);
            check(a);
        }
}

static void attention_is_that_of_the_formula(void **state)
{
    (void)state;
    each_shape(compare_with_double);
}

static void compare_bits(struct attention *a)
{
    float *expected = malloc(a->out_floats * sizeof *expected);
    assert_non_null(expected);
    run_together(0, a);
    memcpy(expected, a->out, a->out_floats * sizeof *expected);
    for (size_t build = 0; build < BUILD_COUNT; build++)
        if (runs_here(build)) {
            run_together(build, a);
            assert_memory_equal(a->out, expected, a->out_floats * sizeof *expected);
            run_alone(build, a);
            assert_memory_equal(a->out, expected, a->out_floats * sizeof *expected);
        }
    free(expected);
}

static void builds_samples_and_parts_do_not_change_a_bit(void **state)
{
    (void)state;
    each_shape(compare_bits);
}

static void parts_follow_from_the_shape_and_are_alike_in_all_builds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        for (size_t build = 1; build < BUILD_COUNT; build++) {
            assert_int_equal(BUILDS[build].kernel->parts(&SHAPES[i]),
                             BUILDS[0].kernel->parts(&SHAPES[i]));
            assert_int_equal(BUILDS[build].kernel->scratch_floats(&SHAPES[i]),
                             BUILDS[0].kernel->scratch_floats(&SHAPES[i]));
        }
    const struct attention_shape large = {256, 1, 256, 0.0625f}, small = {16, 4, 32, 0.17f};
    assert_int_equal(BUILDS[0].kernel->parts(&large), 4);
    assert_int_equal(BUILDS[0].kernel->parts(&small), 1);
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
        cmocka_unit_test(attention_is_that_of_the_formula),
        cmocka_unit_test(builds_samples_and_parts_do_not_change_a_bit),
        cmocka_unit_test(parts_follow_from_the_shape_and_are_alike_in_all_builds),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
