/* kernels_native.h - the backends of our own kernels: one contract, the same bits, for CPUs that
 * can do more or less. */
#ifndef KERNELS_NATIVE_H
#define KERNELS_NATIVE_H

#include "core/nn/backend.h"

/* What a sample's bits follow from besides its request, as answers name it. A change of any rule,
 * tree, constant or of the choice of algorithms is a new contract. */
#define NATIVE_CONTRACT "exact-1"

extern const struct backend backend_avx512;
extern const struct backend backend_avx2;
/* One name, "portable": plain C, compiled for CPUs with FMA and for all. */
extern const struct backend backend_portable_fma;
extern const struct backend backend_portable_baseline;

#endif
