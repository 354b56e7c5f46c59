/* Compiled for several CPUs; see the Makefile. */
#include "core/nn/panel.h"

#include "core/nn/isa.h"

/* Rows [row, row + 1) of one panel in one block of depth; sums rest in c between blocks: storing a
 * float and loading it again is exact, so the chain goes on. */
static void one_row(const struct panel_product *product, size_t row, size_t first, size_t column)
{
    size_t rest = product->depth - first, width = product->columns - column;
    size_t depth = rest < PANEL_DEPTH ? rest : PANEL_DEPTH;
    const float *a = product->a + row * product->a_ld + first;
    size_t all = product->all_columns > 0 ? product->all_columns : product->columns;
    const float *b =
        product->panels + panel_place(all, product->depth, first, product->first_column + column);
    float *c = product->c + row * product->c_ld + column;
    size_t count = width < LANES ? width : LANES;
    struct lanes sum = first > 0 ? lanes_load_some(c, count) : lanes_set(0.0f);
    for (size_t k = 0; k < depth; k++)
        sum = lanes_fma(lanes_set(a[k]), lanes_load(b + k * PANEL_COLUMNS), sum);
    lanes_store_some(c, sum, count);
}

void ISA(panel_product)(const struct panel_product *product)
{
    for (size_t first = 0; first < product->depth; first += PANEL_DEPTH)
        for (size_t column = 0; column < product->columns; column += LANES)
            for (size_t row = 0; row < product->rows; row++)
                one_row(product, row, first, column);
}
