#include "core/nn/kernels_openblas.h"

#include "core/nn/layers.h"
#include "core/nn/pointwise.h"

#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* c starts as what is to be added, so that sgemm neither clears it nor is followed by a pass. */
static void fill_rows(const struct gemm *gemm)
{
    for (size_t row = 0; row < gemm->rows; row++) {
        float *restrict c = gemm->c + row * gemm->c_ld;
        if (gemm->residual == NULL) {
            memcpy(c, gemm->bias, gemm->columns * sizeof *c);
            continue;
        }
        memcpy(c, gemm->residual + row * gemm->residual_ld, gemm->columns * sizeof *c);
        if (gemm->bias != NULL)
            for (size_t j = 0; j < gemm->columns; j++)
                c[j] += gemm->bias[j];
    }
}

static void gemm_openblas(const struct gemm *gemm)
{
    bool filled = gemm->bias != NULL || gemm->residual != NULL || gemm->accumulates;
    if (filled && !gemm->accumulates)
        fill_rows(gemm);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, gemm->b_transposed ? CblasTrans : CblasNoTrans,
                (blasint)gemm->rows, (blasint)gemm->columns, (blasint)gemm->depth, 1.0f, gemm->a,
                (blasint)gemm->a_ld, gemm->b, (blasint)gemm->b_ld, filled ? 1.0f : 0.0f, gemm->c,
                (blasint)gemm->c_ld);
    if (gemm->divisor != 1.0f)
        for (size_t row = 0; row < gemm->rows; row++)
            for (size_t j = 0; j < gemm->columns; j++)
                gemm->c[row * gemm->c_ld + j] /= gemm->divisor;
}

/* Products of at most 10^6 multiply-adds are done by kernels that read both factors where they are,
 * on cores with AVX-512 only: 100 to 117 GF/s of 118, where packing them first leaves 50 to 100
 * (0.3.21, Zen 4). Fewer columns let a deeper block of b stay in the second cache. */
#define SMALL_PRODUCT ((size_t)1000000)
#define SMALL_ROWS    ((size_t)8)
#define WIDE          ((size_t)64)
#define NARROW        ((size_t)32)

static bool has_small_kernels(void)
{
    static const char *const CORES[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    const char *core = openblas_get_corename();
    for (size_t i = 0; i < sizeof CORES / sizeof CORES[0]; i++)
        if (strcmp(core, CORES[i]) == 0)
            return true;
    return false;
}

static struct gemm_tile tile(size_t columns, size_t depth)
{
    if (!has_small_kernels())
        return (struct gemm_tile){.rows = SIZE_MAX, .columns = columns, .depth = depth};
    size_t width = SMALL_ROWS * WIDE * depth <= SMALL_PRODUCT ? WIDE : NARROW;
    width = columns < width ? columns : width;
    size_t deepest = SMALL_PRODUCT / (SMALL_ROWS * width), pieces = (depth + deepest - 1) / deepest;
    struct gemm_tile piece = {.columns = width, .depth = (depth + pieces - 1) / pieces};
    piece.rows = SMALL_PRODUCT / (width * piece.depth) / SMALL_ROWS * SMALL_ROWS;
    return piece;
}

static const struct kernels BASELINE = {
    .conv = &conv_by_gemm,
    .linear = &linear_by_gemm,
    .attention = &attention_by_gemm,
    .pointwise = &pointwise_baseline,
    .samples_at_once = 1,
    .gemm = gemm_openblas,
    .tile = tile,
};

static const struct kernels FMA = {
    .conv = &conv_by_gemm,
    .linear = &linear_by_gemm,
    .attention = &attention_by_gemm,
    .pointwise = &pointwise_fma,
    .samples_at_once = 1,
    .gemm = gemm_openblas,
    .tile = tile,
};

/* --- start-up checks -------------------------------------------------------------------------- */

enum { CHECK_FLOATS = 72 * 72, TILE_ROWS = 8, PARALLEL_PTHREAD = 1 };

struct check {
    float a[CHECK_FLOATS], b[CHECK_FLOATS], c[CHECK_FLOATS], again[CHECK_FLOATS];
};

static void check_fill(struct check *check)
{
    for (size_t i = 0; i < CHECK_FLOATS; i++) {
        check->a[i] = (float)(i * 7919 % 1009) / 1009.0f - 0.5f;
        check->b[i] = (float)(i * 104729 % 1013) / 1013.0f - 0.5f;
    }
}

static void check_product(const struct check *check, const size_t shape[3], float *c)
{
    struct gemm gemm = {.rows = shape[0],
                        .columns = shape[1],
                        .depth = shape[2],
                        .a = check->a,
                        .b = check->b,
                        .c = c,
                        .a_ld = shape[2],
                        .b_ld = shape[1],
                        .c_ld = shape[1],
                        .divisor = 1.0f};
    gemm_openblas(&gemm);
}

static bool check_right(struct check *check, const size_t shape[3])
{
    check_product(check, shape, check->c);
    for (size_t i = 0; i < shape[0]; i++)
        for (size_t j = 0; j < shape[1]; j++) {
            double sum = 0;
            for (size_t k = 0; k < shape[2]; k++)
                sum += (double)check->a[i * shape[2] + k] * (double)check->b[k * shape[1] + j];
            if (!(fabs((double)check->c[i * shape[1] + j] - sum) <= 1e-5))
                return false;
        }
    return true;
}

/* In a tile of 8 rows no row may depend on its place or on its neighbours: turn them round. */
static bool check_tile(struct check *check, const size_t shape[3])
{
    check_product(check, shape, check->c);
    for (size_t row = 0; row < TILE_ROWS; row++)
        memcpy(check->again + row * shape[2], check->a + (TILE_ROWS - 1 - row) * shape[2],
               shape[2] * sizeof(float));
    memcpy(check->a, check->again, TILE_ROWS * shape[2] * sizeof(float));
    check_product(check, shape, check->again);
    for (size_t row = 0; row < TILE_ROWS; row++)
        if (memcmp(check->again + row * shape[1], check->c + (TILE_ROWS - 1 - row) * shape[1],
                   shape[1] * sizeof(float)) != 0)
            return false;
    return true;
}

static bool check_products(struct error *error)
{
    static const size_t SHAPES[][3] = {{1, 72, 72}, {72, 72, 72}, {64, 32, 27}, {49, 3, 72},
                                       {8, 2, 64},  {8, 64, 34},  {8, 72, 72},  {16, 33, 65}};
    static struct check check; /* too large for some stacks; start runs once, in one thread */
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        check_fill(&check);
        if (!check_right(&check, SHAPES[i]) ||
            (SHAPES[i][0] == TILE_ROWS && !check_tile(&check, SHAPES[i])))
            return error_set(error, ERROR_IO,
                             "%s with core %s multiplies wrongly (%zu x %zu x %zu): try "
                             "OPENBLAS_CORETYPE=Haswell, or --backend portable",
                             openblas_get_config(), openblas_get_corename(), SHAPES[i][0],
                             SHAPES[i][1], SHAPES[i][2]);
    }
    return true;
}

static char contract_text[64], details_text[256];

/* A core older than the CPU: OpenBLAS did not know the CPU, and is 3 to 5 times slower. */
static bool core_is_old(const char *core)
{
    return cpu_has_fma() && (strcmp(core, "Prescott") == 0 || strcmp(core, "Nehalem") == 0);
}

static void describe(void)
{
    const char *config = openblas_get_config(), *core = openblas_get_corename();
    char version[32] = "unknown";
    sscanf(config, "OpenBLAS %31s", version);
    snprintf(contract_text, sizeof contract_text, "openblas-%s-%s", core, version);
    snprintf(details_text, sizeof details_text, "OpenBLAS %s, core %s, pthread variant%s", version,
             core,
             core_is_old(core) ? "; this core is far older than the CPU and several times slower: "
                                 "set OPENBLAS_CORETYPE=Haswell (or SkylakeX)"
                               : "");
}

static bool start(struct error *error)
{
    if (openblas_get_parallel() != PARALLEL_PTHREAD)
        return error_set(error, ERROR_IO,
                         "this OpenBLAS is the %s variant, which is not safe with worker threads: "
                         "install the package libopenblas0-pthread",
                         openblas_get_parallel() == 0 ? "serial" : "OpenMP");
    openblas_set_num_threads(1);
    describe();
    return check_products(error);
}

static const char *contract(void)
{
    return contract_text;
}

static const char *details(void)
{
    return details_text;
}

const struct backend backend_openblas_baseline = {
    .name = "openblas",
    .kernels = &BASELINE,
    .fits = cpu_is_any,
    .start = start,
    .contract = contract,
    .details = details,
};

const struct backend backend_openblas_fma = {
    .name = "openblas",
    .kernels = &FMA,
    .fits = cpu_has_fma,
    .start = start,
    .contract = contract,
    .details = details,
};
