/* layers.h - convolution, linear layer and attention out of matrix products.
 *
 * For backends whose kernels have only a gemm of their own: a convolution copies its windows into
 * rows (im2col), one block of output pixels at a time, so that scratch stays in the second cache.
 * Every product has a fixed shape that follows from the layer's shape alone. */
#ifndef LAYERS_H
#define LAYERS_H

#include "core/nn/kernels.h"

extern const struct conv_kernel conv_by_gemm;
extern const struct linear_kernel linear_by_gemm;
extern const struct attention_kernel attention_by_gemm;

#endif
