/* Convolution, linear layer and attention of every backend against loops in double, part by part,
 * the last part first. Outputs begin as NaN, so a number that no part writes is found. */
#include "tests/support/test.h"

#include "core/base/gang.h"
#include "core/nn/kernels.h"
#include "tests/support/kernel_list.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *numbers(size_t count, uint64_t *seed)
{
    float *out = malloc((count + 1) * sizeof *out);
    assert_non_null(out);
    numbers_fill(out, count, numbers_next(seed));
    return out;
}

static float *nans(size_t count)
{
    float *out = malloc((count + 1) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        out[i] = NAN;
    return out;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.9g is not %.9g", value, expected);
}

/* --- convolution ------------------------------------------------------------------------------ */

struct conv {
    struct conv_shape shape;
    struct layer_call call;
    float *weights, *packed, *bias, *in, *residual, *out, *scratch;
    size_t pixels;
};

static struct conv_shape random_conv_shape(uint64_t *seed)
{
    struct conv_shape shape = {.in_height = numbers_between(seed, 1, 12),
                               .in_width = numbers_between(seed, 1, 12),
                               .in_channels = numbers_between(seed, 1, 9),
                               .out_channels = numbers_between(seed, 1, 20),
                               .stride = 1,
                               .pad = 1};
    size_t kind = numbers_between(seed, 0, 3); /* same size, twice, half, half without padding */
    if (kind >= 2) {
        shape.in_height *= 2;
        shape.in_width *= 2;
        shape.stride = 2;
        shape.pad = kind == 2;
    }
    shape.upsampled = kind == 1;
    shape.out_height = kind == 1 ? 2 * shape.in_height : shape.in_height / shape.stride;
    shape.out_width = kind == 1 ? 2 * shape.in_width : shape.in_width / shape.stride;
    return shape;
}

static void conv_init(struct conv *conv, const struct kernels *kernels, uint64_t *seed)
{
    const struct conv_shape *s = &conv->shape;
    size_t in_pixels = s->in_height * s->in_width, extra = numbers_between(seed, 0, 3);
    conv->pixels = s->out_height * s->out_width;
    conv->weights = numbers(s->out_channels * s->in_channels * 9, seed);
    conv->packed = nans(kernels->conv->weight_floats(s));
    kernels->conv->prepare(kernels, s, conv->weights, conv->packed);
    conv->bias = numbers(s->out_channels, seed);
    conv->in = numbers(in_pixels * (s->in_channels + extra), seed);
    conv->residual = numbers(conv->pixels * (s->out_channels + extra), seed);
    conv->out = nans(conv->pixels * (s->out_channels + extra));
    conv->scratch = nans(kernels->conv->scratch_floats(s));
    conv->call = (struct layer_call){.weights = conv->packed,
                                     .bias = conv->bias,
                                     .in = conv->in,
                                     .in_ld = s->in_channels + extra,
                                     .residual = conv->residual,
                                     .residual_ld = s->out_channels + extra,
                                     .out = conv->out,
                                     .out_ld = s->out_channels + extra,
                                     .divisor = 1.25f,
                                     .samples = 1};
}

static void conv_finish(struct conv *conv)
{
    free(conv->weights);
    free(conv->packed);
    free(conv->bias);
    free(conv->in);
    free(conv->residual);
    free(conv->out);
    free(conv->scratch);
}

static double conv_expected(const struct conv *conv, size_t pixel, size_t out)
{
    const struct conv_shape *s = &conv->shape;
    size_t up = s->upsampled ? 2 : 1;
    double sum =
        (double)conv->bias[out] + (double)conv->residual[pixel * conv->call.residual_ld + out];
    for (size_t tap = 0; tap < 9; tap++) {
        /* One more than the place, so that zero is the row above the map. */
        size_t y = pixel / s->out_width * s->stride + tap / 3 + 1 - s->pad;
        size_t x = pixel % s->out_width * s->stride + tap % 3 + 1 - s->pad;
        if (y == 0 || x == 0 || y > up * s->in_height || x > up * s->in_width)
            continue;
        const float *in = conv->in + ((y - 1) / up * s->in_width + (x - 1) / up) * conv->call.in_ld;
        for (size_t c = 0; c < s->in_channels; c++)
            sum += (double)in[c] * (double)conv->weights[(out * s->in_channels + c) * 9 + tap];
    }
    return sum / 1.25;
}

static void convolutions_are_right_at_every_edge(void **state)
{
    (void)state;
    const struct backend *backend;
    for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
        uint64_t seed = 11;
        for (int round = 0; round < 40; round++) {
            struct conv conv = {.shape = random_conv_shape(&seed)};
            conv_init(&conv, backend->kernels, &seed);
            for (size_t part = backend->kernels->conv->parts(&conv.shape); part-- > 0;)
                backend->kernels->conv->run(backend->kernels, &conv.shape, &conv.call,
                                            (struct parts){part, part + 1}, conv.scratch);
            for (size_t pixel = 0; pixel < conv.pixels; pixel++)
                for (size_t out = 0; out < conv.shape.out_channels; out++)
                    assert_near((double)conv.out[pixel * conv.call.out_ld + out],
                                conv_expected(&conv, pixel, out), 2e-5);
            conv_finish(&conv);
        }
    }
}

/* Shapes that are cut: by rows, by columns, and along the depth. */
static void check_large(const struct kernels *kernels, const size_t size[3], uint64_t seed)
{
    struct conv conv = {.shape = {.in_height = size[0],
                                  .in_width = size[0],
                                  .in_channels = size[1],
                                  .out_height = size[0],
                                  .out_width = size[0],
                                  .out_channels = size[2],
                                  .stride = 1,
                                  .pad = 1}};
    conv_init(&conv, kernels, &seed);
    size_t parts = kernels->conv->parts(&conv.shape);
    assert_true(size[2] < 100 || parts > 1);
    for (size_t part = parts; part-- > 0;)
        kernels->conv->run(kernels, &conv.shape, &conv.call, (struct parts){part, part + 1},
                           conv.scratch);
    for (size_t pixel = 0; pixel < conv.pixels; pixel++)
        for (size_t out = pixel % 7; out < conv.shape.out_channels; out += 7)
            assert_near((double)conv.out[pixel * conv.call.out_ld + out],
                        conv_expected(&conv, pixel, out), 1e-4);
    conv_finish(&conv);
}

static void large_convolutions_are_right_part_by_part(void **state)
{
    (void)state;
    static const size_t SIZES[][3] = {{16, 40, 128}, {8, 24, 256}, {9, 200, 160}, {4, 440, 40}};
    const struct backend *backend;
    for (size_t b = 0; (backend = backend_at(b)) != NULL; b++)
        for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++)
            check_large(backend->kernels, SIZES[i], 12 + i);
}

/* --- linear ----------------------------------------------------------------------------------- */

static void check_linear(const struct kernels *kernels, struct linear_shape shape, uint64_t *seed)
{
    float *weights = numbers(shape.in * shape.out, seed), *bias = numbers(shape.out, seed);
    float *in = numbers(shape.rows * (shape.in + 2), seed), *out = nans(shape.rows * shape.out);
    float *packed = nans(kernels->linear->weight_floats(&shape));
    kernels->linear->prepare(kernels, &shape, weights, packed);
    struct layer_call call = {.weights = packed,
                              .bias = bias,
                              .in = in,
                              .in_ld = shape.in + 2,
                              .out = out,
                              .out_ld = shape.out,
                              .divisor = 1.0f,
                              .samples = 1};
    for (size_t part = kernels->linear->parts(&shape); part-- > 0;)
        kernels->linear->run(kernels, &shape, &call, (struct parts){part, part + 1});
    for (size_t row = 0; row < shape.rows; row++)
        for (size_t j = 0; j < shape.out; j++) {
            double sum = (double)bias[j];
            for (size_t k = 0; k < shape.in; k++)
                sum += (double)in[row * (shape.in + 2) + k] * (double)weights[j * shape.in + k];
            assert_near((double)out[row * shape.out + j], sum, 5e-5);
        }
    free(weights);
    free(bias);
    free(in);
    free(out);
    free(packed);
}

static void linear_layers_are_right_for_vectors_tiles_and_maps(void **state)
{
    (void)state;
    static const size_t ROWS[] = {1, 8, 30, 64, 65, 100, 300};
    const struct backend *backend;
    for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
        uint64_t seed = 21;
        for (size_t round = 0; round < sizeof ROWS / sizeof *ROWS; round++)
            check_linear(backend->kernels,
                         (struct linear_shape){.rows = ROWS[round],
                                               .in = numbers_between(&seed, 1, 40),
                                               .out = numbers_between(&seed, 1, 50)},
                         &seed);
        if (backend == backend_find("openblas")) {
            check_linear(backend->kernels, (struct linear_shape){1, 600, 1300}, &seed);
            check_linear(backend->kernels, (struct linear_shape){16, 520, 520}, &seed);
        }
    }
}

/* --- attention -------------------------------------------------------------------------------- */

static void attention_row(const struct attention_shape *shape, const float *in, size_t ld,
                          size_t head, size_t query, double *out)
{
    double scores[300], largest = -(double)INFINITY, sum = 0;
    size_t inner = shape->heads * shape->head_dim, first = head * shape->head_dim;
    for (size_t t = 0; t < shape->tokens; t++) {
        scores[t] = 0;
        for (size_t k = first; k < first + shape->head_dim; k++)
            scores[t] += (double)in[query * ld + k] * (double)in[t * ld + inner + k];
        scores[t] /= sqrt((double)shape->head_dim);
        largest = fmax(largest, scores[t]);
    }
    memset(out, 0, shape->head_dim * sizeof *out);
    for (size_t t = 0; t < shape->tokens; t++) {
        double share = exp(scores[t] - largest);
        sum += share;
        for (size_t k = 0; k < shape->head_dim; k++)
            out[k] += share * (double)in[t * ld + 2 * inner + first + k];
    }
    for (size_t k = 0; k < shape->head_dim; k++)
        out[k] /= sum;
}

static void check_attention(const struct kernels *kernels, struct attention_shape shape,
                            uint64_t *seed)
{
    size_t inner = shape.heads * shape.head_dim, ld = 3 * inner;
    float *in = numbers(shape.tokens * ld, seed), *out = nans(shape.tokens * inner);
    float *scratch = nans(kernels->attention->scratch_floats(&shape));
    for (size_t i = 0; i < shape.tokens * ld; i++)
        in[i] *= 4.0f;
    shape.scale = (float)(1.0 / sqrt((double)shape.head_dim));
    struct attention_call call = {.q = in,
                                  .k = in + inner,
                                  .v = in + 2 * inner,
                                  .q_ld = ld,
                                  .k_ld = ld,
                                  .v_ld = ld,
                                  .out = out,
                                  .out_ld = inner,
                                  .divisor = 1.0f,
                                  .samples = 1};
    for (size_t part = kernels->attention->parts(&shape); part-- > 0;)
        kernels->attention->run(kernels, &shape, &call, (struct parts){part, part + 1}, scratch);
    for (size_t head = 0; head < shape.heads; head++)
        for (size_t query = 0; query < shape.tokens; query++) {
            double expected[64];
            attention_row(&shape, in, ld, head, query, expected);
            for (size_t k = 0; k < shape.head_dim; k++)
                assert_near((double)out[query * inner + head * shape.head_dim + k], expected[k],
                            5e-5);
        }
    free(in);
    free(out);
    free(scratch);
}

static void attention_is_right_for_each_head(void **state)
{
    (void)state;
    static const struct attention_shape SHAPES[] = {{1, 1, 1, 0},   {7, 2, 8, 0},  {16, 3, 5, 0},
                                                    {49, 1, 32, 0}, {80, 2, 4, 0}, {257, 1, 8, 0}};
    const struct backend *backend;
    for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
        uint64_t seed = 31;
        for (size_t k = 0; k < sizeof SHAPES / sizeof *SHAPES; k++)
            check_attention(backend->kernels, SHAPES[k], &seed);
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
        cmocka_unit_test(convolutions_are_right_at_every_edge),
        cmocka_unit_test(large_convolutions_are_right_part_by_part),
        cmocka_unit_test(linear_layers_are_right_for_vectors_tiles_and_maps),
        cmocka_unit_test(attention_is_right_for_each_head),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
