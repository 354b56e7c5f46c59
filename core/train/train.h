/* train.h - a point network learns: reverse mode through the layers that core/model/point_mlp.c
 * evaluates, Adam, a rate that falls as a cosine, an exponential average of the weights.
 *
 *     objective_process -> fill options -> train_create -> train_step ... -> tensors of
 *     TRAIN_AVERAGE into a folder -> train_destroy
 *
 * Everything is drawn by a generator of its own that is seeded anew for each iteration from (seed,
 * iteration): so a run that is stopped after any step, written down tensor by tensor and resumed
 * goes on bit for bit as if nothing had been. The same options, points and seed give the same bits
 * on one machine and build; the arithmetic is that of core/nn's native kernels, so other machines
 * give them too, but only samples are promised that. One owner, one thread at a time; train_step
 * sets its float mode (gang_float_mode) and allocates nothing. Files, folders, data sets, progress
 * lines are not its business. */
#ifndef TRAIN_H
#define TRAIN_H

#include "core/base/error.h"
#include "core/diffusion/process.h"
#include "core/nn/activation.h"
#include "core/train/objective.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAIN_HIDDEN_MAX 16
#define TRAIN_WIDTH_MAX  4096
#define TRAIN_BATCH_MAX  1048576
#define TRAIN_DIM_MAX    64
#define TRAIN_CLASS_MAX  65536
#define TRAIN_CLIP_MAX   1e6

struct train_options {
    enum objective objective;
    struct process_config process; /* as objective_process made it, perhaps changed; copied */
    size_t hidden[TRAIN_HIDDEN_MAX], hidden_count;
    enum activation activation; /* silu, gelu, relu, elu, tanh */
    size_t time_dim;            /* of the sinusoidal embedding; even */
    size_t class_count;         /* of the data, 0: none */
    double class_drop;   /* this part of the labels becomes the null class, index class_count */
    size_t batch;        /* points an iteration */
    uint64_t iterations; /* after which the rate is 0 */
    uint64_t warmup;     /* the rate rises through so many first */
    double rate;         /* of Adam at its highest */
    double clip_norm;    /* gradients are scaled down to it (gradient_clip); 0: they are not */
    double average;      /* the average's decay, below 1; 0: the weights themselves */
    uint64_t seed;
    unsigned threads; /* of train_step, the caller among them; the bits do not depend on it. A
                         minibatch has four parts at most (gradient.h) */
};

/* The two-Gaussian demo put right: eps, T = 1000, 3 x 128 SiLU, time_dim 32, batch 1024, 4000
 * iterations, rate .005, decay .999, seed 0, no classes. */
struct train_options train_options_default(void);

/* Borrowed for as long as the training lives, and read by each step: what draws its points afresh
 * changes them between steps. */
struct train_set {
    const float *points;   /* [count][dim] */
    const int32_t *labels; /* [count], 0..class_count-1; NULL without classes */
    size_t count, dim;
};

struct train;

/* INVALID (an option by its command-line name; a label, a point that is not finite), NO_MEMORY. */
MUST_CHECK bool train_create(const struct train_options *options, const struct train_set *set,
                             struct train **out, struct error *error);
void train_destroy(struct train *train);

/* One iteration. NONFINITE: the loss or its gradient is no number any more, or none that Adam could
 * follow; the weights are those from before, and so is the iteration. Not after the last one. */
MUST_CHECK bool train_step(struct train *train, struct error *error);

struct train_progress {
    uint64_t iteration; /* done */
    double loss;        /* of the last one's batch (objective_loss) */
    double mean_loss;   /* averaged over about the last hundred */
    double rate;        /* of the next one */
    double norm;        /* of the last one's gradient, before it was clipped; 0: unknown */
};
struct train_progress train_progress(const struct train *train);

/* --- The state, as named tensors ------------------------------------------------------------- */

/* Four sets of the same tensors; between two steps they and the progress are the whole state. */
enum train_part { TRAIN_WEIGHTS, TRAIN_AVERAGE, TRAIN_FIRST_MOMENT, TRAIN_SECOND_MOMENT };
enum { TRAIN_PARTS = 4 };

struct train_tensor {
    char name[48]; /* as in a PointMLP folder: "layers.0.weight", "class_embedding.weight" */
    size_t rank, size[2];
    float *values; /* row-major, the training's own: to read, or to fill before train_resume */
};

size_t train_tensor_count(const struct train *train);
struct train_tensor train_tensor(const struct train *train, enum train_part part, size_t index);

/* Goes on from there; the tensors of all parts have been filled. INVALID: an iteration behind the
 * last, a value that is not finite. */
MUST_CHECK bool train_resume(struct train *train, const struct train_progress *progress,
                             struct error *error);

/* --- What a folder must state ---------------------------------------------------------------- */

/* The process as trained; config.json's num_class_embeds, 0: null; denoised.json's null_class, -1:
 * none. Lists in `process` are owned by the training. */
struct train_folder {
    const struct process_config *process;
    size_t data_dim, num_class_embeds;
    int null_class;
};
struct train_folder train_folder(const struct train *train);

#endif
