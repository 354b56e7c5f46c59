/* pointwise.h - what is done to single numbers and along rows: activations, softmax, group norm.
 *
 * Shared by the backends. Compiled once per instruction set: the same source and the same bits,
 * because every fused operation is written out and reductions have sixteen lanes, whatever the
 * width of the CPU's vectors. Any thread. */
#ifndef POINTWISE_H
#define POINTWISE_H

#include "core/nn/kernels.h"

extern const struct pointwise pointwise_baseline;
/* Each only on a CPU that has its instructions. */
extern const struct pointwise pointwise_fma;
extern const struct pointwise pointwise_avx2;
extern const struct pointwise pointwise_avx512;

#endif
