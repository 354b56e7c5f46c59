/* Winograd convolutions of every build against a loop in double and against each other. */
#include "tests/support/test.h"

#include "core/base/arena.h"
#include "core/base/gang.h"
#include "core/base/math.h"
#include "core/nn/native.h"
#include "core/nn/pack_winograd.h"
#include "core/nn/panel.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool always(void)
{
    return true;
}

static const struct build {
    bool (*fits)(void);
    const struct conv_kernel *winograd[2]; /* F4, F2 */
    const struct kernels kernels;
} BUILDS[] = {
    {always,
     {&native_winograd4_baseline, &native_winograd2_baseline},
     {.pointwise = &pointwise_baseline}},
    {has_avx2, {&native_winograd4_fma, &native_winograd2_fma}, {.pointwise = &pointwise_fma}},
    {has_avx2, {&native_winograd4_avx2, &native_winograd2_avx2}, {.pointwise = &pointwise_avx2}},
    {has_avx512,
     {&native_winograd4_avx512, &native_winograd2_avx512},
     {.pointwise = &pointwise_avx512}},
};
enum { BUILD_COUNT = sizeof BUILDS / sizeof *BUILDS };

struct layer {
    struct conv_shape shape;
    struct layer_call call;
    float *weights, *bias, *in, *residual, *scale_shift, *out;
    size_t out_floats;
};

static float *random_floats(size_t count, uint64_t *state)
{
    float *floats = malloc(count * sizeof *floats);
    assert_non_null(floats);
    numbers_fill(floats, count, numbers_next(state));
    return floats;
}

static size_t larger_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Buffers end where their last sample's last channel does. */
static void fill_layer(struct layer *layer, uint64_t *state)
{
    const struct conv_shape *shape = &layer->shape;
    struct layer_call *call = &layer->call;
    size_t in = (shape->in_height * shape->in_width - 1) * call->in_ld + shape->in_channels;
    size_t pixels = shape->out_height * shape->out_width - 1;
    size_t out = pixels * call->out_ld + shape->out_channels;
    size_t residual = pixels * call->residual_ld + shape->out_channels;
    size_t norm = 2 * shape->in_channels;
    call->stride = larger_of(larger_of(in, norm), larger_of(out, residual)) + 3;
    size_t before = (call->samples - 1) * call->stride;
    size_t weights = shape->out_channels * shape->in_channels * 9;
    layer->weights = random_floats(weights, state);
    double factor = 1 / sqrt(3.0 * (double)shape->in_channels);
    for (size_t i = 0; i < weights; i++)
        layer->weights[i] = (float)((double)layer->weights[i] * factor);
    layer->bias =
        random_floats((call->samples - 1) * call->bias_stride + shape->out_channels, state);
    layer->in = random_floats(before + in, state);
    layer->residual = random_floats(before + residual, state);
    layer->scale_shift = random_floats(before + norm, state);
    layer->out_floats = before + out;
    layer->out = random_floats(layer->out_floats, state);
    call->in = layer->in;
}

static void layer_finish(struct layer *layer)
{
    float *floats[] = {layer->weights,  layer->bias,        layer->in,
                       layer->residual, layer->scale_shift, layer->out};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        free(floats[i]);
}

static void set_size(struct conv_shape *shape, size_t height, size_t width, bool upsampled)
{
    shape->stride = shape->pad = 1;
    shape->upsampled = upsampled;
    shape->in_height = height;
    shape->in_width = width;
    shape->out_height = height * (upsampled ? 2 : 1);
    shape->out_width = width * (upsampled ? 2 : 1);
}

static struct layer random_layer(uint64_t *state)
{
    static const enum activation ACTIVATIONS[] = {ACTIVATION_SILU, ACTIVATION_SILU, ACTIVATION_NONE,
                                                  ACTIVATION_MISH};
    struct layer layer = {0};
    struct conv_shape *shape = &layer.shape;
    struct layer_call *call = &layer.call;
    set_size(shape, numbers_between(state, 2, 11), numbers_between(state, 2, 11),
             numbers_between(state, 0, 3) == 0);
    shape->in_channels = numbers_between(state, 16, 50);
    shape->out_channels = numbers_between(state, 16, 70);
    call->samples = numbers_between(state, 1, 3);
    call->in_ld = shape->in_channels + numbers_between(state, 0, 5);
    call->out_ld = shape->out_channels + numbers_between(state, 0, 5);
    call->residual_ld = shape->out_channels + numbers_between(state, 0, 5);
    call->bias_stride = numbers_between(state, 0, 1) * (shape->out_channels + 2);
    call->divisor = numbers_between(state, 0, 2) == 0 ? 1.5f : 1.0f;
    fill_layer(&layer, state);
    if (numbers_between(state, 0, 3) > 0)
        call->bias = layer.bias;
    if (numbers_between(state, 0, 1) > 0)
        call->residual = layer.residual;
    if (numbers_between(state, 0, 3) > 0)
        call->scale_shift = layer.scale_shift;
    call->activation = ACTIVATIONS[numbers_between(state, 0, 3)];
    return layer;
}

/* --- the loop in double ----------------------------------------------------------------------- */

static double activated(enum activation activation, double x)
{
    double e = math_exp(x);
    if (activation == ACTIVATION_SILU)
        return x / (1 + 1 / e);
    if (activation == ACTIVATION_MISH)
        return x * (e * (e + 2)) / (e * (e + 2) + 2);
    return x;
}

/* The input as the layer reads it, upsampled, with a zero around. */
static double *padded_input(const struct layer *layer, size_t sample)
{
    const struct conv_shape *shape = &layer->shape;
    const struct layer_call *call = &layer->call;
    size_t width = shape->out_width + 2, channels = shape->in_channels;
    double *padded = calloc((shape->out_height + 2) * width * channels, sizeof *padded);
    assert_non_null(padded);
    const float *scale = layer->scale_shift + sample * call->stride;
    for (size_t y = 0; y < shape->out_height; y++)
        for (size_t x = 0; x < shape->out_width; x++)
            for (size_t c = 0; c < channels; c++) {
                size_t half = shape->upsampled ? 2 : 1;
                size_t pixel = y / half * shape->in_width + x / half;
                double value = (double)call->in[sample * call->stride + pixel * call->in_ld + c];
                if (call->scale_shift != NULL)
                    value = activated(call->activation,
                                      value * (double)scale[c] + (double)scale[channels + c]);
                padded[((y + 1) * width + x + 1) * channels + c] = value;
            }
    return padded;
}

static double window_sum(const struct layer *layer, const double *window, size_t out)
{
    size_t channels = layer->shape.in_channels, width = layer->shape.out_width + 2;
    const float *weights = layer->weights + out * channels * 9;
    double sum = 0;
    for (size_t c = 0; c < channels; c++)
        for (size_t tap = 0; tap < 9; tap++)
            sum +=
                (double)weights[c * 9 + tap] * window[(tap / 3 * width + tap % 3) * channels + c];
    return sum;
}

struct error_sums {
    double largest, largest_output, squares, output_squares;
};

static void compare_sample(const struct layer *layer, size_t sample, struct error_sums *sums)
{
    const struct conv_shape *shape = &layer->shape;
    const struct layer_call *call = &layer->call;
    double *padded = padded_input(layer, sample);
    for (size_t pixel = 0; pixel < shape->out_height * shape->out_width; pixel++)
        for (size_t o = 0; o < shape->out_channels; o++) {
            size_t corner =
                       pixel / shape->out_width * (shape->out_width + 2) + pixel % shape->out_width,
                   offset = sample * call->stride;
            double y = window_sum(layer, padded + corner * shape->in_channels, o);
            if (call->bias != NULL)
                y += (double)call->bias[sample * call->bias_stride + o];
            if (call->residual != NULL)
                y += (double)call->residual[offset + pixel * call->residual_ld + o];
            y /= (double)call->divisor;
            double error = fabs((double)layer->out[offset + pixel * call->out_ld + o] - y);
            sums->largest = fmax(sums->largest, error);
            sums->largest_output = fmax(sums->largest_output, fabs(y));
            sums->squares += error * error;
            sums->output_squares += y * y;
        }
    free(padded);
}

/* --- running ---------------------------------------------------------------------------------- */

static float *packed_weights(const struct build *build, const struct conv_kernel *kernel,
                             const struct layer *layer)
{
    float *packed = malloc(kernel->weight_floats(&layer->shape) * sizeof *packed);
    assert_non_null(packed);
    kernel->prepare(&build->kernels, &layer->shape, layer->weights, packed);
    return packed;
}

/* Memory that was used before: all NaN. */
static float *used_scratch(const struct conv_kernel *kernel, const struct conv_shape *shape)
{
    size_t bytes = arena_rounded(kernel->scratch_floats(shape) * sizeof(float));
    float *scratch = aligned_alloc(ARENA_ALIGN, bytes);
    assert_non_null(scratch);
    memset(scratch, 0xff, bytes);
    return scratch;
}

static void run_layer(const struct build *build, int form, struct layer *layer)
{
    const struct conv_kernel *kernel = build->winograd[form];
    float *packed = packed_weights(build, kernel, layer);
    float *scratch = used_scratch(kernel, &layer->shape);
    struct layer_call call = layer->call;
    call.weights = packed;
    call.out = layer->out;
    kernel->run(&build->kernels, &layer->shape, &call,
                (struct parts){0, kernel->parts(&layer->shape)}, scratch);
    free(scratch);
    free(packed);
}

/* Parts from the last to the first, sample by sample. */
static void run_layer_in_pieces(const struct build *build, int form, struct layer *layer)
{
    const struct conv_kernel *kernel = build->winograd[form];
    float *packed = packed_weights(build, kernel, layer);
    for (size_t s = layer->call.samples; s-- > 0;)
        for (size_t part = kernel->parts(&layer->shape); part-- > 0;) {
            float *scratch = used_scratch(kernel, &layer->shape);
            struct layer_call call = layer->call;
            call.weights = packed;
            call.samples = 1;
            call.in += s * call.stride;
            call.out = layer->out + s * call.stride;
            if (call.bias != NULL)
                call.bias += s * call.bias_stride;
            if (call.residual != NULL)
                call.residual += s * call.stride;
            if (call.scale_shift != NULL)
                call.scale_shift += s * call.stride;
            kernel->run(&build->kernels, &layer->shape, &call, (struct parts){part, part + 1},
                        scratch);
            free(scratch);
        }
    free(packed);
}

static float *copy_of(const float *floats, size_t count)
{
    float *copy = malloc(count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, floats, count * sizeof *copy);
    return copy;
}

/* The last build that fits is the quickest. */
static const struct build *quickest_build(void)
{
    const struct build *quickest = NULL;
    for (size_t i = 0; i < BUILD_COUNT; i++)
        if (BUILDS[i].fits())
            quickest = &BUILDS[i];
    return quickest;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void random_layers_agree_with_a_loop_in_double(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        uint64_t seed = 1;
        for (int round = 0; round < 24; round++) {
            struct layer layer = random_layer(&seed);
            struct error_sums sums = {0};
            run_layer(quickest_build(), form, &layer);
            for (size_t s = 0; s < layer.call.samples; s++)
                compare_sample(&layer, s, &sums);
            assert_true(sums.largest <= 4e-6 * sums.largest_output);
            layer_finish(&layer);
        }
    }
}

static void all_builds_give_the_same_bits(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        uint64_t seed = 2;
        for (int round = 0; round < 24; round++) {
            struct layer layer = random_layer(&seed);
            float *start = copy_of(layer.out, layer.out_floats);
            run_layer(&BUILDS[0], form, &layer);
            float *first = copy_of(layer.out, layer.out_floats);
            for (size_t i = 1; i < BUILD_COUNT; i++) {
                if (!BUILDS[i].fits())
                    continue;
                memcpy(layer.out, start, layer.out_floats * sizeof *start);
                run_layer(&BUILDS[i], form, &layer);
                assert_memory_equal(layer.out, first, layer.out_floats * sizeof *first);
            }
            free(first);
            free(start);
            layer_finish(&layer);
        }
    }
}

static struct layer layer_of(size_t size, size_t in, size_t out, size_t samples)
{
    struct layer layer = {0};
    set_size(&layer.shape, size, size, false);
    layer.shape.in_channels = layer.call.in_ld = in;
    layer.shape.out_channels = layer.call.out_ld = layer.call.residual_ld = out;
    layer.call.samples = samples;
    layer.call.divisor = 1.0f;
    layer.call.activation = ACTIVATION_SILU;
    uint64_t state = 3;
    fill_layer(&layer, &state);
    layer.call.bias = layer.bias;
    layer.call.residual = layer.residual;
    layer.call.scale_shift = layer.scale_shift;
    return layer;
}

static void pieces_give_the_bits_of_the_whole(void **state)
{
    (void)state;
    static const size_t SHAPES[][4] = {/* size, in, out, samples */
                                       {32, 32, 40, 2}, {20, 48, 64, 3},  {13, 40, 70, 3},
                                       {8, 64, 140, 3}, {4, 270, 128, 5}, {3, 300, 200, 9}};
    for (size_t i = 0; i < 2 * sizeof SHAPES / sizeof *SHAPES; i++) {
        const size_t *s = SHAPES[i / 2];
        int form = (int)(i % 2);
        struct layer layer = layer_of(s[0], s[1], s[2], s[3]);
        assert_true(quickest_build()->winograd[form]->parts(&layer.shape) > 1);
        float *start = copy_of(layer.out, layer.out_floats);
        run_layer(quickest_build(), form, &layer);
        float *whole = copy_of(layer.out, layer.out_floats);
        memcpy(layer.out, start, layer.out_floats * sizeof *start);
        run_layer_in_pieces(quickest_build(), form, &layer);
        assert_memory_equal(layer.out, whole, layer.out_floats * sizeof *whole);
        free(whole);
        free(start);
        layer_finish(&layer);
    }
}

static void numbers_between_the_outputs_are_left_alone(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        uint64_t seed = 4;
        for (int round = 0; round < 10; round++) {
            struct layer layer = random_layer(&seed);
            float *start = copy_of(layer.out, layer.out_floats);
            run_layer(quickest_build(), form, &layer);
            size_t pixels = layer.shape.out_height * layer.shape.out_width;
            for (size_t i = 0; i < layer.out_floats; i++) {
                size_t at = i % layer.call.stride;
                if (at / layer.call.out_ld >= pixels ||
                    at % layer.call.out_ld >= layer.shape.out_channels)
                    assert_memory_equal(&layer.out[i], &start[i], sizeof *start);
            }
            free(start);
            layer_finish(&layer);
        }
    }
}

/* The figures of the reference for such layers: F4 1.0e-6 and 7.8e-6 of the rms, F2 3.4e-7 and
 * 1.3e-6. */
static void errors_are_those_of_good_points(void **state)
{
    (void)state;
    static const double RMS_MAX[] = {1.3e-6, 6e-7};
    for (int form = 0; form < 2; form++) {
        struct layer layer = layer_of(16, 128, 128, 1);
        layer.call.bias = layer.call.residual = NULL;
        struct error_sums sums = {0};
        run_layer(quickest_build(), form, &layer);
        compare_sample(&layer, 0, &sums);
        double rms = sqrt(sums.squares / sums.output_squares);
        print_message("F%d: error %.2g rms of the rms, %.2g of the largest output\n",
                      form == 0 ? 4 : 2, rms, sums.largest / sums.largest_output);
        assert_true(rms < RMS_MAX[form]);
        layer_finish(&layer);
    }
}

/* --- the matrices, exactly ---------------------------------------------------------------------
 */

/* Entries times `scale`; those of A^T with its factors D, those of G with E. */
struct exact {
    size_t outputs;
    int64_t a_scale, g_scale, b_scale;
    int64_t a[4][6], g[6][3], b[6][6];
};

static const struct exact EXACT[] = {
    {.outputs = 4,
     .a_scale = 64,
     .g_scale = 729,
     .b_scale = 64,
     .a = {{64, 64, 64, 64, 64, 0},
           {0, 48, -48, 96, -96, 0},
           {0, 36, 36, 144, 144, 0},
           {0, 27, -27, 216, -216, 27}},
     .g = {{576, 0, 0},
           {-384, -288, -216},
           {-384, 288, -216},
           {96, 144, 216},
           {96, -144, 216},
           {0, 0, 1728}},
     .b = {{81, 0, -180, 0, 64, 0},
           {0, -108, -144, 48, 64, 0},
           {0, 108, -144, -48, 64, 0},
           {0, -54, -36, 96, 64, 0},
           {0, 54, -36, -96, 64, 0},
           {0, 81, 0, -180, 0, 64}}},
    {.outputs = 2,
     .a_scale = 1,
     .g_scale = 2,
     .b_scale = 1,
     .a = {{1, 1, 1, 0}, {0, 1, -1, -1}},
     .g = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}},
     .b = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}}},
};

/* sum over k of A[y][k] G[k][j] B[k][i] is 1 where i = y + j, else 0: in whole numbers. */
static void the_matrices_make_an_exact_convolution(void **state)
{
    (void)state;
    for (size_t form = 0; form < 2; form++) {
        const struct exact *e = &EXACT[form];
        int64_t one = e->a_scale * e->g_scale * e->b_scale;
        for (size_t y = 0; y < e->outputs; y++)
            for (size_t j = 0; j < 3; j++)
                for (size_t i = 0; i < e->outputs + 2; i++) {
                    int64_t sum = 0;
                    for (size_t k = 0; k < e->outputs + 2; k++)
                        sum += e->a[y][k] * e->g[k][j] * e->b[k][i];
                    assert_int_equal(sum, i == y + j ? one : 0);
                }
    }
}

/* U of tap between two channels, rounded once: by exact sums of products in long double. */
static long double exact_weight(const struct exact *e, size_t tap, const float *g)
{
    size_t n = e->outputs + 2;
    long double sum = 0;
    for (size_t i = 0; i < 9; i++)
        sum += (long double)(e->g[tap / n][i / 3] * e->g[tap % n][i % 3]) * (long double)g[i];
    return sum / (long double)(e->g_scale * e->g_scale);
}

/* To half a unit and what sums in double lose; zeros fill the panels. */
static void packed_weights_are_the_exact_products_rounded(void **state)
{
    (void)state;
    enum { IN = 17, OUT = WINOGRAD_COLUMNS + 35 };
    for (int form = 0; form < 2; form++) {
        const struct exact *e = &EXACT[form];
        struct layer layer = layer_of(4, IN, OUT, 1);
        float *packed = packed_weights(&BUILDS[0], BUILDS[0].winograd[form], &layer);
        size_t taps = (e->outputs + 2) * (e->outputs + 2);
        for (size_t i = 0; i < taps * IN * panel_width(OUT); i++) {
            size_t tap = i % taps, k = i / taps % IN, out = i / taps / IN;
            size_t column = out % WINOGRAD_COLUMNS, first = out - column;
            size_t columns = first == 0 ? WINOGRAD_COLUMNS : OUT - WINOGRAD_COLUMNS;
            const float *found = packed + winograd_group_offset(first, IN, taps) +
                                 tap * panel_floats(columns, IN) +
                                 panel_place(columns, IN, k, column);
            const float *g = layer.weights + (out * IN + k) * 9;
            long double want = out < OUT ? exact_weight(e, tap, g) : 0;
            assert_true(fabsl(want - (long double)*found) <= 0x1p-24L * fabsl(want) + 1e-15L);
        }
        free(packed);
        layer_finish(&layer);
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
        cmocka_unit_test(the_matrices_make_an_exact_convolution),
        cmocka_unit_test(packed_weights_are_the_exact_products_rounded),
        cmocka_unit_test(random_layers_agree_with_a_loop_in_double),
        cmocka_unit_test(all_builds_give_the_same_bits),
        cmocka_unit_test(pieces_give_the_bits_of_the_whole),
        cmocka_unit_test(numbers_between_the_outputs_are_left_alone),
        cmocka_unit_test(errors_are_those_of_good_points),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
