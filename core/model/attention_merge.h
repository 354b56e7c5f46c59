/* attention_merge.h - an attention of one head as wide as its map, with two projections in place
 * of four.
 *
 * Of the scores s (Wq x_i + bq) . (Wk x_j + bk) what is the same for all keys j cancels in the
 * softmax; what is left is (A x_i + a) . x_j with A = s Wk' Wq and a = s Wk' bq. And since the
 * softmax sums to one, Wo (sum p_j (Wv x_j + bv)) + bo = sum p_j B x_j + b with B = Wo Wv and
 * b = Wo bv + bo. Products are taken in double, terms ascending, and rounded once. */
#ifndef ATTENTION_MERGE_H
#define ATTENTION_MERGE_H

#include <stddef.h>

/* As stored: Wq, Wk, Wv, Wo, each [channels][channels], out by in, then bq, bk, bv, bo. */
size_t attention_stored_floats(size_t channels);
/* Where the bias of `part`, 0 to 3 in the order above, begins. */
size_t attention_bias_place(size_t channels, size_t part);

/* matrix: A over B, [2 channels][channels]; bias: a, then zeros, 2 channels; out_bias: b. */
struct attention_merged {
    float *matrix, *bias, *out_bias;
};

void attention_merge(const float *stored, size_t channels, double scale,
                     const struct attention_merged *merged);

#endif
