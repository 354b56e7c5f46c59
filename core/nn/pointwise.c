/* Compiled for several CPUs; see the Makefile. Only static functions, so that no code made for one
 * CPU is linked into the other build. Reductions run in 16 lanes whatever the vector width. */
#include "core/nn/pointwise.h"

#include "core/base/math.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0, "float arithmetic must be float");

#if defined(AVX512_BUILD)
#define POINTWISE pointwise_avx512
#elif defined(AVX2_BUILD)
#define POINTWISE pointwise_avx2
#elif defined(FMA_BUILD)
#define POINTWISE pointwise_fma
#else
#define POINTWISE pointwise_baseline
#endif

enum { LANES = 16 };

static inline float larger(float a, float b)
{
    return a > b ? a : b;
}

static inline float smaller(float a, float b)
{
    return a < b ? a : b;
}

/* e^x for x in [-87, 87], where the result is normal: at most 1.28 ulp. Cephes expf's polynomial.
 * Adding 1.5 * 2^23 rounds to an integer, half to even. */
static inline float exponential(float x)
{
    float k = (x * 0x1.715476p+0f + 0x1.8p23f) - 0x1.8p23f;
    float r = fmaf(-k, 0x1.62e4p-1f, x);
    r = fmaf(-k, 0x1.7f7d1cp-20f, r);
    float p = 0x1.a0d2cep-13f;
    p = fmaf(p, r, 0x1.6e879cp-10f);
    p = fmaf(p, r, 0x1.11121p-7f);
    p = fmaf(p, r, 0x1.555382p-5f);
    p = fmaf(p, r, 0x1.555554p-3f);
    p = fmaf(p, r, 0x1p-1f);
    float y = fmaf(p * r, r, r + 1.0f);
    int32_t bits;
    memcpy(&bits, &y, sizeof bits);
    bits += (int32_t)k * (1 << 23);
    memcpy(&y, &bits, sizeof bits);
    return y;
}

static inline float silu(float x)
{
    float t = smaller(larger(x, -87.0f), 87.0f);
    return larger(-87.0f, x) / (1.0f + exponential(-t));
}

/* x tanh(log(1 + e^x)) with n = e^x (e^x + 2); from 20 on it is x in float32. Misra 2019. */
static inline float mish(float x)
{
    float e = exponential(smaller(larger(x, -87.0f), 20.0f));
    float n = e * (e + 2.0f);
    return larger(-87.0f, x) * (n / (n + 2.0f));
}

static inline float gelu(float x)
{
    return (float)(0.5 * (double)x * (1.0 + math_erf((double)x * 0x1.6a09e667f3bcdp-1)));
}

/* 0 first: then a NaN stays one. */
static inline float relu(float x)
{
    return larger(0.0f, x);
}

static inline float elu(float x)
{
    return x > 0.0f ? x : (float)math_expm1((double)x);
}

static inline float hyperbolic_tangent(float x)
{
    return (float)math_tanh((double)x);
}

static inline float identity(float x)
{
    return x;
}

#define ACTIVATE(name, function)                                                                   \
    static void name(const float *in, float *out, size_t count)                                    \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = function(in[i]);                                                              \
    }
ACTIVATE(activate_none, identity)
ACTIVATE(activate_silu, silu)
ACTIVATE(activate_mish, mish)
ACTIVATE(activate_gelu, gelu)
ACTIVATE(activate_relu, relu)
ACTIVATE(activate_elu, elu)
ACTIVATE(activate_tanh, hyperbolic_tangent)
#undef ACTIVATE

static void (*const ACTIVATE[])(const float *, float *, size_t) = {
    [ACTIVATION_NONE] = activate_none, [ACTIVATION_SILU] = activate_silu,
    [ACTIVATION_MISH] = activate_mish, [ACTIVATION_GELU] = activate_gelu,
    [ACTIVATION_RELU] = activate_relu, [ACTIVATION_ELU] = activate_elu,
    [ACTIVATION_TANH] = activate_tanh,
};

static void activate(enum activation activation, const float *in, float *out, size_t count)
{
    ACTIVATE[activation](in, out, count);
}

/* --- softmax ----------------------------------------------------------------------------------
 * Element j is in lane j % 16, in ascending order; the lanes are folded 8, 4, 2, 1. */

static float fold_max(float lane[LANES])
{
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] = larger(lane[i], lane[i + half]);
    return lane[0];
}

static float fold_sum(float lane[LANES])
{
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

static float row_max(const float *z, size_t length)
{
    float lane[LANES];
    for (size_t i = 0; i < LANES; i++)
        lane[i] = -FLT_MAX;
    size_t j = 0;
    for (; j + LANES <= length; j += LANES)
        for (size_t i = 0; i < LANES; i++)
            lane[i] = larger(lane[i], z[j + i]);
    for (size_t i = 0; j + i < length; i++)
        lane[i] = larger(lane[i], z[j + i]);
    return fold_max(lane);
}

static float row_sum(const float *z, size_t length)
{
    float lane[LANES] = {0};
    size_t j = 0;
    for (; j + LANES <= length; j += LANES)
        for (size_t i = 0; i < LANES; i++)
            lane[i] += z[j + i];
    for (size_t i = 0; j + i < length; i++)
        lane[i] += z[j + i];
    return fold_sum(lane);
}

static void softmax(float *rows, size_t count, size_t length, float scale)
{
    for (size_t row = 0; row < count; row++) {
        float *z = rows + row * length;
        float shift = -(row_max(z, length) * scale);
        for (size_t j = 0; j < length; j++)
            z[j] = exponential(larger(fmaf(z[j], scale, shift), -87.0f));
        float factor = 1.0f / row_sum(z, length);
        for (size_t j = 0; j < length; j++)
            z[j] *= factor;
    }
}

/* --- group norm -------------------------------------------------------------------------------
 * Sums of one image row are taken in float32 around its first pixel, so that a large mean does
 * not eat the variance; rows, then channels, are added in double, ascending. */

enum { PARTS_MAX = 4, ELEMENTS_PER_PART = 1 << 15 };

static size_t parts_for(size_t elements, size_t limit)
{
    size_t parts = elements / ELEMENTS_PER_PART;
    parts = parts < 1 ? 1 : parts > PARTS_MAX ? PARTS_MAX : parts;
    return parts < limit ? parts : limit;
}

static size_t statistics_parts(const struct norm_shape *shape)
{
    return parts_for(shape->height * shape->width * shape->channels, shape->groups);
}

/* Two doubles a channel. */
static size_t statistics_scratch_floats(const struct norm_shape *shape)
{
    return 2 * shape->channels * (sizeof(double) / sizeof(float));
}

static inline void add_row(const float *x, size_t ld, size_t width, size_t count, double *sums)
{
    float a[LANES], s[LANES] = {0}, q[LANES] = {0};
    for (size_t c = 0; c < count; c++)
        a[c] = x[c];
    for (size_t p = 1; p < width; p++)
        for (size_t c = 0; c < count; c++) {
            float d = x[p * ld + c] - a[c];
            s[c] = s[c] + d;
            q[c] = fmaf(d, d, q[c]);
        }
    double n = (double)width;
    for (size_t c = 0; c < count; c++) {
        double shifted = n * (double)a[c];
        sums[2 * c] += shifted + (double)s[c];
        sums[2 * c + 1] += (double)q[c] + (double)a[c] * (2.0 * (double)s[c] + shifted);
    }
}

static void channel_sums(const struct norm_shape *shape, const struct norm_call *call, size_t begin,
                         size_t end, double *sums)
{
    memset(sums, 0, 2 * (end - begin) * sizeof *sums);
    for (size_t y = 0; y < shape->height; y++) {
        const float *row = call->in + y * shape->width * call->in_ld;
        size_t c = begin;
        for (; c + LANES <= end; c += LANES)
            add_row(row + c, call->in_ld, shape->width, LANES, sums + 2 * (c - begin));
        if (c < end)
            add_row(row + c, call->in_ld, shape->width, end - c, sums + 2 * (c - begin));
    }
}

/* y = (x - mean) / sqrt(var + epsilon) gamma + beta, then y (1 + s) + b where there is a
 * modulation (Dhariwal & Nichol 2021), as one factor and one term a channel. */
static void group_scale_shift(const struct norm_shape *shape, const struct norm_call *call,
                              size_t begin, const double *sums)
{
    size_t count = shape->channels / shape->groups;
    double n = (double)(shape->height * shape->width * count), sum = 0, square = 0;
    for (size_t c = 0; c < count; c++) {
        sum += sums[2 * c];
        square += sums[2 * c + 1];
    }
    double mean = sum / n, variance = square / n - mean * mean;
    double r = 1.0 / sqrt((variance > 0 ? variance : 0) + shape->epsilon);
    for (size_t c = begin; c < begin + count; c++) {
        double factor = (double)call->gamma[c] * r;
        double term = (double)call->beta[c] - mean * factor;
        if (call->modulation != NULL) {
            double s = 1.0 + (double)call->modulation[c];
            factor *= s;
            term = term * s + (double)call->modulation[shape->channels + c];
        }
        call->scale_shift[c] = (float)factor;
        call->scale_shift[shape->channels + c] = (float)term;
    }
}

static void statistics(const struct norm_shape *shape, const struct norm_call *call, size_t part,
                       float *scratch)
{
    size_t parts = statistics_parts(shape), count = shape->channels / shape->groups;
    size_t first = shape->groups * part / parts, last = shape->groups * (part + 1) / parts;
    double *sums = (double *)(void *)scratch;
    channel_sums(shape, call, first * count, last * count, sums);
    for (size_t group = first; group < last; group++)
        group_scale_shift(shape, call, group * count, sums + 2 * (group - first) * count);
}

static size_t apply_parts(const struct norm_shape *shape)
{
    size_t pixels = shape->height * shape->width;
    return parts_for(pixels * shape->channels, pixels);
}

static inline void apply_pixel(const float *restrict x, float *restrict y,
                               const float *restrict scale, size_t channels, bool with_silu)
{
    const float *shift = scale + channels;
    for (size_t c = 0; c < channels; c++) {
        float value = fmaf(x[c], scale[c], shift[c]);
        y[c] = with_silu ? silu(value) : value;
    }
}

static void apply(const struct norm_shape *shape, const struct norm_call *call, size_t part)
{
    size_t parts = apply_parts(shape), pixels = shape->height * shape->width;
    size_t end = pixels * (part + 1) / parts, channels = shape->channels;
    for (size_t p = pixels * part / parts; p < end; p++) {
        const float *x = call->in + p * call->in_ld;
        float *y = call->out + p * call->out_ld;
        if (shape->activation == ACTIVATION_SILU) {
            apply_pixel(x, y, call->scale_shift, channels, true);
        } else {
            apply_pixel(x, y, call->scale_shift, channels, false);
            if (shape->activation != ACTIVATION_NONE)
                activate(shape->activation, y, y, channels);
        }
    }
}

const struct pointwise POINTWISE = {
    .norm = {.statistics_scratch_floats = statistics_scratch_floats,
             .statistics_parts = statistics_parts,
             .statistics = statistics,
             .apply_parts = apply_parts,
             .apply = apply},
    .softmax = softmax,
    .activate = activate,
};
