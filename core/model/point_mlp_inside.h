/* point_mlp_inside.h - the small network for points, for the sources that it is made of. */
#ifndef POINT_MLP_INSIDE_H
#define POINT_MLP_INSIDE_H

#include "core/base/arena.h"
#include "core/model/tensor_list.h"
#include "core/nn/activation.h"
#include "core/nn/kernels.h"
#include "core/nn/memo.h"

#define POINT_MLP_LAYERS_MAX 64

/* Of a product: all that it ever has where its shape is fixed; at most. */
enum { POINT_MLP_TILE = 8, POINT_MLP_ROWS_MAX = 64 };

struct layer {
    struct linear_shape shape;
    size_t weights, bias;
};

struct point_mlp {
    const struct kernels *kernels;
    size_t dim, time_dim, class_count; /* 0: no classes */
    bool fourier;
    enum activation activation;
    struct layer layers[POINT_MLP_LAYERS_MAX + 1];
    size_t layer_count;
    size_t widest;            /* of the input and all layers */
    size_t time, class_table; /* offsets: frequencies or features; rows of time_dim */
    struct tensor_list tensors;
    struct arena arena;
    bool any_rows;      /* no row of a product depends on how many there are */
    size_t x_weights;   /* offset: [dim][width of the first layer] where x comes last */
    struct memo *times; /* embeddings; where x comes last, sums over them and the class */
};

/* Whether x comes last in the first layer. */
bool point_mlp_sums_known(const struct point_mlp *mlp);

/* Floats of the arena. */
float *point_mlp_floats(const struct point_mlp *mlp, size_t offset);

/* Layer `index` but for its activation; bias may be NULL. */
void point_mlp_product(const struct point_mlp *mlp, size_t index, size_t rows, const float *bias,
                       const float *in, float *out);

#endif
