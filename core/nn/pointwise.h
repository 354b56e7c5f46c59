/* pointwise.h - what is done to single numbers and along rows: activations, softmax, group norm.
 *
 * Shared by the backends. Compiled twice, for the baseline and with FMA instructions: the same
 * source and the same bits, because every fused operation is written out. Any thread. */
#ifndef POINTWISE_H
#define POINTWISE_H

#include "core/nn/kernels.h"

extern const struct pointwise pointwise_baseline;
extern const struct pointwise pointwise_fma; /* only on a CPU with AVX2 and FMA */

#endif
