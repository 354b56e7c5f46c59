/* kernels_openblas.h - the backend whose matrix products are OpenBLAS's sgemm, one BLAS thread a
 * worker. Its promise: the same OpenBLAS build, core name and model give the same bits, whatever
 * the batch, the queue and the number of workers, because every product has a fixed shape. */
#ifndef KERNELS_OPENBLAS_H
#define KERNELS_OPENBLAS_H

#include "core/nn/backend.h"

extern const struct backend backend_openblas_baseline, backend_openblas_fma;

#endif
