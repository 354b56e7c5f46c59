#include "core/nn/backend.h"

#include "core/nn/kernels_native.h"
#include "core/nn/kernels_openblas.h"

#include <string.h>

/* The fastest first; of one name, the one with the most demands first. */
static const struct backend *const BACKENDS[] = {
    &backend_avx512,       &backend_avx2,
    &backend_openblas_fma, &backend_openblas_baseline,
    &backend_portable_fma, &backend_portable_baseline,
};

enum { BACKEND_COUNT = sizeof BACKENDS / sizeof BACKENDS[0] };

bool cpu_is_any(void)
{
    return true;
}

bool cpu_has_fma(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

bool cpu_has_avx512(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return cpu_has_fma() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

const struct backend *backend_find(const char *name)
{
    for (size_t i = 0; i < BACKEND_COUNT; i++)
        if ((name == NULL || strcmp(BACKENDS[i]->name, name) == 0) && BACKENDS[i]->fits())
            return BACKENDS[i];
    return NULL;
}

/* One a name. */
const struct backend *backend_at(size_t index)
{
    for (size_t i = 0; i < BACKEND_COUNT; i++)
        if (backend_find(BACKENDS[i]->name) == BACKENDS[i] && index-- == 0)
            return BACKENDS[i];
    return NULL;
}
