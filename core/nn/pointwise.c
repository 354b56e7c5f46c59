/* Compiled for several CPUs; see the Makefile. Numbers are taken sixteen at a time, the last ones
 * of a row with what is missing read as zero and not written. */
#include "core/nn/pointwise.h"

#include "core/base/math.h"
#include "core/nn/channel_sums.h"
#include "core/nn/isa.h"

#include <assert.h>

/* --- activations ------------------------------------------------------------------------------ */

static inline struct lanes lanes_none(struct lanes x)
{
    return x;
}

/* x tanh(log(1 + e^x)) with n = e^x (e^x + 2); from 20 on it is x in float32. Misra 2019. */
static inline struct lanes lanes_mish(struct lanes x)
{
    struct lanes low = lanes_set(-87.0f), two = lanes_set(2.0f);
    struct lanes e = lanes_exponential(lanes_smaller(lanes_larger(x, low), lanes_set(20.0f)));
    struct lanes n = lanes_multiply(e, lanes_add(e, two));
    return lanes_multiply(lanes_larger(low, x), lanes_divide(n, lanes_add(n, two)));
}

/* 0 first: then a NaN stays one. */
static inline struct lanes lanes_relu(struct lanes x)
{
    return lanes_larger(lanes_set(0.0f), x);
}

#define ACTIVATE_LANES(name)                                                                       \
    static void activate_##name(const float *in, float *out, size_t count)                         \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + LANES <= count; i += LANES)                                                     \
            lanes_store(out + i, lanes_##name(lanes_load(in + i)));                                \
        if (i < count)                                                                             \
            lanes_store_some(out + i, lanes_##name(lanes_load_some(in + i, count - i)),            \
                             count - i);                                                           \
    }
ACTIVATE_LANES(none)
ACTIVATE_LANES(silu)
ACTIVATE_LANES(mish)
ACTIVATE_LANES(relu)
#undef ACTIVATE_LANES

static inline float gelu(float x)
{
    return (float)(0.5 * (double)x * (1.0 + math_erf((double)x * 0x1.6a09e667f3bcdp-1)));
}

static inline float elu(float x)
{
    return x > 0.0f ? x : (float)math_expm1((double)x);
}

static inline float hyperbolic_tangent(float x)
{
    return (float)math_tanh((double)x);
}

#define ACTIVATE(name, function)                                                                   \
    static void name(const float *in, float *out, size_t count)                                    \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = function(in[i]);                                                              \
    }
ACTIVATE(activate_gelu, gelu)
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

/* The rest of the chains of some numbers from column j on, then bias and perhaps SiLU. */
ALWAYS_INLINE struct lanes finished(const struct row_end *end, const float *x, size_t length,
                                    size_t j, struct lanes sum)
{
    size_t count = length - j;
    for (size_t k = 0; k < end->depth; k++) {
        const float *weights = end->weights + k * length + j;
        sum = lanes_fma(lanes_set(x[k]),
                        count < LANES ? lanes_load_some(weights, count) : lanes_load(weights), sum);
    }
    sum = lanes_add(sum, count < LANES ? lanes_load_some(end->bias + j, count)
                                       : lanes_load(end->bias + j));
    if (end->activation == ACTIVATION_SILU)
        sum = lanes_silu(sum);
    return sum;
}

static void finish_rows(const struct row_end *end, float *rows, size_t count, size_t length)
{
    const float *x = end->x;
    for (float *row = rows; row < rows + count * length; row += length, x += end->depth) {
        size_t j = 0;
        for (; j + LANES <= length; j += LANES)
            lanes_store(row + j, finished(end, x, length, j, lanes_load(row + j)));
        if (j < length)
            lanes_store_some(row + j,
                             finished(end, x, length, j, lanes_load_some(row + j, length - j)),
                             length - j);
        if (end->activation != ACTIVATION_SILU)
            activate(end->activation, row, row, length);
    }
}

/* --- softmax ----------------------------------------------------------------------------------
 * Element j is in lane j % 16, in ascending order; the lanes are folded 8, 4, 2, 1. A NaN makes its
 * row NaN, as does a score past the largest float: lanes_larger answers its second operand then. */

enum { SHORT_ROW = 4 * LANES };

static inline float row_largest(const float *z, size_t length)
{
    struct lanes largest = lanes_set(-FLT_MAX);
    size_t j = 0;
    for (; j + LANES <= length; j += LANES)
        largest = lanes_larger(largest, lanes_load(z + j));
    size_t rest = length - j;
    if (rest > 0)
        largest = lanes_join(lanes_larger(largest, lanes_load_some(z + j, rest)), largest, rest);
    return lanes_largest(largest);
}

struct exponentials {
    struct lanes sum, last; /* the last ones of the row have not been stored */
};

/* e^(z scale + shift) in place of z; what is not there adds zero. */
ALWAYS_INLINE struct exponentials row_exponentials(float *z, size_t length, struct lanes scale,
                                                   struct lanes shift)
{
    struct lanes zero = lanes_set(0.0f), low = lanes_set(-87.0f);
    struct exponentials row = {zero, zero};
    size_t j = 0;
    for (; j + LANES <= length; j += LANES) {
        struct lanes x = lanes_fma(lanes_load(z + j), scale, shift);
        struct lanes e = lanes_exponential(lanes_larger(low, x));
        lanes_store(z + j, e);
        row.sum = lanes_add(row.sum, e);
    }
    size_t rest = length - j;
    if (rest > 0) {
        struct lanes x = lanes_fma(lanes_load_some(z + j, rest), scale, shift);
        row.last = lanes_exponential(lanes_larger(low, x));
        row.sum = lanes_add(row.sum, lanes_join(row.last, zero, rest));
    }
    return row;
}

/* A row of so many lanes, the last of them perhaps in part, that never leaves the registers. */
ALWAYS_INLINE void softmax_short(float *z, size_t length, size_t count, float scale)
{
    struct lanes x[SHORT_ROW / LANES], largest = lanes_set(-FLT_MAX), sum = lanes_set(0.0f);
    size_t last = count - 1, rest = length - last * LANES;
    for (size_t i = 0; i < last; i++) {
        x[i] = lanes_load(z + i * LANES);
        largest = lanes_larger(largest, x[i]);
    }
    x[last] = lanes_load_some(z + last * LANES, rest);
    float top = lanes_largest(lanes_join(lanes_larger(largest, x[last]), largest, rest));
    struct lanes factor = lanes_set(scale), term = lanes_set(-(top * scale));
    for (size_t i = 0; i < count; i++) {
        struct lanes t = lanes_larger(lanes_set(-87.0f), lanes_fma(x[i], factor, term));
        x[i] = lanes_exponential(t);
        sum = lanes_add(sum, i < last ? x[i] : lanes_join(x[i], lanes_set(0.0f), rest));
    }
    factor = lanes_set(1.0f / lanes_sum(sum));
    for (size_t i = 0; i < last; i++)
        lanes_store(z + i * LANES, lanes_multiply(x[i], factor));
    lanes_store_some(z + last * LANES, lanes_multiply(x[last], factor), rest);
}

#define SOFTMAX_SHORT(count)                                                                       \
    static void softmax_short_##count(float *rows, size_t ld, size_t rows_count, size_t length,    \
                                      float scale)                                                 \
    {                                                                                              \
        for (size_t row = 0; row < rows_count; row++)                                              \
            softmax_short(rows + row * ld, length, count, scale);                                  \
    }
SOFTMAX_SHORT(1)
SOFTMAX_SHORT(2)
SOFTMAX_SHORT(3)
SOFTMAX_SHORT(4)
#undef SOFTMAX_SHORT

static void softmax_long(float *rows, size_t ld, size_t count, size_t length, float scale)
{
    for (float *z = rows; z < rows + count * ld; z += ld) {
        float shift = -(row_largest(z, length) * scale);
        struct exponentials row = row_exponentials(z, length, lanes_set(scale), lanes_set(shift));
        struct lanes factor = lanes_set(1.0f / lanes_sum(row.sum));
        size_t j = 0;
        for (; j + LANES <= length; j += LANES)
            lanes_store(z + j, lanes_multiply(lanes_load(z + j), factor));
        if (j < length)
            lanes_store_some(z + j, lanes_multiply(row.last, factor), length - j);
    }
}

static void softmax(float *rows, size_t ld, size_t count, size_t length, float scale)
{
    static void (*const SHORT[])(float *, size_t, size_t, size_t, float) = {
        softmax_short_1, softmax_short_2, softmax_short_3, softmax_short_4};
    if (length == 0)
        return;
    if (length <= SHORT_ROW)
        SHORT[(length - 1) / LANES](rows, ld, count, length, scale);
    else
        softmax_long(rows, ld, count, length, scale);
}

/* --- group norm ------------------------------------------------------------------------------- */

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

static size_t rounded_channels(const struct norm_shape *shape)
{
    return lanes_whole(shape->channels);
}

/* Of some channels; two doubles each. */
struct moments {
    double *mean, *r; /* 1 / sqrt(variance + epsilon) */
};

/* Sums and moments of a channel. */
static size_t statistics_scratch_floats(const struct norm_shape *shape)
{
    return 4 * rounded_channels(shape) * (sizeof(double) / sizeof(float));
}

/* As others left them, or in `room`; of some channels. */
static struct channel_sums sums_of(const struct norm_shape *shape, const struct norm_call *call,
                                   struct parts channels, double *room)
{
    struct channel_sums sums = call->sums;
    if (sums.at == NULL) {
        sums = (struct channel_sums){room, rounded_channels(shape), shape->width};
        channel_sums_add(&sums, call->in, call->in_ld,
                         (struct parts){0, shape->height * shape->width}, channels);
    }
    sums.at += channels.begin;
    return sums;
}

static void group_moments(const struct norm_shape *shape, size_t groups,
                          const struct channel_sums *sums, struct moments to)
{
    size_t count = shape->channels / shape->groups;
    double n = (double)(shape->height * shape->width * count);
    assert(sums->at != NULL && to.mean != NULL && to.r != NULL);
    for (size_t group = 0; group < groups; group++) {
        double sum = 0, sum_square = 0;
        for (size_t c = group * count; c < (group + 1) * count; c++) {
            sum += sums->at[c];
            sum_square += sums->at[sums->ld + c];
        }
        to.mean[group] = sum;
        to.r[group] = sum_square;
    }
    for (size_t group = 0; group < groups; group++) {
        double mean = to.mean[group] / n, variance = to.r[group] / n - mean * mean;
        to.mean[group] = mean;
        to.r[group] = 1.0 / sqrt((variance > 0 ? variance : 0) + shape->epsilon);
    }
}

/* A number a group becomes one a channel, in place. */
static void spread(double *x, size_t groups, size_t count)
{
    for (size_t group = groups; group-- > 0;)
        for (size_t c = count; c-- > 0;)
            x[group * count + c] = x[group];
}

/* y = (x - mean) / sqrt(var + epsilon) gamma + beta, then y (1 + s) + b where there is a
 * modulation (Dhariwal & Nichol 2021), as one factor and one term a channel, `begin` the first. */
static void scale_shift(const struct norm_call *call, size_t channels, size_t begin, size_t count,
                        struct moments moments)
{
    const float *restrict gamma = call->gamma + begin, *restrict beta = call->beta + begin;
    const double *restrict mean = moments.mean, *restrict r = moments.r;
    float *restrict scale = call->scale_shift + begin;
    float *restrict shift = call->scale_shift + channels + begin;
    if (call->modulation == NULL) {
        for (size_t c = 0; c < count; c++) {
            double factor = (double)gamma[c] * r[c];
            scale[c] = (float)factor;
            shift[c] = (float)((double)beta[c] - mean[c] * factor);
        }
        return;
    }
    const float *restrict times = call->modulation + begin, *restrict plus = times + channels;
    for (size_t c = 0; c < count; c++) {
        double factor = (double)gamma[c] * r[c], s = 1.0 + (double)times[c];
        double term = (double)beta[c] - mean[c] * factor;
        scale[c] = (float)(factor * s);
        shift[c] = (float)(term * s + (double)plus[c]);
    }
}

static void statistics(const struct norm_shape *shape, const struct norm_call *call, size_t part,
                       float *scratch)
{
    size_t parts = statistics_parts(shape), count = shape->channels / shape->groups;
    size_t first = shape->groups * part / parts, last = shape->groups * (part + 1) / parts;
    size_t begin = first * count, end = last * count, rounded = rounded_channels(shape);
    double *room = (double *)(void *)scratch;
    struct channel_sums sums = sums_of(shape, call, (struct parts){begin, end}, room);
    struct moments moments = {room + 2 * rounded, room + 3 * rounded};
    group_moments(shape, last - first, &sums, moments);
    spread(moments.mean, last - first, count);
    spread(moments.r, last - first, count);
    scale_shift(call, shape->channels, begin, end - begin, moments);
}

static size_t apply_parts(const struct norm_shape *shape)
{
    size_t pixels = shape->height * shape->width;
    return parts_for(pixels * shape->channels, pixels);
}

ALWAYS_INLINE struct lanes normed(struct lanes x, struct lanes scale, struct lanes shift, bool silu)
{
    struct lanes y = lanes_fma(x, scale, shift);
    if (silu)
        y = lanes_silu(y);
    return y;
}

static inline void apply_pixel(const float *x, float *y, const float *scale, size_t channels,
                               bool silu)
{
    const float *shift = scale + channels;
    size_t c = 0;
    for (; c + LANES <= channels; c += LANES)
        lanes_store(y + c,
                    normed(lanes_load(x + c), lanes_load(scale + c), lanes_load(shift + c), silu));
    size_t rest = channels - c;
    if (rest > 0)
        lanes_store_some(y + c,
                         normed(lanes_load_some(x + c, rest), lanes_load_some(scale + c, rest),
                                lanes_load_some(shift + c, rest), silu),
                         rest);
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

const struct pointwise ISA(pointwise) = {
    .norm = {.statistics_scratch_floats = statistics_scratch_floats,
             .statistics_parts = statistics_parts,
             .statistics = statistics,
             .apply_parts = apply_parts,
             .apply = apply},
    .softmax = softmax,
    .activate = activate,
    .finish_rows = finish_rows,
};
