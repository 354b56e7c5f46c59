#include "core/train/train.h"

#include "core/base/gang.h"
#include "core/base/math.h"
#include "core/train/gradient.h"
#include "core/train/minibatch.h"
#include "core/train/mlp.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

/* torch.optim.Adam's defaults (Kingma & Ba 2015). */
#define FIRST_DECAY  0.9
#define SECOND_DECAY 0.999
#define ADAM_EPSILON 1e-8

/* The square of a larger one is no float: Adam's second moment would never come down again. */
#define GRADIENT_MAX 1e19f

/* Of the loss that is shown. */
#define LOSS_DECAY .99

struct train {
    struct train_options options;
    struct train_set set;
    struct process process;
    struct mlp mlp;
    struct minibatch batch;
    struct gradient finder;
    struct train_progress progress;
    const struct gradient_kernels *kernels;
    float *parts[TRAIN_PARTS], *gradient; /* mlp.floats each, of one block */
    struct arena arena;
};

/* --- options ---------------------------------------------------------------------------------- */

struct train_options train_options_default(void)
{
    return (struct train_options){.objective = OBJECTIVE_EPSILON,
                                  .process = objective_process(OBJECTIVE_EPSILON, 1000),
                                  .hidden = {128, 128, 128},
                                  .hidden_count = 3,
                                  .activation = ACTIVATION_SILU,
                                  .time_dim = 32,
                                  .batch = 1024,
                                  .iterations = 4000,
                                  .warmup = 100,
                                  .rate = .005,
                                  .average = .999,
                                  .threads = 1};
}

static bool refuse(const char *rule, struct error *error)
{
    return error_set(error, ERROR_INVALID, "%s", rule);
}

static bool is_within(size_t value, size_t least, size_t most)
{
    return value >= least && value <= most;
}

static bool check_shape(const struct train_options *options, struct error *error)
{
    if (!is_within(options->hidden_count, 1, TRAIN_HIDDEN_MAX))
        return refuse("hidden: 1 to 16 widths", error);
    for (size_t i = 0; i < options->hidden_count; i++)
        if (!is_within(options->hidden[i], 1, TRAIN_WIDTH_MAX))
            return refuse("hidden: widths must be 1..4096", error);
    if (!is_within(options->time_dim, 2, TRAIN_WIDTH_MAX) || options->time_dim % 2 != 0)
        return refuse("time-dim: an even number in 2..4096", error);
    if (options->activation == ACTIVATION_NONE || options->activation == ACTIVATION_MISH)
        return refuse("activation: silu, gelu, relu, elu or tanh", error);
    if (options->class_count > TRAIN_CLASS_MAX)
        return refuse("classes: at most 65536", error);
    return true;
}

static bool check_course(const struct train_options *options, struct error *error)
{
    if (!is_within(options->batch, 1, TRAIN_BATCH_MAX))
        return refuse("batch: 1..1048576", error);
    if (options->iterations < 1)
        return refuse("iterations: at least 1", error);
    if (!(options->rate > 0.0 && options->rate <= 1.0))
        return refuse("rate: above 0, at most 1", error);
    if (!(options->clip_norm >= 0.0 && options->clip_norm <= TRAIN_CLIP_MAX))
        return refuse("clip-norm: 0 or more, at most 1000000", error);
    if (!(options->average >= 0.0 && options->average < 1.0))
        return refuse("average: 0 or more, below 1", error);
    if (!is_within(options->threads, 1, GANG_THREADS_MAX))
        return refuse("threads: 1..256", error);
    if (!(options->class_drop >= 0.0 && options->class_drop < 1.0))
        return refuse("class-drop: 0 or more, below 1", error);
    return true;
}

static bool check_set(const struct train_options *options, const struct train_set *set,
                      struct error *error)
{
    if (set->count < 1 || set->count > UINT32_MAX)
        return refuse("data: 1..4294967295 points", error);
    if (!is_within(set->dim, 1, TRAIN_DIM_MAX))
        return refuse("data: points have 1..64 coordinates", error);
    if (!math_all_finite(set->points, set->count * set->dim))
        return refuse("data: a coordinate is not finite", error);
    if ((options->class_count > 0) != (set->labels != NULL))
        return refuse("data: labels belong to classes, and classes to labels", error);
    for (size_t i = 0; set->labels != NULL && i < set->count; i++)
        if (set->labels[i] < 0 || (size_t)set->labels[i] >= options->class_count)
            return error_set(error, ERROR_INVALID, "data: label %d of point %zu is not 0..%zu",
                             (int)set->labels[i], i, options->class_count - 1);
    if (options->process.type == PROCESS_FLOW && options->process.base == FLOW_BASE_ANNULUS &&
        set->dim != 2)
        return refuse("data: from an annulus points have 2 coordinates", error);
    return true;
}

/* --- life cycle ------------------------------------------------------------------------------- */

static bool take_memory(struct train *train, struct error *error)
{
    size_t bytes = arena_rounded(train->mlp.floats * sizeof(float));
    if (!arena_init(&train->arena, (TRAIN_PARTS + 1) * bytes, error))
        return false;
    for (size_t i = 0; i < TRAIN_PARTS; i++)
        train->parts[i] = arena_take(&train->arena, bytes);
    train->gradient = arena_take(&train->arena, bytes);
    return true;
}

static void draw_weights(struct train *train)
{
    float *weights = train->parts[TRAIN_WEIGHTS];
    minibatch_seed(&train->batch.rng, train->options.seed, UINT64_MAX);
    mlp_draw(&train->mlp, &train->batch.rng, weights);
    memcpy(train->parts[TRAIN_AVERAGE], weights, train->mlp.floats * sizeof *weights);
}

static bool prepare(struct train *train, struct error *error)
{
    struct train_options *options = &train->options;
    if (!process_init(&train->process, &options->process, error))
        return false;
    options->process = train->process.config;
    train->mlp = mlp_of(options, train->set.dim);
    train->kernels = gradient_kernels_find();
    if (!minibatch_init(&train->batch, options, &train->process, &train->set, error) ||
        !gradient_init(&train->finder, &train->mlp, train->batch.directions, options->threads,
                       error) ||
        !take_memory(train, error))
        return false;
    draw_weights(train);
    return true;
}

bool train_create(const struct train_options *options, const struct train_set *set,
                  struct train **out, struct error *error)
{
    if (!check_shape(options, error) || !check_course(options, error) ||
        !objective_check(options->objective, &options->process, error) ||
        !check_set(options, set, error))
        return false;
    struct train *train = calloc(1, sizeof *train);
    if (train == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a training");
    train->options = *options;
    train->set = *set;
    if (!prepare(train, error)) {
        train_destroy(train);
        return false;
    }
    *out = train;
    return true;
}

void train_destroy(struct train *train)
{
    if (train == NULL)
        return;
    minibatch_finish(&train->batch);
    gradient_finish(&train->finder);
    arena_finish(&train->arena);
    process_finish(&train->process);
    free(train);
}

/* --- steps ------------------------------------------------------------------------------------ */

/* Rises in a line, falls as a cosine (Loshchilov & Hutter 2017). */
static double rate_at(const struct train_options *options, uint64_t iteration)
{
    double done = (double)iteration / (double)options->iterations;
    double risen = (double)(iteration + 1) / ((double)options->warmup + 1.0);
    return options->rate * (risen < 1.0 ? risen : 1.0) * .5 * (1.0 + math_cos(PI * done));
}

/* The average moves fast at first, when the weights do. */
static double blend_at(const struct train_options *options, uint64_t iteration)
{
    double young = (double)(iteration + 1) / (double)(iteration + 10);
    return 1.0 - (options->average < young ? options->average : young);
}

static void move(struct train *train)
{
    double count = (double)(train->progress.iteration + 1);
    double first = 1.0 - math_pow(FIRST_DECAY, count), second = 1.0 - math_pow(SECOND_DECAY, count);
    struct adam_step step = {
        .gradient = train->gradient,
        .weights = train->parts[TRAIN_WEIGHTS],
        .first = train->parts[TRAIN_FIRST_MOMENT],
        .second = train->parts[TRAIN_SECOND_MOMENT],
        .average = train->parts[TRAIN_AVERAGE],
        .first_rest = (float)(1.0 - FIRST_DECAY),
        .second_decay = (float)SECOND_DECAY,
        .second_rest = (float)(1.0 - SECOND_DECAY),
        .step = (float)(rate_at(&train->options, train->progress.iteration) / first),
        .root_scale = (float)(1.0 / sqrt(second)),
        .epsilon = (float)ADAM_EPSILON,
        .blend = (float)blend_at(&train->options, train->progress.iteration)};
    train->kernels->adam(&step, train->mlp.floats);
}

static bool can_be_followed(const float *gradient, size_t count)
{
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        ok &= fabsf(gradient[i]) <= GRADIENT_MAX;
    return ok;
}

static bool ran_away(const struct train *train, struct error *error)
{
    return error_set(error, ERROR_NONFINITE,
                     "the training ran away: after %llu iterations its loss is no number that can "
                     "be followed. Begin again with a smaller --rate%s",
                     (unsigned long long)train->progress.iteration,
                     train->options.clip_norm > 0.0 ? "" : ", or with --clip-norm 1");
}

bool train_step(struct train *train, struct error *error)
{
    struct train_progress *progress = &train->progress;
    assert(progress->iteration < train->options.iterations);
    gang_float_mode();
    minibatch_draw(&train->batch, progress->iteration);
    double loss =
        gradient_find(&train->finder, &train->batch, train->parts[TRAIN_WEIGHTS], train->gradient);
    double clip = train->options.clip_norm;
    double norm = clip > 0.0 ? gradient_clip(train->gradient, train->mlp.floats, clip) : 0.0;
    if (!isfinite(loss) || !can_be_followed(train->gradient, train->mlp.floats))
        return ran_away(train, error);
    move(train);
    progress->norm = norm;
    progress->mean_loss =
        progress->iteration == 0
            ? loss
            : progress->mean_loss + (1.0 - LOSS_DECAY) * (loss - progress->mean_loss);
    progress->loss = loss;
    progress->iteration++;
    return true;
}

struct train_progress train_progress(const struct train *train)
{
    struct train_progress progress = train->progress;
    progress.rate = rate_at(&train->options, progress.iteration);
    return progress;
}

/* --- state ------------------------------------------------------------------------------------ */

size_t train_tensor_count(const struct train *train)
{
    return mlp_tensor_count(&train->mlp);
}

struct train_tensor train_tensor(const struct train *train, enum train_part part, size_t index)
{
    assert(index < mlp_tensor_count(&train->mlp));
    return mlp_tensor(&train->mlp, index, train->parts[part]);
}

bool train_resume(struct train *train, const struct train_progress *progress, struct error *error)
{
    if (progress->iteration > train->options.iterations)
        return error_set(error, ERROR_INVALID, "iterations: %llu are done already",
                         (unsigned long long)progress->iteration);
    for (size_t i = 0; i < TRAIN_PARTS; i++)
        if (!math_all_finite(train->parts[i], train->mlp.floats))
            return error_set(error, ERROR_INVALID, "a number of the state is not finite");
    train->progress = *progress;
    return true;
}

struct train_folder train_folder(const struct train *train)
{
    bool drops = train->mlp.embedded > train->options.class_count;
    return (struct train_folder){.process = &train->process.config,
                                 .data_dim = train->mlp.dim,
                                 .num_class_embeds = train->mlp.embedded,
                                 .null_class = drops ? (int)train->options.class_count : -1};
}
