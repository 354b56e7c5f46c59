/* pass.h - the loss of some points and its gradient: forwards and back through all layers, some
 * rows at a time, so that what they leave for the way back stays in the second cache.
 *
 * Where the objective differentiates the output along directions v, each point has as many rows
 * more, tangents: what d/dx along v makes of its values, layer by layer. Reverse mode then goes
 * through both; a tangent's row reaches a point's by f'' (Pearlmutter 1994, the other way round).
 * The bits do not depend on how many rows are taken at a time in anything but the order in which
 * their gradients are added. One owner. */
#ifndef PASS_H
#define PASS_H

#include "core/base/arena.h"
#include "core/nn/gradient.h"
#include "core/train/minibatch.h"
#include "core/train/packed.h"

/* What a layer leaves for the way back. */
struct pass_layer {
    float *values;                   /* [(1 + directions) rows][ld]: outputs */
    float *slope, *curvature, *sums; /* gradient.h */
    size_t ld;                       /* of all these */
    float *bias_gradient;            /* whole lanes */
};

struct pass {
    const struct mlp *mlp;
    const struct packed *packed;
    const struct gradient_kernels *kernels;
    size_t directions, rows; /* points at a time */
    struct pass_layer layers[TRAIN_HIDDEN_MAX + 1];
    float *input; /* [(1 + directions) rows][input_ld] */
    size_t input_ld;
    float *back[2]; /* with respect to a layer's outputs, to its inputs; by turns */
    struct arena arena;
};

/* `packed` is borrowed and filled before each run. */
MUST_CHECK bool pass_init(struct pass *pass, const struct packed *packed, size_t directions,
                          struct error *error);
void pass_finish(struct pass *pass);

struct pass_rows {
    size_t first, count; /* of a minibatch's points */
};

/* The sum of their losses; the gradient of their share of the batch's mean is written. */
double pass_run(struct pass *pass, const struct minibatch *batch, struct pass_rows rows,
                float *gradient);

#endif
