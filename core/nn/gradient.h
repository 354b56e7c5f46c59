/* gradient.h - what reverse mode through a stack of linear layers needs beyond panel products.
 *
 * Matrices are rows of `ld` floats, ld a multiple of LANES (isa.h); numbers behind the last column
 * are read and must be finite. Rows may carry tangents: of `rows` points the first `rows` rows are
 * the points, then come as many rows for each direction in which the layers are differentiated
 * forwards. One source for all instruction sets, with the same bits (see isa.h). Any thread. */
#ifndef GRADIENT_H
#define GRADIENT_H

#include "core/nn/activation.h"
#include "core/nn/native.h"
#include "core/nn/panel.h"

#include <stddef.h>

/* c[i][j] += sum over r of a[r][i] b[r][j]; c is [across][down], c_ld any. */
struct outer_product {
    size_t rows, down, across; /* columns of a, of b */
    const float *a, *b;
    float *c;
    size_t a_ld, b_ld, c_ld;
};

/* A layer's sums without bias become f(sum + bias), those of a direction f' times theirs; kept for
 * the way back: f', and with directions f'' and the directions' sums. */
struct activation_rows {
    enum activation activation; /* not NONE, not MISH */
    size_t rows, columns, ld, directions;
    const float *bias;
    float *values;            /* (1 + directions) rows */
    float *slope, *curvature; /* rows */
    float *sums;              /* directions * rows */
};

/* The way back, in place: `values`, with respect to the outputs, become with respect to the sums.
 * The rows' own are added up into bias_gradient. */
struct slope_rows {
    size_t rows, columns, ld, directions;
    const float *slope, *curvature, *sums;
    float *values, *bias_gradient;
};

/* torch.optim.Adam's single step (Kingma & Ba 2015) and an average of the weights that moves by
 * `blend` of the way. Corrections for the moments' start are in `step` and `root_scale`:
 * w -= step m / (sqrt(v) root_scale + epsilon). */
struct adam_step {
    const float *gradient;
    float *weights, *first, *second, *average;
    float first_rest, second_decay, second_rest; /* 1 - beta_1, beta_2, 1 - beta_2 */
    float step, root_scale, epsilon, blend;
};

struct gradient_kernels {
    void (*product)(const struct panel_product *product);
    void (*outer)(const struct outer_product *product);
    void (*activate)(const struct activation_rows *rows);
    void (*slope)(const struct slope_rows *rows);
    void (*adam)(const struct adam_step *step, size_t count);
};

/* The fastest that this CPU can run. */
const struct gradient_kernels *gradient_kernels_find(void);

#define GRADIENT_DECLARE(build) extern const struct gradient_kernels gradient_kernels_##build;
NATIVE_BUILDS(GRADIENT_DECLARE)
#undef GRADIENT_DECLARE

/* Panels of a matrix [depth][columns] whose rows lie `ld` apart. */
void panel_pack(const float *matrix, size_t ld, size_t columns, size_t depth, float *panels);

#endif
