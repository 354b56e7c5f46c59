/* gradient.h - the loss of a minibatch and its gradient, by one thread or some.
 *
 * The points are cut into parts by their number alone; each part's gradient is found by itself and
 * then all are added in their order: the bits do not depend on the threads. One owner. */
#ifndef TRAIN_GRADIENT_H
#define TRAIN_GRADIENT_H

#include "core/base/gang.h"
#include "core/train/pass.h"

enum { GRADIENT_PARTS = 4 };

struct gradient {
    const struct mlp *mlp;
    struct packed packed;
    struct gang *gang;
    struct pass *passes;          /* one a thread */
    float *parts[GRADIENT_PARTS]; /* mlp.floats each */
    double losses[GRADIENT_PARTS];
    size_t part_count;
};

/* `mlp` is borrowed. More threads than parts are not started. */
MUST_CHECK bool gradient_init(struct gradient *gradient, const struct mlp *mlp, size_t directions,
                              unsigned threads, struct error *error);
void gradient_finish(struct gradient *gradient);

/* The mean loss; its gradient is written, mlp.floats long. */
double gradient_find(struct gradient *gradient, const struct minibatch *batch, const float *weights,
                     float *out);

/* Scaled down in place where its norm is above `limit`, as by torch.nn.utils.clip_grad_norm_. The
 * norm from before: the root of the sum of squares, added up in an order of their places alone. */
double gradient_clip(float *gradient, size_t count, double limit);

#endif
