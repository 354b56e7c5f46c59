/* Two merged projections against the four that they stand for, in double. */
#include "tests/support/test.h"

#include "core/model/attention_merge.h"
#include "tests/support/numbers.h"

#include <math.h>

enum { CHANNELS = 6, TOKENS = 5, SQUARE = CHANNELS * CHANNELS };

/* out[row] = weights x + bias, weights [CHANNELS][CHANNELS]. */
static void project(const float *weights, const float *bias, const double *x, double *out)
{
    for (size_t i = 0; i < CHANNELS; i++) {
        out[i] = bias == NULL ? 0 : (double)bias[i];
        for (size_t k = 0; k < CHANNELS; k++)
            out[i] += (double)weights[i * CHANNELS + k] * x[k];
    }
}

/* sum of softmax(scores of one query)_j values[j] */
static void attend(const double *query, double keys[TOKENS][CHANNELS],
                   double values[TOKENS][CHANNELS], double scale, double *out)
{
    double total = 0;
    for (size_t i = 0; i < CHANNELS; i++)
        out[i] = 0;
    for (size_t j = 0; j < TOKENS; j++) {
        double score = 0;
        for (size_t i = 0; i < CHANNELS; i++)
            score += query[i] * keys[j][i];
        double share = exp(scale * score);
        total += share;
        for (size_t i = 0; i < CHANNELS; i++)
            out[i] += share * values[j][i];
    }
    for (size_t i = 0; i < CHANNELS; i++)
        out[i] /= total;
}

static void two_projections_stand_for_four(void **state)
{
    (void)state;
    const double scale = 1 / sqrt((double)CHANNELS);
    float stored[4 * (SQUARE + CHANNELS)], matrix[2 * SQUARE], bias[2 * CHANNELS];
    float out_bias[CHANNELS], x[TOKENS * CHANNELS];
    assert_int_equal(attention_stored_floats(CHANNELS), sizeof stored / sizeof stored[0]);
    numbers_fill(stored, sizeof stored / sizeof stored[0], 1);
    numbers_fill(x, TOKENS * CHANNELS, 2);
    const struct attention_merged merged = {matrix, bias, out_bias};
    attention_merge(stored, CHANNELS, scale, &merged);
    double rows[TOKENS][CHANNELS], keys[TOKENS][CHANNELS], values[TOKENS][CHANNELS];
    double short_values[TOKENS][CHANNELS], query[CHANNELS], mixed[CHANNELS];
    double expected[CHANNELS], got[CHANNELS];
    const float *biases = stored + attention_bias_place(CHANNELS, 0);
    for (size_t j = 0; j < TOKENS; j++) {
        for (size_t i = 0; i < CHANNELS; i++)
            rows[j][i] = (double)x[j * CHANNELS + i];
        project(stored + SQUARE, biases + CHANNELS, rows[j], keys[j]);
        project(stored + 2 * SQUARE, biases + 2 * CHANNELS, rows[j], values[j]);
        project(matrix + SQUARE, bias + CHANNELS, rows[j], short_values[j]);
    }
    for (size_t j = 0; j < TOKENS; j++) {
        project(stored, biases, rows[j], query);
        attend(query, keys, values, scale, mixed);
        project(stored + 3 * SQUARE, biases + 3 * CHANNELS, mixed, expected);
        project(matrix, bias, rows[j], query);
        attend(query, rows, short_values, 1, got);
        for (size_t i = 0; i < CHANNELS; i++)
            assert_true(fabs(got[i] + (double)out_bias[i] - expected[i]) < 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_projections_stand_for_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
