#include "core/nn/kernels_native.h"

#include "core/nn/native.h"

#include <math.h>

/* Samples that a kernel joins at most: more rows gain nothing. */
enum { SAMPLES_AT_ONCE = 16 };

#define KERNELS(build)                                                                             \
    static const struct kernels kernels_##build = {                                                \
        .conv = &native_conv_##build,                                                              \
        .linear = &native_linear_##build,                                                          \
        .attention = &native_attention_##build,                                                    \
        .pointwise = &pointwise_##build,                                                           \
        .samples_at_once = SAMPLES_AT_ONCE,                                                        \
        .conv_reads_normed = true,                                                                 \
    };
NATIVE_BUILDS(KERNELS)
#undef KERNELS

/* A C library whose fmaf rounds twice would give other bits: the exact answer is c. */
static bool start(struct error *error)
{
    volatile float a = (1 - 0x1p-23f) * 0x1p-12f, b = (1 + 0x1p-23f) * 0x1p-12f, c = 1 + 0x1p-22f;
    if (fmaf(a, b, c) != c)
        return error_set(error, ERROR_IO,
                         "the native backends need an fmaf that rounds once; this C library's "
                         "does not");
    return true;
}

static const char *contract(void)
{
    return NATIVE_CONTRACT;
}

#define BACKEND(build, row, its_name, its_fits, its_details)                                       \
    static const char *details_##build(void)                                                       \
    {                                                                                              \
        return (its_details);                                                                      \
    }                                                                                              \
    const struct backend row = {                                                                   \
        .name = (its_name),                                                                        \
        .kernels = &kernels_##build,                                                               \
        .fits = (its_fits),                                                                        \
        .start = start,                                                                            \
        .contract = contract,                                                                      \
        .details = details_##build,                                                                \
    };
BACKEND(avx512, backend_avx512, "avx512", cpu_has_avx512, "own kernels, AVX-512")
BACKEND(avx2, backend_avx2, "avx2", cpu_has_fma, "own kernels, AVX2 and FMA")
BACKEND(fma, backend_portable_fma, "portable", cpu_has_fma, "own kernels, plain C, built for FMA")
BACKEND(baseline, backend_portable_baseline, "portable", cpu_is_any, "own kernels, plain C")
