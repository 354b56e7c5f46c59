/* rng_normal.h - 16 uniforms of [0,1) to 16 normals, as torch's AVX2 build computes them: Box &
 * Muller in float32 with the logarithm, sine and cosine of Cephes and certain fused
 * multiply-adds. One source, built twice with the same bits: the FMA build only runs where the
 * processor has AVX2 and FMA. Private to rng.c. */
#ifndef RNG_NORMAL_H
#define RNG_NORMAL_H

#include <stddef.h>

#define RNG_BLOCK 16

void rng_normal_baseline(float *values, size_t blocks);
void rng_normal_fma(float *values, size_t blocks);

#endif
