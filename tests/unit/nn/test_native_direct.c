/* The native convolutions that are products of windows or of taps, in every build that this CPU
 * runs, part by part and the last part first, against the sums that their files state: each number
 * has the same bits. */
#include "tests/support/test.h"

#include "core/nn/pointwise.h"
#include "tests/support/native_builds.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TAPS = 9 };

struct conv {
    struct conv_shape shape;
    struct layer_call call;
    float *weights, *bias, *in, *residual, *out, *scale_shift;
    float *normed; /* what the convolution sees, [samples][pixels][in_channels] */
    size_t in_pixels, out_pixels, out_floats;
};

static bool coin(uint64_t *seed)
{
    return numbers_between(seed, 0, 1) == 1;
}

/* --- the oracle ------------------------------------------------------------------------------- */

static void norm_input(struct conv *conv)
{
    const struct layer_call *call = &conv->call;
    size_t channels = conv->shape.in_channels;
    for (size_t p = 0; p < call->samples * conv->in_pixels; p++) {
        size_t base = p / conv->in_pixels * call->stride;
        const float *in = conv->in + base + p % conv->in_pixels * call->in_ld;
        float *to = conv->normed + p * channels;
        memcpy(to, in, channels * sizeof *to);
        if (call->scale_shift == NULL)
            continue;
        const float *scale = call->scale_shift + base, *shift = scale + channels;
        for (size_t c = 0; c < channels; c++)
            to[c] = fmaf(in[c], scale[c], shift[c]);
        pointwise_baseline.activate(call->activation, to, to, channels);
    }
}

/* The channels that a tap of an output pixel reads, or zeros. */
static const float *tap_pixel(const struct conv *conv, size_t sample, size_t pixel, size_t tap)
{
    static const float ZEROS[256];
    const struct conv_shape *s = &conv->shape;
    size_t up = s->upsampled ? 2 : 1;
    /* One more than the place, so that zero is the row above the map. */
    size_t y = pixel / s->out_width * s->stride + tap / 3 + 1 - s->pad;
    size_t x = pixel % s->out_width * s->stride + tap % 3 + 1 - s->pad;
    if (y == 0 || x == 0 || y > up * s->in_height || x > up * s->in_width)
        return ZEROS;
    size_t place = (y - 1) / up * s->in_width + (x - 1) / up;
    return conv->normed + (sample * conv->in_pixels + place) * s->in_channels;
}

/* The chain over the channels of one tap, going on from `sum`. */
static float tap_chain(const struct conv *conv, const float *in, size_t out, size_t tap, float sum)
{
    size_t channels = conv->shape.in_channels;
    for (size_t c = 0; c < channels; c++)
        sum = fmaf(in[c], conv->weights[(out * channels + c) * TAPS + tap], sum);
    return sum;
}

/* One chain over all taps. */
static float direct_sum(const struct conv *conv, size_t sample, size_t pixel, size_t out)
{
    float sum = 0;
    for (size_t tap = 0; tap < TAPS; tap++)
        sum = tap_chain(conv, tap_pixel(conv, sample, pixel, tap), out, tap, sum);
    return sum;
}

/* A chain for each tap, and these are added. */
static float conv_out_sum(const struct conv *conv, size_t sample, size_t pixel, size_t out)
{
    float sum = tap_chain(conv, tap_pixel(conv, sample, pixel, 0), out, 0, 0);
    for (size_t tap = 1; tap < TAPS; tap++)
        sum += tap_chain(conv, tap_pixel(conv, sample, pixel, tap), out, tap, 0);
    return sum;
}

struct algorithm {
    const struct conv_kernel *(*kernel)(const struct native_build *build);
    float (*sum)(const struct conv *conv, size_t sample, size_t pixel, size_t out);
    size_t kinds, out_channels_max;
};

static const struct conv_kernel *direct_kernel(const struct native_build *build)
{
    return build->direct;
}

static const struct conv_kernel *conv_out_kernel(const struct native_build *build)
{
    return build->conv_out;
}

static const struct algorithm DIRECT = {direct_kernel, direct_sum, 4, 70};
static const struct algorithm CONV_OUT_TAPS = {conv_out_kernel, conv_out_sum, 2, 15};

/* --- shapes and calls ------------------------------------------------------------------------- */

/* Same size, twice, half, half without padding above and left. */
static struct conv_shape shape_of(size_t kind, size_t height, size_t width)
{
    struct conv_shape shape = {.in_height = height, .in_width = width, .stride = 1, .pad = 1};
    if (kind >= 2) {
        shape.in_height *= 2;
        shape.in_width *= 2;
        shape.stride = 2;
        shape.pad = kind == 2;
    }
    shape.upsampled = kind == 1;
    shape.out_height = kind == 1 ? 2 * height : height;
    shape.out_width = kind == 1 ? 2 * width : width;
    return shape;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void conv_init(struct conv *conv, uint64_t *seed)
{
    const struct conv_shape *s = &conv->shape;
    size_t samples = numbers_between(seed, 1, 3), extra = numbers_between(seed, 0, 3);
    size_t in = s->in_channels, out = s->out_channels;
    conv->in_pixels = s->in_height * s->in_width;
    conv->out_pixels = s->out_height * s->out_width;
    size_t stride = larger(conv->in_pixels, conv->out_pixels) * (larger(in, out) + 3) + 2 * in;
    size_t before = (samples - 1) * stride;
    conv->out_floats = before + (conv->out_pixels - 1) * (out + extra) + out;
    conv->weights = native_numbers(out * in * TAPS, seed);
    conv->bias = native_numbers(before + out, seed);
    conv->in = native_numbers(before + (conv->in_pixels - 1) * (in + extra) + in, seed);
    conv->residual = native_numbers(conv->out_floats, seed);
    conv->out = native_nans(conv->out_floats);
    conv->scale_shift = native_numbers(before + 2 * in, seed);
    conv->normed = native_nans(samples * conv->in_pixels * in);
    conv->call = (struct layer_call){
        .bias = coin(seed) ? conv->bias : NULL,
        .bias_stride = coin(seed) ? stride : 0,
        .in = conv->in,
        .in_ld = in + extra,
        .residual = coin(seed) ? conv->residual : NULL,
        .residual_ld = out + extra,
        .out = conv->out,
        .out_ld = out + extra,
        .divisor = coin(seed) ? 1.0f : 1.4f,
        .scale_shift = coin(seed) ? conv->scale_shift : NULL,
        .activation = (enum activation)numbers_between(seed, 0, 2),
        .samples = samples,
        .stride = stride,
    };
    norm_input(conv);
}

static void conv_finish(struct conv *conv)
{
    free(conv->weights);
    free(conv->bias);
    free(conv->in);
    free(conv->residual);
    free(conv->out);
    free(conv->scale_shift);
    free(conv->normed);
}

static float finished(const struct conv *conv, size_t sample, size_t pixel, size_t out, float sum)
{
    const struct layer_call *call = &conv->call;
    if (call->bias != NULL)
        sum += call->bias[sample * call->bias_stride + out];
    if (call->residual != NULL)
        sum += call->residual[sample * call->stride + pixel * call->residual_ld + out];
    return call->divisor == 1.0f ? sum : sum / call->divisor;
}

/* All that is to be written, and nothing else: what lies between is still a NaN. */
static float *expected(const struct conv *conv, const struct algorithm *algorithm)
{
    const struct layer_call *call = &conv->call;
    float *wanted = native_nans(conv->out_floats);
    for (size_t sample = 0; sample < call->samples; sample++)
        for (size_t pixel = 0; pixel < conv->out_pixels; pixel++)
            for (size_t out = 0; out < conv->shape.out_channels; out++) {
                float sum = algorithm->sum(conv, sample, pixel, out);
                wanted[sample * call->stride + pixel * call->out_ld + out] =
                    finished(conv, sample, pixel, out, sum);
            }
    return wanted;
}

static void assert_same(const struct conv *conv, const float *wanted, const char *build)
{
    for (size_t i = 0; i < conv->out_floats; i++)
        if (!(isnan(wanted[i]) && isnan(conv->out[i])) &&
            memcmp(&wanted[i], &conv->out[i], sizeof *wanted) != 0)
            fail_msg("%s, %zu x %zu x %zu > %zu: %.9g at %zu is not %.9g", build,
                     conv->shape.out_height, conv->shape.out_width, conv->shape.in_channels,
                     conv->shape.out_channels, (double)conv->out[i], i, (double)wanted[i]);
}

static void check_conv(struct conv_shape shape, const struct algorithm *algorithm, uint64_t *seed)
{
    struct conv conv = {.shape = shape};
    conv_init(&conv, seed);
    float *wanted = expected(&conv, algorithm);
    const struct native_build *build;
    for (size_t i = 0; (build = native_build_at(i)) != NULL; i++) {
        const struct conv_kernel *kernel = algorithm->kernel(build);
        float *packed = native_nans(kernel->weight_floats(&shape));
        float *scratch = native_nans(kernel->scratch_floats(&shape));
        kernel->prepare(&build->kernels, &shape, conv.weights, packed);
        conv.call.weights = packed;
        size_t parts = kernel->parts(&shape);
        memset(conv.out, 0xff, conv.out_floats * sizeof *conv.out);
        for (size_t part = parts; part-- > 0;)
            kernel->run(&build->kernels, &shape, &conv.call, (struct parts){part, part + 1},
                        scratch);
        assert_same(&conv, wanted, build->name);
        memset(conv.out, 0xff, conv.out_floats * sizeof *conv.out);
        kernel->run(&build->kernels, &shape, &conv.call, (struct parts){0, parts}, scratch);
        assert_same(&conv, wanted, build->name);
        free(packed);
        free(scratch);
    }
    free(wanted);
    conv_finish(&conv);
}

static void check_random(const struct algorithm *algorithm, uint64_t seed)
{
    for (int round = 0; round < 60; round++) {
        struct conv_shape shape =
            shape_of(numbers_between(&seed, 0, algorithm->kinds - 1), numbers_between(&seed, 1, 7),
                     numbers_between(&seed, 1, 7));
        shape.in_channels = numbers_between(&seed, 1, coin(&seed) ? 4 : 20);
        shape.out_channels =
            numbers_between(&seed, 1, coin(&seed) ? algorithm->out_channels_max : 8);
        check_conv(shape, algorithm, &seed);
    }
}

static void a_number_of_a_direct_convolution_is_one_chain(void **state)
{
    (void)state;
    check_random(&DIRECT, 51);
}

static void a_number_of_few_channels_is_nine_chains_added(void **state)
{
    (void)state;
    check_random(&CONV_OUT_TAPS, 52);
}

struct large {
    const struct algorithm *algorithm;
    size_t kind, side, in_channels, out_channels;
};

/* Cut by rows, by columns, along the depth, in blocks of windows and of rows. */
static void convolutions_in_several_parts_are_right(void **state)
{
    (void)state;
    static const struct large LARGE[] = {
        {&DIRECT, 2, 12, 4, 140}, {&DIRECT, 3, 4, 40, 130},      {&DIRECT, 0, 2, 120, 128},
        {&DIRECT, 1, 7, 12, 40},  {&CONV_OUT_TAPS, 0, 70, 5, 3}, {&CONV_OUT_TAPS, 1, 12, 9, 14}};
    uint64_t seed = 53;
    for (size_t i = 0; i < sizeof LARGE / sizeof *LARGE; i++) {
        const struct large *large = &LARGE[i];
        struct conv_shape shape = shape_of(large->kind, large->side, large->side);
        shape.in_channels = large->in_channels;
        shape.out_channels = large->out_channels;
        assert_true(large->algorithm->kernel(native_build_at(0))->parts(&shape) > 1);
        check_conv(shape, large->algorithm, &seed);
    }
}

/* Winograd's tiles begin one pixel outside of the map. */
static void a_map_that_is_not_padded_is_no_matter_for_winograd(void **state)
{
    (void)state;
    struct conv_shape shape = {.in_height = 16,
                               .in_width = 16,
                               .in_channels = 32,
                               .out_height = 16,
                               .out_width = 16,
                               .out_channels = 32,
                               .stride = 1,
                               .pad = 1};
    assert_int_equal(native_conv_algorithm(&shape), CONV_WINOGRAD4);
    shape.pad = 0;
    shape.out_height = shape.out_width = 14;
    assert_int_equal(native_conv_algorithm(&shape), CONV_DIRECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_of_a_direct_convolution_is_one_chain),
        cmocka_unit_test(a_number_of_few_channels_is_nine_chains_added),
        cmocka_unit_test(convolutions_in_several_parts_are_right),
        cmocka_unit_test(a_map_that_is_not_padded_is_no_matter_for_winograd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
