#include "core/model/attention_merge.h"

#include <string.h>

enum { WEIGHTS = 4, COLUMNS_AT_ONCE = 256 };

size_t attention_stored_floats(size_t channels)
{
    return WEIGHTS * channels * (channels + 1);
}

size_t attention_bias_place(size_t channels, size_t part)
{
    return (WEIGHTS * channels + part) * channels;
}

/* to[j] = scale sum over m of left[m * step] right[m][j], for `count` neighbours j. */
static void product_row(const float *left, size_t step, const float *right, size_t channels,
                        double scale, size_t count, float *to)
{
    double sum[COLUMNS_AT_ONCE] = {0};
    for (size_t m = 0; m < channels; m++) {
        double factor = (double)left[m * step];
        for (size_t j = 0; j < count; j++)
            sum[j] += factor * (double)right[m * channels + j];
    }
    for (size_t j = 0; j < count; j++)
        to[j] = (float)(scale * sum[j]);
}

/* [channels][channels]; row i takes its left factors from left + i * row_step, `step` apart. */
static void product(const float *left, size_t row_step, size_t step, const float *right,
                    size_t channels, double scale, float *to)
{
    for (size_t i = 0; i < channels; i++)
        for (size_t j = 0; j < channels; j += COLUMNS_AT_ONCE) {
            size_t rest = channels - j;
            product_row(left + i * row_step, step, right + j, channels, scale,
                        rest < COLUMNS_AT_ONCE ? rest : COLUMNS_AT_ONCE, to + i * channels + j);
        }
}

void attention_merge(const float *stored, size_t channels, double scale,
                     const struct attention_merged *merged)
{
    size_t square = channels * channels;
    const float *q = stored, *k = q + square, *v = k + square, *o = v + square;
    const float *q_bias = o + square, *v_bias = q_bias + 2 * channels;
    const float *o_bias = v_bias + channels;
    product(k, 1, channels, q, channels, scale, merged->matrix);
    product(o, channels, 1, v, channels, 1, merged->matrix + square);
    memset(merged->bias + channels, 0, channels * sizeof(float));
    for (size_t i = 0; i < channels; i++) {
        double query = 0, out = 0;
        for (size_t m = 0; m < channels; m++) {
            query += (double)k[m * channels + i] * (double)q_bias[m];
            out += (double)o[i * channels + m] * (double)v_bias[m];
        }
        merged->bias[i] = (float)(scale * query);
        merged->out_bias[i] = (float)(out + (double)o_bias[i]);
    }
}
