/* Layers of any shape: every build of the native kernels gives the same bits, and near to what
 * loops in double give, and reads and writes nothing beyond its arrays. The input is the shape.
 * Build with clang: -fsanitize=fuzzer,address,undefined; run on tests/fuzz/corpus/kernels. */
#include "core/base/gang.h"
#include "core/nn/kernels.h"
#include "tests/support/kernel_list.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
    uint64_t seed;
};

/* In minimum..maximum, both included; the minimum where the input has ended. */
static size_t take(struct input *input, size_t minimum, size_t maximum)
{
    if (input->size == 0)
        return minimum;
    input->size--;
    return minimum + *input->data++ % (maximum - minimum + 1);
}

static float *numbers(struct input *input, size_t count)
{
    float *out = malloc(count * sizeof *out);

    if (out == NULL)
        abort();
    numbers_fill(out, count, numbers_next(&input->seed));
    return out;
}

/* A number that no kernel writes stays one that fails every comparison. */
static float *blanks(size_t count)
{
    float *out = malloc(count * sizeof *out);

    if (out == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        out[i] = NAN;
    return out;
}

static void complain(const char *what, const struct backend *backend, size_t place)
{
    fprintf(stderr, "%s by %s (%s) at %zu\n", what, backend->name, backend->details(), place);
    abort();
}

/* --- an operation on every build -------------------------------------------------------------- */

struct test {
    size_t out_floats;
    /* What a build makes of it, into blanks. */
    void (*run)(const struct test *test, const struct kernels *kernels, float *out);
    /* One number of it, and what it may be off by; NAN: nothing is written there. */
    double (*expected)(const struct test *test, size_t place, double *tolerance);
};

static void check_numbers(const struct test *test, const struct backend *backend, const float *out,
                          struct input *input)
{
    for (size_t i = 0; i < 64; i++) {
        const size_t place = numbers_next(&input->seed) % test->out_floats;
        double tolerance = 0;
        const double expected = test->expected(test, place, &tolerance);

        if (isnan(expected) ? !isnan(out[place])
                            : !(fabs((double)out[place] - expected) <= tolerance))
            complain("wrong number", backend, place);
    }
}

static void check_builds(const struct test *test, struct input *input)
{
    float *first = NULL;
    const struct backend *backend;

    for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
        float *out;

        if (backend->kernels->gemm != NULL)
            continue;
        out = blanks(test->out_floats);
        test->run(test, backend->kernels, out);
        check_numbers(test, backend, out, input);
        if (first != NULL && memcmp(first, out, test->out_floats * sizeof *out) != 0)
            complain("other bits", backend, 0);
        if (first == NULL)
            first = out;
        else
            free(out);
    }
    free(first);
}

/* --- convolutions and linear layers ----------------------------------------------------------- */

struct layer {
    struct test test; /* first: a test is cast back to its layer */
    bool is_conv;
    struct conv_shape conv;
    struct linear_shape linear;
    struct layer_call call;
    size_t in_rows, out_rows, in, out, taps;
    float *weights, *bias, *input, *residual, *scale_shift;
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void draw_conv(struct input *input, struct layer *layer)
{
    const size_t kind = take(input, 0, 3); /* same size, twice, half, half without padding */
    struct conv_shape *s = &layer->conv;

    *s = (struct conv_shape){.in_height = take(input, 1, 14),
                             .in_width = take(input, 1, 14),
                             .in_channels = take(input, 1, 40),
                             .out_channels = take(input, 1, 40),
                             .stride = kind < 2 ? 1 : 2,
                             .pad = kind < 3,
                             .upsampled = kind == 1};
    if (kind >= 2) {
        s->in_height *= 2;
        s->in_width *= 2;
    }
    s->out_height = kind == 1 ? 2 * s->in_height : s->in_height / s->stride;
    s->out_width = kind == 1 ? 2 * s->in_width : s->in_width / s->stride;
    layer->in_rows = s->in_height * s->in_width;
    layer->out_rows = s->out_height * s->out_width;
    layer->in = s->in_channels;
    layer->out = s->out_channels;
    layer->taps = 9;
}

static void draw_linear(struct input *input, struct layer *layer)
{
    layer->linear = (struct linear_shape){
        .rows = take(input, 1, 40), .in = take(input, 1, 255), .out = take(input, 1, 80)};
    if (take(input, 0, 3) == 0)
        layer->linear.in += 256;
    layer->in_rows = layer->out_rows = layer->linear.rows;
    layer->in = layer->linear.in;
    layer->out = layer->linear.out;
    layer->taps = 1;
}

static void draw_call(struct input *input, struct layer *layer)
{
    struct layer_call *call = &layer->call;
    const bool normed = layer->is_conv && take(input, 0, 1) == 1;

    call->samples = take(input, 1, 3);
    call->in_ld = layer->in + take(input, 0, 3);
    call->out_ld = layer->out + take(input, 0, 3);
    call->residual_ld = layer->out + take(input, 0, 3);
    call->divisor = take(input, 0, 1) == 0 ? 1.0f : 1.25f;
    call->activation = take(input, 0, 1) == 0 ? ACTIVATION_SILU : ACTIVATION_RELU;
    call->stride = larger(layer->in_rows * call->in_ld, 2 * layer->in);
    call->stride = larger(call->stride, layer->out_rows * larger(call->out_ld, call->residual_ld));
    call->bias_stride = take(input, 0, 1) * call->stride;
    layer->weights = numbers(input, layer->taps * layer->in * layer->out);
    layer->input = numbers(input, call->samples * call->stride);
    layer->bias = take(input, 0, 3) == 0 ? NULL : numbers(input, call->samples * call->stride);
    layer->residual = take(input, 0, 1) == 0 ? NULL : numbers(input, call->samples * call->stride);
    layer->scale_shift = normed ? numbers(input, call->samples * call->stride) : NULL;
    call->in = layer->input;
    call->bias = layer->bias;
    call->residual = layer->residual;
    call->scale_shift = layer->scale_shift;
    layer->test.out_floats = call->samples * call->stride;
}

static void run_layer(const struct test *test, const struct kernels *kernels, float *out)
{
    const struct layer *layer = (const struct layer *)(const void *)test;
    const struct conv_shape *conv = &layer->conv;
    const struct linear_shape *linear = &layer->linear;
    const size_t floats = layer->is_conv ? kernels->conv->weight_floats(conv)
                                         : kernels->linear->weight_floats(linear);
    float *packed = blanks(floats + 1);
    float *scratch = blanks(layer->is_conv ? kernels->conv->scratch_floats(conv) + 1 : 1);
    struct layer_call call = layer->call;
    size_t parts = layer->is_conv ? kernels->conv->parts(conv) : kernels->linear->parts(linear);

    call.weights = packed;
    call.out = out;
    if (layer->is_conv)
        kernels->conv->prepare(kernels, conv, layer->weights, packed);
    else
        kernels->linear->prepare(kernels, linear, layer->weights, packed);
    for (; parts > 0; parts--)
        if (layer->is_conv)
            kernels->conv->run(kernels, conv, &call, (struct parts){parts - 1, parts}, scratch);
        else
            kernels->linear->run(kernels, linear, &call, (struct parts){parts - 1, parts});
    free(packed);
    free(scratch);
}

static double read_input(const struct layer *layer, size_t sample, size_t row, size_t channel)
{
    const struct layer_call *call = &layer->call;
    const float x = call->in[sample * call->stride + row * call->in_ld + channel];
    double y;

    if (call->scale_shift == NULL)
        return (double)x;
    y = (double)x * (double)call->scale_shift[sample * call->stride + channel] +
        (double)call->scale_shift[sample * call->stride + layer->in + channel];
    return call->activation == ACTIVATION_RELU ? fmax(y, 0) : y / (1 + exp(-y));
}

/* The row of the input that a tap of an output row reads; SIZE_MAX in the border. */
static size_t row_of_tap(const struct layer *layer, size_t row, size_t tap)
{
    const struct conv_shape *s = &layer->conv;
    const size_t up = s->upsampled ? 2 : 1;
    size_t y, x; /* one more than the place */

    if (!layer->is_conv)
        return row;
    y = row / s->out_width * s->stride + tap / 3 + 1 - s->pad;
    x = row % s->out_width * s->stride + tap % 3 + 1 - s->pad;
    if (y == 0 || x == 0 || y > up * s->in_height || x > up * s->in_width)
        return SIZE_MAX;
    return (y - 1) / up * s->in_width + (x - 1) / up;
}

static double expect_layer(const struct test *test, size_t place, double *tolerance)
{
    const struct layer *layer = (const struct layer *)(const void *)test;
    const struct layer_call *call = &layer->call;
    const size_t sample = place / call->stride, row = place % call->stride / call->out_ld;
    const size_t out = place % call->stride % call->out_ld;
    double sum = 0, size = 1;

    if (row >= layer->out_rows || out >= layer->out)
        return (double)NAN;
    if (call->bias != NULL)
        sum += (double)call->bias[sample * call->bias_stride + out];
    if (call->residual != NULL)
        sum += (double)call->residual[sample * call->stride + row * call->residual_ld + out];
    for (size_t tap = 0; tap < layer->taps; tap++) {
        const size_t from = row_of_tap(layer, row, tap);

        for (size_t k = 0; from != SIZE_MAX && k < layer->in; k++) {
            const double term = read_input(layer, sample, from, k) *
                                (double)layer->weights[(out * layer->in + k) * layer->taps + tap];

            sum += term;
            size += fabs(term);
        }
    }
    *tolerance = 1e-5 * size;
    return sum / (double)call->divisor;
}

static void try_layer(struct input *input, bool is_conv)
{
    struct layer layer = {.test = {.run = run_layer, .expected = expect_layer}, .is_conv = is_conv};

    if (is_conv)
        draw_conv(input, &layer);
    else
        draw_linear(input, &layer);
    draw_call(input, &layer);
    check_builds(&layer.test, input);
    free(layer.weights);
    free(layer.bias);
    free(layer.input);
    free(layer.residual);
    free(layer.scale_shift);
}

/* --- attention -------------------------------------------------------------------------------- */

struct attention {
    struct test test; /* first: a test is cast back to its attention */
    struct attention_shape shape;
    struct attention_call call;
    size_t inner;
    float *q, *k, *v, *bias, *residual;
};

static void run_attention(const struct test *test, const struct kernels *kernels, float *out)
{
    const struct attention *attention = (const struct attention *)(const void *)test;
    float *scratch = blanks(kernels->attention->scratch_floats(&attention->shape) + 1);
    struct attention_call call = attention->call;

    call.out = out;
    for (size_t parts = kernels->attention->parts(&attention->shape); parts > 0; parts--)
        kernels->attention->run(kernels, &attention->shape, &call, (struct parts){parts - 1, parts},
                                scratch);
    free(scratch);
}

static double expect_attention(const struct test *test, size_t place, double *tolerance)
{
    const struct attention *attention = (const struct attention *)(const void *)test;
    const struct attention_call *call = &attention->call;
    const size_t sample = place / call->stride, row = place % call->stride / call->out_ld;
    const size_t feature = place % call->stride % call->out_ld, dim = attention->shape.head_dim;
    const size_t first = feature / dim * dim, shift = sample * call->stride;
    double sum = 0, total = 0;

    if (row >= attention->shape.tokens || feature >= attention->inner)
        return (double)NAN;
    for (size_t t = 0; t < attention->shape.tokens; t++) {
        double score = 0, share;

        for (size_t i = first; i < first + dim; i++)
            score += (double)call->q[shift + row * call->q_ld + i] *
                     (double)call->k[shift + t * call->k_ld + i];
        share = exp(score * (double)attention->shape.scale);
        total += share;
        sum += share * (double)call->v[shift + t * call->v_ld + feature];
    }
    sum /= total;
    if (call->bias != NULL)
        sum += (double)call->bias[feature];
    if (call->residual != NULL)
        sum += (double)call->residual[shift + row * call->residual_ld + feature];
    *tolerance = 2e-5;
    return sum / (double)call->divisor;
}

static void try_attention(struct input *input)
{
    struct attention a = {.test = {.run = run_attention, .expected = expect_attention},
                          .shape = {.tokens = take(input, 1, 80),
                                    .heads = take(input, 1, 3),
                                    .head_dim = take(input, 1, 40),
                                    .scale = 0.5f}};
    struct attention_call *call = &a.call;

    a.inner = a.shape.heads * a.shape.head_dim;
    *call = (struct attention_call){.q_ld = a.inner + take(input, 0, 2),
                                    .k_ld = a.inner + take(input, 0, 2),
                                    .v_ld = a.inner + take(input, 0, 2),
                                    .residual_ld = a.inner + take(input, 0, 2),
                                    .out_ld = a.inner + take(input, 0, 2),
                                    .divisor = take(input, 0, 1) == 0 ? 1.0f : 1.25f,
                                    .samples = take(input, 1, 3),
                                    .stride = a.shape.tokens * (a.inner + 2)};
    a.test.out_floats = call->samples * call->stride;
    call->q = a.q = numbers(input, a.test.out_floats);
    call->k = a.k = numbers(input, a.test.out_floats);
    call->v = a.v = numbers(input, a.test.out_floats);
    call->bias = a.bias = take(input, 0, 1) == 0 ? NULL : numbers(input, a.inner);
    call->residual = a.residual = take(input, 0, 1) == 0 ? NULL : numbers(input, a.test.out_floats);
    check_builds(&a.test, input);
    free(a.q);
    free(a.k);
    free(a.v);
    free(a.bias);
    free(a.residual);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size, size};
    const size_t kind = take(&input, 0, 3);

    gang_float_mode();
    if (kind == 3)
        try_attention(&input);
    else
        try_layer(&input, kind > 0);
    return 0;
}
