/* kernels_portable.h - the backend in plain C: the oracle, and what runs without BLAS.
 *
 * Two rows, one source and the same bits: for any CPU, and for those with AVX2 and FMA. */
#ifndef KERNELS_PORTABLE_H
#define KERNELS_PORTABLE_H

#include "core/nn/backend.h"

extern const struct backend backend_portable_baseline, backend_portable_fma;

#endif
