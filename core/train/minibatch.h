/* minibatch.h - the points of one iteration: drawn from the set, noised to levels of the process,
 * with what the objective asks of the network there.
 *
 * What is drawn depends on the seed and the iteration alone. Times are spread evenly from one
 * uniform number an iteration (Kingma et al. 2021, appendix I.1): each is uniform, their noise is
 * less. One owner. */
#ifndef MINIBATCH_H
#define MINIBATCH_H

#include "core/base/rng.h"
#include "core/train/train.h"

struct minibatch {
    const struct train_options *options; /* borrowed, as the next two */
    const struct process *process;
    const struct train_set *set;
    size_t dim, directions;
    float *x, *x_0, *epsilon;     /* [batch][dim] */
    float *signs;                 /* [batch][dim], +-1; where there is one direction */
    struct objective_term *terms; /* [batch] */
    double constant;              /* of the loss */
    int32_t *labels;              /* [batch]; the null class among them */
    double *times;                /* [batch], as the network is told */
    size_t *indices;              /* [batch], of a table; of the set while points are drawn */
    float *frequencies;           /* [time_dim / 2] */
    float *embeddings;            /* of a table's times, [T][time_dim]; NULL elsewhere */
    struct rng rng;
};

MUST_CHECK bool minibatch_init(struct minibatch *batch, const struct train_options *options,
                               const struct process *process, const struct train_set *set,
                               struct error *error);
void minibatch_finish(struct minibatch *batch);

void minibatch_draw(struct minibatch *batch, uint64_t iteration);

/* time_dim floats of the embedding of row `row`'s time. */
void minibatch_embedding(const struct minibatch *batch, size_t row, float *out);

/* The generator of an iteration; of the weights' start that of UINT64_MAX. */
void minibatch_seed(struct rng *rng, uint64_t seed, uint64_t iteration);

#endif
