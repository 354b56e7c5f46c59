/* mlp_reference.h - a point network in double, layer by layer as its formula says, with the tangent
 * of its values along one direction by the chain rule: what trained networks and their gradients
 * are compared with. Any thread. */
#ifndef MLP_REFERENCE_H
#define MLP_REFERENCE_H

#include "core/train/mlp.h"

enum { MLP_REFERENCE_WIDEST = 64 };

struct dual {
    double value[MLP_REFERENCE_WIDEST], tangent[MLP_REFERENCE_WIDEST];
};

/* The first layer's input becomes the last one's output. No layer is wider than
 * MLP_REFERENCE_WIDEST. */
void mlp_reference(const struct mlp *mlp, const double *weights, struct dual *z);

#endif
