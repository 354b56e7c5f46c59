#include "core/nn/cut.h"

#include "core/nn/panel.h"
#include "core/nn/sizes.h"

enum {
    SMALL_WORK = 1 << 17,       /* multiply-adds that are not worth a second part */
    PART_WORK = SMALL_WORK / 2, /* of a part, at least */
    PARTS_MAX = 8,
    PART_ROWS = 64,    /* fewer use the weights, which stream by, too little */
    PART_COLUMNS = 64, /* at least */
    CHUNK_FLOATS = 4096
};

struct cut cut_product(size_t rows, size_t columns, size_t depth)
{
    size_t work = rows * columns * depth;
    struct cut cut = {rows, columns, rows, columns, 1};
    if (work <= SMALL_WORK)
        return cut;
    size_t limit = size_smaller(PARTS_MAX, work / PART_WORK);
    if (rows / 2 >= PART_ROWS || columns / 2 < PART_COLUMNS)
        cut.rows = size_blocks(rows, size_smaller(limit, size_larger(2, rows / PART_ROWS)));
    else
        cut.columns =
            panel_width(size_blocks(columns, size_smaller(limit, columns / PART_COLUMNS)));
    cut.parts = size_blocks(rows, cut.rows) * size_blocks(columns, cut.columns);
    return cut;
}

struct cut_block cut_block(const struct cut *cut, struct parts parts)
{
    struct cut_block block = {0, cut->all_rows, 0, cut->all_columns};
    if (cut->rows < cut->all_rows) {
        block.row = parts.begin * cut->rows;
        block.rows = size_smaller(parts.end * cut->rows, cut->all_rows) - block.row;
    } else if (cut->columns < cut->all_columns) {
        block.column = parts.begin * cut->columns;
        block.columns = size_smaller(parts.end * cut->columns, cut->all_columns) - block.column;
    }
    return block;
}

size_t cut_chunk(size_t rows, size_t columns, size_t depth)
{
    if (depth > PANEL_DEPTH)
        return columns;
    size_t chunk = CHUNK_FLOATS / rows / PART_COLUMNS * PART_COLUMNS;
    return size_smaller(size_larger(chunk, PART_COLUMNS), columns);
}
