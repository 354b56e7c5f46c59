/* Weights of linear layers as the panels of a matrix [in][out]. */
#include "core/nn/native.h"
#include "core/nn/panel.h"

#include <string.h>

size_t linear_weight_floats(const struct linear_shape *shape)
{
    return panel_floats(shape->out, shape->in);
}

/* Panel by panel, for there the numbers lie one after the other. */
void linear_prepare(const struct linear_shape *shape, const float *weights, float *packed)
{
    size_t in = shape->in, out = shape->out;
    memset(packed, 0, linear_weight_floats(shape) * sizeof *packed);
    for (size_t first = 0; first < in; first += PANEL_DEPTH)
        for (size_t column = 0; column < out; column += PANEL_COLUMNS) {
            float *panel = packed + panel_place(out, in, first, column);
            size_t depth = in - first < PANEL_DEPTH ? in - first : PANEL_DEPTH;
            size_t columns = out - column < PANEL_COLUMNS ? out - column : PANEL_COLUMNS;
            for (size_t k = 0; k < depth; k++)
                for (size_t j = 0; j < columns; j++)
                    panel[k * PANEL_COLUMNS + j] = weights[(column + j) * in + first + k];
        }
}
