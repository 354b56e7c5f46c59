#include "core/nn/gemm_portable.h"

#include <math.h>
#include <string.h>
#ifdef FMA_BUILD
#include <immintrin.h>
#endif

/* Eight numbers side by side. gcc 12 does not keep a tile of plain floats in registers (6 GF/s
 * instead of 90), so the FMA build names the vector; the arithmetic is the same in each lane. */
enum { LANES = 8 };
#ifdef FMA_BUILD
#define GEMM gemm_fma
struct lanes {
    __m256 all;
};

static inline struct lanes multiply_add(float a, const float *b, struct lanes sum)
{
    sum.all = _mm256_fmadd_ps(_mm256_set1_ps(a), _mm256_loadu_ps(b), sum.all);
    return sum;
}
#else
#define GEMM gemm_baseline
struct lanes {
    float lane[LANES];
};

static inline struct lanes multiply_add(float a, const float *b, struct lanes sum)
{
    for (size_t i = 0; i < LANES; i++)
        sum.lane[i] = fmaf(a, b[i], sum.lane[i]);
    return sum;
}
#endif

/* A tile of outputs lives in registers (6 x 16 floats are 12 of AVX2's 16) while a block of b's
 * rows, copied to be contiguous, lives in the first cache. Between blocks of k the sums rest in c:
 * storing a float and loading it again is exact, so the chain goes on. */
enum {
    TILE_ROWS = 6,
    VECTORS = GEMM_PORTABLE_COLUMNS / LANES,
    TILE_COLUMNS = GEMM_PORTABLE_COLUMNS,
    BLOCK_DEPTH = 256
};

struct block {
    size_t column, columns; /* of c, at most TILE_COLUMNS */
    size_t first, depth;    /* of k */
    const float *b;         /* TILE_COLUMNS numbers a k: the panel, or packed weights as they are */
    float panel[BLOCK_DEPTH * TILE_COLUMNS];
};

static void load_panel(const struct gemm *gemm, struct block *block)
{
    size_t k_step = gemm->b_transposed ? 1 : gemm->b_ld;
    size_t column_step = gemm->b_transposed ? gemm->b_ld : 1;
    const float *b = gemm->b + block->first * k_step + block->column * column_step;
    if (k_step == TILE_COLUMNS && block->columns == TILE_COLUMNS) {
        block->b = b;
        return;
    }
    block->b = block->panel;
    if (block->columns < TILE_COLUMNS)
        memset(block->panel, 0, sizeof block->panel);
    for (size_t k = 0; k < block->depth; k++)
        for (size_t j = 0; j < block->columns; j++)
            block->panel[k * TILE_COLUMNS + j] = b[k * k_step + j * column_step];
}

/* Columns past the edge of c are computed, from zeros, and dropped. */
static inline void tile(const struct gemm *gemm, const struct block *block, size_t row, size_t rows)
{
    struct lanes sum[TILE_ROWS][VECTORS];
    const float *a = gemm->a + row * gemm->a_ld + block->first;
    float *c = gemm->c + row * gemm->c_ld + block->column;
    memset(sum, 0, sizeof sum);
    if (block->first > 0 || gemm->accumulates)
        for (size_t i = 0; i < rows; i++)
            memcpy(sum[i], c + i * gemm->c_ld, block->columns * sizeof *c);
    for (size_t k = 0; k < block->depth; k++) {
        const float *b = block->b + k * TILE_COLUMNS;
#pragma GCC unroll 6
        for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 2
            for (size_t j = 0; j < VECTORS; j++)
                sum[i][j] = multiply_add(a[i * gemm->a_ld + k], b + j * LANES, sum[i][j]);
    }
    for (size_t i = 0; i < rows; i++)
        memcpy(c + i * gemm->c_ld, sum[i], block->columns * sizeof *c);
}

static void all_rows(const struct gemm *gemm, const struct block *block)
{
    size_t row = 0;
    for (; row + TILE_ROWS <= gemm->rows; row += TILE_ROWS)
        tile(gemm, block, row, TILE_ROWS);
    if (row + 4 <= gemm->rows) {
        tile(gemm, block, row, 4);
        row += 4;
    }
    if (row + 2 <= gemm->rows) {
        tile(gemm, block, row, 2);
        row += 2;
    }
    if (row < gemm->rows)
        tile(gemm, block, row, 1);
}

static void finish_columns(const struct gemm *gemm, const struct block *block)
{
    for (size_t row = 0; row < gemm->rows; row++) {
        float *c = gemm->c + row * gemm->c_ld + block->column;
        if (gemm->bias != NULL)
            for (size_t j = 0; j < block->columns; j++)
                c[j] += gemm->bias[block->column + j];
        if (gemm->residual != NULL) {
            const float *residual = gemm->residual + row * gemm->residual_ld + block->column;
            for (size_t j = 0; j < block->columns; j++)
                c[j] += residual[j];
        }
        if (gemm->divisor != 1.0f)
            for (size_t j = 0; j < block->columns; j++)
                c[j] /= gemm->divisor;
    }
}

void GEMM(const struct gemm *gemm)
{
    struct block block;
    for (size_t n = 0; n < gemm->columns; n += TILE_COLUMNS) {
        block.column = n;
        block.columns = gemm->columns - n < TILE_COLUMNS ? gemm->columns - n : TILE_COLUMNS;
        for (size_t k = 0; k < gemm->depth; k += BLOCK_DEPTH) {
            block.first = k;
            block.depth = gemm->depth - k < BLOCK_DEPTH ? gemm->depth - k : BLOCK_DEPTH;
            load_panel(gemm, &block);
            all_rows(gemm, &block);
        }
        finish_columns(gemm, &block);
    }
}
