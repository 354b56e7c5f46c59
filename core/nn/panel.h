/* panel.h - matrices of weights in the order in which products read them, and those products.
 *
 * A matrix [depth][columns] is cut into blocks of PANEL_DEPTH rows, and these into panels of
 * PANEL_COLUMNS columns, the last one filled up with zeros; in a panel row follows row. One format
 * for all instruction sets. */
#ifndef PANEL_H
#define PANEL_H

#include <stdbool.h>
#include <stddef.h>

enum { PANEL_COLUMNS = 32, PANEL_DEPTH = 256 };

/* Columns rounded up to whole panels. */
size_t panel_width(size_t columns);
/* depth * panel_width(columns) */
size_t panel_floats(size_t columns, size_t depth);
/* Where element (k, column) is. */
size_t panel_place(size_t columns, size_t depth, size_t k, size_t column);

/* c[i][j] = sum over k of a[i][k] b[k][j], each one chain: acc = +0; for k ascending:
 * acc = fma(a, b, acc). Exactly `columns` columns of c are written. Any thread. */
struct panel_product {
    size_t rows, columns, depth;
    const float *a, *panels;
    float *c;
    size_t a_ld, c_ld;
    /* Where the panels are of a wider matrix: its columns, and which of them is c's first, a
     * multiple of PANEL_COLUMNS. */
    size_t all_columns, first_column;
    bool near; /* all panels rest in the second cache: they need not be fetched ahead */
};

void panel_product_avx512(const struct panel_product *product);
void panel_product_avx2(const struct panel_product *product);
void panel_product_fma(const struct panel_product *product); /* plain C on a CPU with FMA */
void panel_product_baseline(const struct panel_product *product);

#endif
