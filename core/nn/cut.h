/* cut.h - how the native layers cut a product into parts: along its rows where they are many, else
 * along the columns, in whole panels. From its size alone, so that the bits do not depend on who
 * runs a part. */
#ifndef CUT_H
#define CUT_H

#include "core/nn/kernels.h"

struct cut {
    size_t all_rows, all_columns;
    size_t rows, columns; /* of a part; the last one may be smaller */
    size_t parts;
};

struct cut_block {
    size_t row, rows, column, columns;
};

struct cut cut_product(size_t rows, size_t columns, size_t depth);
/* Neighbouring parts as one. */
struct cut_block cut_block(const struct cut *cut, struct parts parts);

/* How many columns of a product with so many rows should be summed and finished before the next
 * ones: as many as rest in the first cache, or all where sums return to memory anyway, between
 * blocks of depth. A multiple of PANEL_COLUMNS, or all. */
size_t cut_chunk(size_t rows, size_t columns, size_t depth);

#endif
