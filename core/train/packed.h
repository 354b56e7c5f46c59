/* packed.h - a network's weights in the order in which products read them, both ways, made anew for
 * each iteration and read by all who run through the layers. One owner writes. */
#ifndef PACKED_H
#define PACKED_H

#include "core/base/arena.h"
#include "core/train/mlp.h"

struct packed_layer {
    float *forwards, *backwards; /* panels [in][out], [out][in]; no way back from the first layer */
    float *bias;                 /* whole lanes */
};

struct packed {
    const struct mlp *mlp; /* borrowed */
    struct packed_layer layers[TRAIN_HIDDEN_MAX + 1];
    float *classes;       /* panels [out of layer 0][time_dim] */
    const float *weights; /* as they are; borrowed */
    struct arena arena;
};

MUST_CHECK bool packed_init(struct packed *packed, const struct mlp *mlp, struct error *error);
void packed_finish(struct packed *packed);

void packed_fill(struct packed *packed, const float *weights);

/* A count of floats, rounded up to what kernels read. */
size_t packed_lanes(size_t count);

#endif
