#include "core/nn/cut.h"

#include "core/nn/panel.h"

enum {
    SMALL_WORK = 1 << 19,       /* multiply-adds that are not worth a second part */
    PART_WORK = SMALL_WORK / 2, /* of a part, at least */
    PARTS_MAX = 8,
    PART_ROWS = 64,    /* fewer use the weights, which stream by, too little */
    PART_COLUMNS = 64, /* at least */
    CHUNK_FLOATS = 4096
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t blocks_of(size_t total, size_t block)
{
    return (total + block - 1) / block;
}

struct cut cut_product(size_t rows, size_t columns, size_t depth)
{
    size_t work = rows * columns * depth;
    struct cut cut = {rows, columns, rows, columns, 1};
    if (work <= SMALL_WORK)
        return cut;
    size_t limit = smaller(PARTS_MAX, work / PART_WORK);
    if (rows / 2 >= PART_ROWS || columns / 2 < PART_COLUMNS)
        cut.rows = blocks_of(rows, smaller(limit, larger(2, rows / PART_ROWS)));
    else
        cut.columns = panel_width(blocks_of(columns, smaller(limit, columns / PART_COLUMNS)));
    cut.parts = blocks_of(rows, cut.rows) * blocks_of(columns, cut.columns);
    return cut;
}

struct cut_block cut_block(const struct cut *cut, struct parts parts)
{
    struct cut_block block = {0, cut->all_rows, 0, cut->all_columns};
    if (cut->rows < cut->all_rows) {
        block.row = parts.begin * cut->rows;
        block.rows = smaller(parts.end * cut->rows, cut->all_rows) - block.row;
    } else if (cut->columns < cut->all_columns) {
        block.column = parts.begin * cut->columns;
        block.columns = smaller(parts.end * cut->columns, cut->all_columns) - block.column;
    }
    return block;
}

size_t cut_chunk(size_t rows, size_t columns, size_t depth)
{
    if (depth > PANEL_DEPTH)
        return columns;
    size_t chunk = CHUNK_FLOATS / rows / PART_COLUMNS * PART_COLUMNS;
    return smaller(larger(chunk, PART_COLUMNS), columns);
}
