#include "core/nn/gradient.h"

#include "core/nn/backend.h"

#include <string.h>

const struct gradient_kernels *gradient_kernels_find(void)
{
    return cpu_has_avx512() ? &gradient_kernels_avx512
           : cpu_has_fma()  ? &gradient_kernels_avx2
                            : &gradient_kernels_baseline;
}

void panel_pack(const float *matrix, size_t ld, size_t columns, size_t depth, float *panels)
{
    memset(panels, 0, panel_floats(columns, depth) * sizeof *panels);
    for (size_t column = 0; column < columns; column += PANEL_COLUMNS) {
        size_t rest = columns - column, some = rest < PANEL_COLUMNS ? rest : PANEL_COLUMNS;
        for (size_t k = 0; k < depth; k++)
            memcpy(panels + panel_place(columns, depth, k, column), matrix + k * ld + column,
                   some * sizeof *panels);
    }
}
