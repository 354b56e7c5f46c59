#include "core/nn/kernels_portable.h"

#include "core/base/version.h"
#include "core/nn/gemm_portable.h"
#include "core/nn/layers.h"
#include "core/nn/pointwise.h"

#include <math.h>
#include <stdint.h>

/* The chain over k is one piece. */
static struct gemm_tile tile(size_t columns, size_t depth)
{
    (void)columns;
    return (struct gemm_tile){.rows = SIZE_MAX, .columns = GEMM_PORTABLE_COLUMNS, .depth = depth};
}

static const struct kernels BASELINE = {
    .conv = &conv_by_gemm,
    .linear = &linear_by_gemm,
    .attention = &attention_by_gemm,
    .pointwise = &pointwise_baseline,
    .samples_at_once = 1,
    .gemm = gemm_baseline,
    .tile = tile,
};

static const struct kernels FMA = {
    .conv = &conv_by_gemm,
    .linear = &linear_by_gemm,
    .attention = &attention_by_gemm,
    .pointwise = &pointwise_fma,
    .samples_at_once = 1,
    .gemm = gemm_fma,
    .tile = tile,
};

/* A C library whose fmaf rounds twice would give other bits: the exact answer is c. */
static bool start(struct error *error)
{
    volatile float a = (1 - 0x1p-23f) * 0x1p-12f, b = (1 + 0x1p-23f) * 0x1p-12f, c = 1 + 0x1p-22f;
    if (fmaf(a, b, c) != c)
        return error_set(error, ERROR_IO,
                         "the portable backend needs an fmaf that rounds once; this C library's "
                         "does not");
    return true;
}

static const char *contract(void)
{
    return "portable-" DENOISED_VERSION;
}

static const char *details_baseline(void)
{
    return "plain C, baseline build";
}

static const char *details_fma(void)
{
    return "plain C, built for AVX2 and FMA";
}

const struct backend backend_portable_baseline = {
    .name = "portable",
    .kernels = &BASELINE,
    .fits = cpu_is_any,
    .start = start,
    .contract = contract,
    .details = details_baseline,
};

const struct backend backend_portable_fma = {
    .name = "portable",
    .kernels = &FMA,
    .fits = cpu_has_fma,
    .start = start,
    .contract = contract,
    .details = details_fma,
};
