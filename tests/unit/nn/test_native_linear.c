/* The native linear layer, in every build that this CPU runs, part by part and the last part
 * first, against the chain that its contract states: each number has the same bits. */
#include "tests/support/test.h"

#include "tests/support/native_builds.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct layer {
    struct linear_shape shape;
    struct layer_call call;
    float *weights, *bias, *in, *residual, *out, *packed;
    size_t out_floats;
};

static bool coin(uint64_t *seed)
{
    return numbers_between(seed, 0, 1) == 1;
}

static void layer_init(struct layer *layer, uint64_t *seed)
{
    const struct linear_shape *s = &layer->shape;
    size_t samples = numbers_between(seed, 1, 3), last = s->rows - 1;
    size_t in_ld = s->in + numbers_between(seed, 0, 3),
           out_ld = s->out + numbers_between(seed, 0, 3);
    size_t residual_ld = s->out + numbers_between(seed, 0, 3);
    size_t stride = s->rows * (s->in + s->out + 6);
    size_t before = (samples - 1) * stride;
    layer->out_floats = before + last * out_ld + s->out;
    layer->weights = native_numbers(s->in * s->out, seed);
    layer->bias = native_numbers(before + s->out, seed);
    layer->in = native_numbers(before + last * in_ld + s->in, seed);
    layer->residual = native_numbers(before + last * residual_ld + s->out, seed);
    layer->out = native_nans(layer->out_floats);
    layer->call = (struct layer_call){.bias = coin(seed) ? layer->bias : NULL,
                                      .bias_stride = coin(seed) ? stride : 0,
                                      .in = layer->in,
                                      .in_ld = in_ld,
                                      .residual = coin(seed) ? layer->residual : NULL,
                                      .residual_ld = residual_ld,
                                      .out = layer->out,
                                      .out_ld = out_ld,
                                      .divisor = coin(seed) ? 1.0f : 1.4f,
                                      .samples = samples,
                                      .stride = stride};
}

static void layer_finish(struct layer *layer)
{
    free(layer->weights);
    free(layer->bias);
    free(layer->in);
    free(layer->residual);
    free(layer->out);
}

static float expected(const struct layer *layer, size_t sample, size_t row, size_t j)
{
    const struct layer_call *call = &layer->call;
    size_t in = layer->shape.in, base = sample * call->stride;
    float sum = 0;
    for (size_t k = 0; k < in; k++)
        sum = fmaf(layer->in[base + row * call->in_ld + k], layer->weights[j * in + k], sum);
    if (call->bias != NULL)
        sum += layer->bias[sample * call->bias_stride + j];
    if (call->residual != NULL)
        sum += layer->residual[base + row * call->residual_ld + j];
    return call->divisor == 1.0f ? sum : sum / call->divisor;
}

/* All that is written, and nothing else: what lies between rows and samples is still a NaN. */
static void assert_written(const struct layer *layer)
{
    const struct layer_call *call = &layer->call;
    for (size_t i = 0; i < layer->out_floats; i++) {
        size_t sample = i / call->stride, place = i % call->stride;
        size_t row = place / call->out_ld, j = place % call->out_ld;
        if (row >= layer->shape.rows || j >= layer->shape.out) {
            assert_true(isnan(layer->out[i]));
            continue;
        }
        float wanted = expected(layer, sample, row, j);
        if (memcmp(&wanted, &layer->out[i], sizeof wanted) != 0)
            fail_msg("%zu rows, %zu > %zu: sample %zu, row %zu, %zu is %.9g, not %.9g",
                     layer->shape.rows, layer->shape.in, layer->shape.out, sample, row, j,
                     (double)layer->out[i], (double)wanted);
    }
}

static void check_layer(struct linear_shape shape, uint64_t *seed)
{
    struct layer layer = {.shape = shape};
    layer_init(&layer, seed);
    const struct native_build *build;
    for (size_t i = 0; (build = native_build_at(i)) != NULL; i++) {
        float *packed = native_nans(build->linear->weight_floats(&shape));
        build->linear->prepare(&build->kernels, &shape, layer.weights, packed);
        layer.call.weights = packed;
        for (size_t j = 0; j < layer.out_floats; j++)
            layer.out[j] = NAN;
        for (size_t part = build->linear->parts(&shape); part-- > 0;)
            build->linear->run(&build->kernels, &shape, &layer.call,
                               (struct parts){part, part + 1});
        assert_written(&layer);
        build->linear->run(&build->kernels, &shape, &layer.call,
                           (struct parts){0, build->linear->parts(&shape)});
        assert_written(&layer);
        free(packed);
    }
    layer_finish(&layer);
}

static void every_number_is_one_chain(void **state)
{
    (void)state;
    static const size_t ROWS[] = {1, 1, 1, 2, 4, 7, 16, 31, 64, 65};
    uint64_t seed = 41;
    for (size_t round = 0; round < 6; round++)
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
            check_layer((struct linear_shape){.rows = ROWS[i],
                                              .in = numbers_between(&seed, 1, 40),
                                              .out = numbers_between(&seed, 1, 100)},
                        &seed);
}

static void layers_in_several_parts_and_blocks_of_depth_are_right(void **state)
{
    (void)state;
    static const struct linear_shape SHAPES[] = {{1, 530, 1000}, {8, 300, 230}, {130, 70, 66},
                                                 {300, 33, 60},  {16, 600, 64}, {64, 60, 140}};
    uint64_t seed = 42;
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        assert_true(native_build_at(0)->linear->parts(&SHAPES[i]) > 1);
        check_layer(SHAPES[i], &seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_one_chain),
        cmocka_unit_test(layers_in_several_parts_and_blocks_of_depth_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
