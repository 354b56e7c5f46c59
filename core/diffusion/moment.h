/* moment.h - the time that a question asks at, and where in the process that is.
 *
 * On a beta table t counts timesteps, 0..T-1, as networks and diffusers do; between two entries
 * sigma of VE coordinates runs linearly. Elsewhere it is the process's own time, above 0, at most
 * t_max: for a consistency model sigma itself. */
#ifndef MOMENT_H
#define MOMENT_H

#include "core/base/error.h"
#include "core/diffusion/sampler.h"

struct moment {
    double t;           /* as asked */
    struct level level; /* x = alpha x_0 + sigma epsilon; of a table the rounded one */
    double model_time;  /* as the network counts it */
    double input_scale; /* of x, where the network wants it scaled: of a consistency model */
};

/* INVALID: t is outside the process, or so small that there is no noise that a float32 holds.
 * `name` is the field that the text begins with. */
MUST_CHECK bool moment_at(struct moment *moment, const struct process *process, double t,
                          const char *name, struct error *error);

/* The model is asked there, x in the process's own coordinates. */
void moment_ask(struct plan_step *step, const struct process *process, const struct moment *moment);

/* A table's alpha_bar, the rounded one, at an index, whole or between two. */
double moment_alpha_bar(const struct schedule *table, double index);

/* t in the process's own time: on a table (t + 1) / T. */
double moment_time(const struct process *process, double t);

#endif
