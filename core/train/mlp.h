/* mlp.h - a point network as training sees it: which tensors it has and where each lies in one row
 * of floats. The weights themselves, their average, gradient and moments are such rows. See
 * core/model/point_mlp.c for what is evaluated. Pure, any thread. */
#ifndef MLP_H
#define MLP_H

#include "core/base/rng.h"
#include "core/train/train.h"

struct mlp_layer {
    size_t in, out;
    size_t weights, bias; /* places: [out][in], [out] */
};

struct mlp {
    size_t dim, time_dim;
    size_t embedded;    /* classes, the null class among them; 0: none */
    size_t class_table; /* place: [embedded][time_dim] */
    enum activation activation;
    struct mlp_layer layers[TRAIN_HIDDEN_MAX + 1];
    size_t layer_count;
    size_t floats;
};

struct mlp mlp_of(const struct train_options *options, size_t dim);

/* As torch starts them: nn.Linear's weights and biases even within +-1/sqrt(in), in order, then
 * nn.Embedding's N(0, 1). */
void mlp_draw(const struct mlp *mlp, struct rng *rng, float *weights);

size_t mlp_tensor_count(const struct mlp *mlp);
/* Of the row of floats that begins at `all`. */
struct train_tensor mlp_tensor(const struct mlp *mlp, size_t index, float *all);

#endif
