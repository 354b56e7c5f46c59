/* native.h - the layers of the native backends, each compiled for every instruction set.
 *
 * Weights are packed alike for all of them, and every number comes out of the same operations in
 * the same order (the contract exact-1), so that the bits do not depend on the CPU. A build may
 * only run on a CPU that has its instructions. */
#ifndef NATIVE_H
#define NATIVE_H

#include "core/nn/kernels.h"

#define NATIVE_BUILDS(X) X(avx512) X(avx2) X(fma) X(baseline)

#define NATIVE_DECLARE(build)                                                                      \
    extern const struct conv_kernel native_conv_##build;                                           \
    extern const struct conv_kernel native_winograd4_##build; /* F(4x4, 3x3), stride 1 */          \
    extern const struct conv_kernel native_winograd2_##build; /* F(2x2, 3x3), stride 1 */          \
    extern const struct conv_kernel native_direct_##build;    /* any stride */                     \
    extern const struct conv_kernel native_conv_out_##build;  /* few channels out, stride 1 */     \
    extern const struct linear_kernel native_linear_##build;                                       \
    extern const struct attention_kernel native_attention_##build;                                 \
    extern const struct pointwise pointwise_##build;
NATIVE_BUILDS(NATIVE_DECLARE)
#undef NATIVE_DECLARE

/* Packing, once for all builds: [out][in][3][3] and [out][in] as in kernels.h. */
size_t linear_weight_floats(const struct linear_shape *shape);
void linear_prepare(const struct linear_shape *shape, const float *weights, float *packed);
size_t winograd4_weight_floats(const struct conv_shape *shape);
void winograd4_prepare(const struct conv_shape *shape, const float *weights, float *packed);
size_t winograd2_weight_floats(const struct conv_shape *shape);
void winograd2_prepare(const struct conv_shape *shape, const float *weights, float *packed);
size_t direct_weight_floats(const struct conv_shape *shape);
void direct_prepare(const struct conv_shape *shape, const float *weights, float *packed);
size_t conv_out_weight_floats(const struct conv_shape *shape);
void conv_out_prepare(const struct conv_shape *shape, const float *weights, float *packed);

/* Which of them a convolution runs by: a function of its shape alone. */
enum conv_algorithm { CONV_WINOGRAD4, CONV_WINOGRAD2, CONV_DIRECT, CONV_OUT };
enum conv_algorithm native_conv_algorithm(const struct conv_shape *shape);

#endif
