#include "core/nn/panel.h"

size_t panel_width(size_t columns)
{
    return (columns + PANEL_COLUMNS - 1) / PANEL_COLUMNS * PANEL_COLUMNS;
}

size_t panel_floats(size_t columns, size_t depth)
{
    return depth * panel_width(columns);
}

size_t panel_place(size_t columns, size_t depth, size_t k, size_t column)
{
    size_t first = k / PANEL_DEPTH * PANEL_DEPTH, rest = depth - first;
    size_t rows = rest < PANEL_DEPTH ? rest : PANEL_DEPTH;
    return first * panel_width(columns) + column / PANEL_COLUMNS * rows * PANEL_COLUMNS +
           (k - first) * PANEL_COLUMNS + column % PANEL_COLUMNS;
}
