/* Compiled for several CPUs; see the Makefile.
 *
 * A tile of c, up to 11 rows by 16, 32 or 64 columns, rests in registers while one block of depth
 * of its panels streams by: a row of b is loaded once for all rows of the tile, a number of a once
 * for all its columns. Between blocks of depth the sums rest in c: storing a float and loading it
 * again is exact, so the chain goes on. Rows are shared out evenly, so that no tile is much smaller
 * than the others; few rows take wider tiles, for a sum waits for its multiply-add and only other
 * sums fill that time. */
#include "core/nn/panel.h"

#include "core/nn/isa.h"

#if defined(AVX512_BUILD)
enum { ROWS_16 = 11, ROWS_32 = 11, ROWS_64 = 6 }; /* at most 24 of 32 registers */
#else
enum { ROWS_16 = 6, ROWS_32 = 3, ROWS_64 = 1 }; /* 12 of 16 */
#endif

enum { VECTORS_MAX = 4, PANEL_VECTORS = PANEL_COLUMNS / LANES, PREFETCH_FLOATS = 12288 };

/* Of __builtin_prefetch: into L1 there are fewer requests under way at once than memory needs. */
enum { INTO_L2 = 2 };

struct tile {
    const float *a, *b;
    float *c;
    size_t a_ld, c_ld;
    size_t panel_floats; /* from one panel of this block of depth to the next */
    size_t depth;
    size_t last; /* columns of the last vector */
    bool near;
    bool continues; /* c has the sums of the blocks before */
};

#define INLINE static inline __attribute__((always_inline))

/* The counts, `whole` and `near` are constants wherever this is expanded: all loops but that over k
 * unroll. Longer than others, because the sums are registers. */
INLINE void multiply(struct tile tile, const size_t rows, const size_t vectors, const bool whole,
                     const bool near)
{
    struct lanes sum[ROWS_16][VECTORS_MAX];
    const float *a = tile.a, *b = tile.b;
    float *c = tile.c;
    size_t c_ld = tile.c_ld;
#pragma GCC unroll 12
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            if (!tile.continues)
                sum[i][v] = lanes_set(0.0f);
            else if (whole || v + 1 < vectors)
                sum[i][v] = lanes_load(c + i * c_ld + v * LANES);
            else
                sum[i][v] = lanes_load_some(c + i * c_ld + v * LANES, tile.last);
    for (size_t k = 0; k < tile.depth; k++, b += PANEL_COLUMNS) {
        struct lanes row[VECTORS_MAX];
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++) {
            const float *from =
                b + v / PANEL_VECTORS * tile.panel_floats + v % PANEL_VECTORS * LANES;
            row[v] = lanes_load(from);
            if (!near)
                __builtin_prefetch(from + PREFETCH_FLOATS, 0, INTO_L2);
        }
#pragma GCC unroll 12
        for (size_t i = 0; i < rows; i++) {
            struct lanes number = lanes_set(a[i * tile.a_ld + k]);
#pragma GCC unroll 4
            for (size_t v = 0; v < vectors; v++)
                sum[i][v] = lanes_fma(number, row[v], sum[i][v]);
        }
    }
#pragma GCC unroll 12
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            if (whole || v + 1 < vectors)
                lanes_store(c + i * c_ld + v * LANES, sum[i][v]);
            else
                lanes_store_some(c + i * c_ld + v * LANES, sum[i][v], tile.last);
}

/* --- one function for each size of tile ------------------------------------------------------- */

#define SMALL_TILES(X)                                                                             \
    X(1, 4) X(1, 2) X(2, 2) X(3, 2) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1)
#if defined(AVX512_BUILD)
#define WIDE_TILES(X)   X(2, 4) X(3, 4) X(4, 4) X(5, 4) X(6, 4)
#define MIDDLE_TILES(X) X(4, 2) X(5, 2) X(6, 2) X(7, 2) X(8, 2) X(9, 2) X(10, 2) X(11, 2)
#define NARROW_TILES(X) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1)
#define TILES(X)        SMALL_TILES(X) WIDE_TILES(X) MIDDLE_TILES(X) NARROW_TILES(X)
#else
#define TILES SMALL_TILES
#endif

/* One row uses each number of b once: between the second cache and the first it has no room for
 * requests that bring nothing. More rows have. */
#define DEFINE_TILE(rows, vectors)                                                                 \
    static void multiply_##rows##_by_##vectors(const struct tile *tile)                            \
    {                                                                                              \
        if (tile->last == LANES && (rows) == 1 && tile->near)                                      \
            multiply(*tile, rows, vectors, true, true);                                            \
        else if (tile->last == LANES)                                                              \
            multiply(*tile, rows, vectors, true, false);                                           \
        else                                                                                       \
            multiply(*tile, rows, vectors, false, false);                                          \
    }
TILES(DEFINE_TILE)
#undef DEFINE_TILE

#define TILE_ENTRY(rows, vectors) [vectors][rows] = multiply_##rows##_by_##vectors,
static void (*const MULTIPLY[VECTORS_MAX + 1][ROWS_16 + 1])(const struct tile *) = {
    TILES(TILE_ENTRY)};
#undef TILE_ENTRY

/* --- the product ------------------------------------------------------------------------------ */

/* The widest tile that `width` columns fill and that has registers enough for `rows` rows. */
static size_t vectors_for(size_t rows, size_t width)
{
    size_t most = rows < ROWS_16 ? rows : ROWS_16;
    if (width > (size_t)3 * LANES && most <= ROWS_64)
        return 4;
    return width > LANES && most <= ROWS_32 ? 2 : 1;
}

/* All rows of the columns of one tile, in even groups. */
static void multiply_rows(const struct panel_product *product, struct tile tile, size_t vectors)
{
    static const size_t ROWS_MAX[VECTORS_MAX + 1] = {0, ROWS_16, ROWS_32, 0, ROWS_64};
    size_t left = product->rows, groups = (left + ROWS_MAX[vectors] - 1) / ROWS_MAX[vectors];
    for (; groups > 0; groups--) {
        size_t rows = (left + groups - 1) / groups;
        MULTIPLY[vectors][rows](&tile);
        tile.a += rows * tile.a_ld;
        tile.c += rows * tile.c_ld;
        left -= rows;
    }
}

void ISA(panel_product)(const struct panel_product *product)
{
    size_t columns = product->columns;
    size_t all = product->all_columns > 0 ? product->all_columns : columns;
    struct tile tile = {.a_ld = product->a_ld, .c_ld = product->c_ld, .near = product->near};
    for (size_t first = 0; first < product->depth; first += PANEL_DEPTH) {
        size_t rest = product->depth - first;
        tile.depth = rest < PANEL_DEPTH ? rest : PANEL_DEPTH;
        tile.panel_floats = tile.depth * PANEL_COLUMNS;
        tile.continues = first > 0;
        for (size_t column = 0, vectors; column < columns; column += vectors * LANES) {
            vectors = vectors_for(product->rows, columns - column);
            size_t width = columns - column < vectors * LANES ? columns - column : vectors * LANES;
            tile.a = product->a + first;
            tile.b = product->panels +
                     panel_place(all, product->depth, first, product->first_column + column);
            tile.c = product->c + column;
            tile.last = width - (vectors - 1) * LANES;
            multiply_rows(product, tile, vectors);
        }
    }
}
