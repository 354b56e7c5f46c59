/* gemm_portable.h - matrix products in plain C, the same bits on every machine.
 *
 * Every output is one chain: acc = +0; for k ascending: acc = fma(a_k, b_k, acc); then bias, then
 * residual, then the divisor. Compiled twice; see the Makefile's TWICE. Any thread. */
#ifndef GEMM_PORTABLE_H
#define GEMM_PORTABLE_H

#include "core/nn/kernels.h"

/* A panel of so many columns is read in place. */
#define GEMM_PORTABLE_COLUMNS 16

void gemm_baseline(const struct gemm *gemm);
void gemm_fma(const struct gemm *gemm); /* only on a CPU with AVX2 and FMA */

#endif
