#include "core/train/minibatch.h"

#include "core/nn/embedding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* More of them are computed as they come. */
#define EMBEDDINGS_MAX (16u << 20)

/* Steele, Lea & Flood 2014 (SplitMix64): neighbours lie far apart. */
static uint64_t mixed(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void minibatch_seed(struct rng *rng, uint64_t seed, uint64_t iteration)
{
    rng_seed(rng, (uint32_t)mixed(mixed(seed) ^ iteration));
}

/* --- life cycle ------------------------------------------------------------------------------- */

static void fill_embeddings(struct minibatch *batch, size_t count)
{
    size_t width = batch->options->time_dim;
    for (size_t i = 0; i < count; i++)
        embedding_sinusoidal(batch->frequencies, width / 2,
                             process_model_time_at_index(batch->process, (double)i), true,
                             batch->embeddings + i * width);
}

bool minibatch_init(struct minibatch *batch, const struct train_options *options,
                    const struct process *process, const struct train_set *set, struct error *error)
{
    size_t rows = options->batch, floats = rows * set->dim, width = options->time_dim;
    size_t steps = options->process.schedule.timesteps;
    bool is_table = options->process.type == PROCESS_TABLE && steps * width <= EMBEDDINGS_MAX;
    *batch =
        (struct minibatch){.options = options,
                           .process = process,
                           .set = set,
                           .dim = set->dim,
                           .directions = objective_directions(options->objective, set->dim),
                           .constant = objective_constant(options->objective, process, set->dim),
                           .x = calloc(floats, sizeof(float)),
                           .x_0 = calloc(floats, sizeof(float)),
                           .epsilon = calloc(floats, sizeof(float)),
                           .signs = calloc(floats, sizeof(float)),
                           .terms = calloc(rows, sizeof(struct objective_term)),
                           .labels = calloc(rows, sizeof(int32_t)),
                           .times = calloc(rows, sizeof(double)),
                           .indices = calloc(rows, sizeof(size_t)),
                           .frequencies = calloc(width / 2, sizeof(float)),
                           .embeddings = is_table ? calloc(steps * width, sizeof(float)) : NULL};
    if (batch->x == NULL || batch->x_0 == NULL || batch->epsilon == NULL || batch->signs == NULL ||
        batch->terms == NULL || batch->labels == NULL || batch->times == NULL ||
        batch->indices == NULL || batch->frequencies == NULL ||
        (is_table && batch->embeddings == NULL)) {
        minibatch_finish(batch);
        return error_set(error, ERROR_NO_MEMORY, "no memory for a batch of %zu points", rows);
    }
    embedding_frequencies(width / 2, 0, batch->frequencies);
    if (is_table)
        fill_embeddings(batch, steps);
    return true;
}

void minibatch_finish(struct minibatch *batch)
{
    free(batch->x);
    free(batch->x_0);
    free(batch->epsilon);
    free(batch->signs);
    free(batch->terms);
    free(batch->labels);
    free(batch->times);
    free(batch->indices);
    free(batch->frequencies);
    free(batch->embeddings);
    *batch = (struct minibatch){.dim = 0};
}

/* --- draws ------------------------------------------------------------------------------------ */

/* One of `count`: a word's share of them. */
static size_t draw_index(struct rng *rng, size_t count)
{
    return (size_t)(((uint64_t)rng_word(rng) * count) >> 32);
}

/* All are chosen first: a set is larger than caches, and then its rows come while others are
 * chosen. */
static void draw_points(struct minibatch *batch)
{
    const struct train_set *set = batch->set;
    for (size_t i = 0; i < batch->options->batch; i++) {
        batch->indices[i] = draw_index(&batch->rng, set->count);
        __builtin_prefetch(set->points + batch->indices[i] * set->dim);
    }
    for (size_t i = 0; i < batch->options->batch; i++) {
        size_t index = batch->indices[i];
        memcpy(batch->x_0 + i * set->dim, set->points + index * set->dim,
               set->dim * sizeof *batch->x_0);
        if (batch->options->class_count > 0)
            batch->labels[i] = set->labels[index];
    }
}

static void drop_labels(struct minibatch *batch)
{
    double part = batch->options->class_drop;
    if (batch->options->class_count == 0 || !(part > 0.0))
        return;
    for (size_t i = 0; i < batch->options->batch; i++)
        if ((double)rng_word(&batch->rng) < part * 0x1p32)
            batch->labels[i] = (int32_t)batch->options->class_count;
}

/* A base of its own is drawn point by point. */
static void draw_noise(struct minibatch *batch)
{
    const struct process_config *config = &batch->options->process;
    size_t rows = batch->options->batch;
    if (config->type != PROCESS_FLOW || config->base == FLOW_BASE_GAUSSIAN) {
        rng_randn(&batch->rng, batch->epsilon, rows * batch->dim);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        process_draw(batch->process, &batch->rng, batch->epsilon + i * batch->dim, batch->dim);
}

static void draw_signs(struct minibatch *batch)
{
    if (batch->options->objective != OBJECTIVE_SLICED)
        return;
    for (size_t i = 0; i < batch->options->batch * batch->dim; i++)
        batch->signs[i] = (rng_word(&batch->rng) & 1u) != 0 ? 1.0f : -1.0f;
}

/* --- levels ----------------------------------------------------------------------------------- */

struct station {
    struct level level;
    double time; /* as the network is told */
    size_t index;
};

/* u in [0, 1) of the way through a table, the levels, or from sampling_eps to t_max. */
static struct station station_at(const struct process *process, double u)
{
    const struct process_config *config = &process->config;
    if (config->type == PROCESS_TABLE) {
        size_t index = (size_t)(u * (double)config->schedule.timesteps);
        double alpha_bar = process->schedule.alpha_bar[index];
        return (struct station){{sqrt(alpha_bar), sqrt(1.0 - alpha_bar)},
                                process_model_time_at_index(process, (double)index),
                                index};
    }
    if (config->type == PROCESS_VE && config->levels != NULL) {
        double sigma = config->levels[(size_t)(u * (double)config->level_count)];
        return (struct station){process_level_at_sigma(process, sigma),
                                process_model_time_at_sigma(process, sigma), 0};
    }
    double start = process_sampling_eps(process);
    double t = start + u * (process_t_max(process) - start);
    return (struct station){process_level(process, t), process_model_time(process, t), 0};
}

static void noise_point(struct minibatch *batch, size_t row, struct level level)
{
    size_t first = row * batch->dim;
    for (size_t i = first; i < first + batch->dim; i++)
        batch->x[i] =
            (float)(level.alpha * (double)batch->x_0[i] + level.sigma * (double)batch->epsilon[i]);
}

void minibatch_draw(struct minibatch *batch, uint64_t iteration)
{
    const struct train_options *options = batch->options;
    minibatch_seed(&batch->rng, options->seed, iteration);
    double start = (double)rng_word(&batch->rng) * 0x1p-32;
    draw_points(batch);
    drop_labels(batch);
    draw_noise(batch);
    draw_signs(batch);
    for (size_t i = 0; i < options->batch; i++) {
        double u = start + (double)i / (double)options->batch;
        struct station station = station_at(batch->process, u < 1.0 ? u : u - 1.0);
        batch->times[i] = station.time;
        batch->indices[i] = station.index;
        batch->terms[i] = objective_term(options->objective, batch->process, station.level,
                                         station.index, batch->dim);
        noise_point(batch, i, station.level);
    }
}

void minibatch_embedding(const struct minibatch *batch, size_t row, float *out)
{
    size_t width = batch->options->time_dim;
    if (batch->embeddings != NULL)
        memcpy(out, batch->embeddings + batch->indices[row] * width, width * sizeof *out);
    else
        embedding_sinusoidal(batch->frequencies, width / 2, batch->times[row], true, out);
}
