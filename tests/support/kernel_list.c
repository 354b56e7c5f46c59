#include "tests/support/kernel_list.h"

#include "core/nn/kernels_openblas.h"
#include "core/nn/kernels_portable.h"

const struct backend *kernel_list_at(size_t index)
{
    enum { COUNT = 4 };
    static const struct backend *const ALL[COUNT] = {
        &backend_portable_baseline,
        &backend_openblas_baseline,
        &backend_portable_fma,
        &backend_openblas_fma,
    };

    if (index >= COUNT || !ALL[index]->fits())
        return NULL;
    return ALL[index];
}
