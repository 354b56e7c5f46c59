#include "tests/support/kernel_list.h"

#include "core/nn/kernels_native.h"
#include "core/nn/kernels_openblas.h"

const struct backend *kernel_list_at(size_t index)
{
    static const struct backend *const ALL[] = {
        &backend_portable_baseline,
        &backend_openblas_baseline,
        &backend_portable_fma,
        &backend_openblas_fma,
        &backend_avx2,
        &backend_avx512,
    };

    if (index >= sizeof ALL / sizeof ALL[0] || !ALL[index]->fits())
        return NULL;
    return ALL[index];
}
