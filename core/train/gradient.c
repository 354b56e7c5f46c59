#include "core/train/gradient.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fewer points are not worth a part. */
#define PART_MIN 64

/* Sums beside each other, of a norm. */
enum { SUMS = 16 };

/* clip_grad_norm_'s, against a division by zero. */
#define CLIP_EPSILON 1e-6

static bool take_memory(struct gradient *gradient, unsigned threads, struct error *error)
{
    size_t floats = gradient->mlp->floats;
    gradient->passes = calloc(threads, sizeof *gradient->passes);
    gradient->parts[0] = calloc(GRADIENT_PARTS * floats, sizeof(float));
    if (gradient->passes == NULL || gradient->parts[0] == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for gradients");
    for (size_t i = 1; i < GRADIENT_PARTS; i++)
        gradient->parts[i] = gradient->parts[0] + i * floats;
    return true;
}

static bool prepare(struct gradient *gradient, size_t directions, unsigned threads,
                    struct error *error)
{
    if (!take_memory(gradient, threads, error) ||
        !packed_init(&gradient->packed, gradient->mlp, error))
        return false;
    gradient->gang = gang_create(threads, error);
    for (unsigned i = 0; gradient->gang != NULL && i < threads; i++)
        if (!pass_init(&gradient->passes[i], &gradient->packed, directions, error))
            return false;
    return gradient->gang != NULL;
}

bool gradient_init(struct gradient *gradient, const struct mlp *mlp, size_t directions,
                   unsigned threads, struct error *error)
{
    *gradient = (struct gradient){.mlp = mlp};
    if (prepare(gradient, directions, threads < GRADIENT_PARTS ? threads : GRADIENT_PARTS, error))
        return true;
    gradient_finish(gradient);
    return false;
}

void gradient_finish(struct gradient *gradient)
{
    unsigned threads = gradient->gang != NULL ? gang_threads(gradient->gang) : 0;
    for (unsigned i = 0; i < threads; i++)
        pass_finish(&gradient->passes[i]);
    gang_destroy(gradient->gang);
    packed_finish(&gradient->packed);
    free(gradient->passes);
    free(gradient->parts[0]);
    *gradient = (struct gradient){.mlp = NULL};
}

struct task {
    struct gradient *gradient;
    const struct minibatch *batch;
};

static void run_part(void *context, size_t item, unsigned worker)
{
    const struct task *task = context;
    struct gradient *gradient = task->gradient;
    size_t points = task->batch->options->batch, parts = gradient->part_count;
    size_t first = points * item / parts, count = points * (item + 1) / parts - first;
    gradient->losses[item] = pass_run(&gradient->passes[worker], task->batch,
                                      (struct pass_rows){first, count}, gradient->parts[item]);
}

double gradient_find(struct gradient *gradient, const struct minibatch *batch, const float *weights,
                     float *out)
{
    size_t points = batch->options->batch, floats = gradient->mlp->floats;
    size_t parts = (points + PART_MIN - 1) / PART_MIN;
    struct task task = {gradient, batch};
    gradient->part_count = parts < GRADIENT_PARTS ? parts : GRADIENT_PARTS;
    packed_fill(&gradient->packed, weights);
    gang_run(gradient->gang, run_part, &task, gradient->part_count);
    double loss = gradient->losses[0];
    memcpy(out, gradient->parts[0], floats * sizeof *out);
    for (size_t part = 1; part < gradient->part_count; part++) {
        const float *values = gradient->parts[part];
        for (size_t i = 0; i < floats; i++)
            out[i] += values[i];
        loss += gradient->losses[part];
    }
    return loss / (double)points + batch->constant;
}

static double norm_of(const float *values, size_t count)
{
    double sums[SUMS] = {0.0};
    size_t done = 0;
    for (; done + SUMS <= count; done += SUMS)
        for (size_t k = 0; k < SUMS; k++)
            sums[k] += (double)values[done + k] * (double)values[done + k];
    for (size_t k = 0; done + k < count; k++)
        sums[k] += (double)values[done + k] * (double)values[done + k];
    for (size_t half = SUMS / 2; half > 0; half /= 2)
        for (size_t k = 0; k < half; k++)
            sums[k] += sums[k + half];
    return sqrt(sums[0]);
}

double gradient_clip(float *gradient, size_t count, double limit)
{
    double norm = norm_of(gradient, count), scale = limit / (norm + CLIP_EPSILON);
    if (scale < 1.0)
        for (size_t i = 0; i < count; i++)
            gradient[i] = (float)(scale * (double)gradient[i]);
    return norm;
}
