/* probe_one_step.h - one reverse step of a sampler, from t to t_next.
 *
 * The arithmetic is the sampler's own: its advance, on a plan of a single entry, so a step has the
 * bits that the same pair of times gives in the middle of a run. A row begins with x_t
 * (conditioning->x_T) in the sampler's own coordinates, those of the levels below, and is done with
 * x = x_next. Where the step draws, z is conditioning->noise or the row's first randn(D).
 *
 * What a sampler does by the history of several steps a single step cannot do: DPM-Solver++ takes
 * its first-order step. Those that have no single step at all are refused. */
#ifndef PROBE_ONE_STEP_H
#define PROBE_ONE_STEP_H

#include "core/diffusion/sampler.h"

struct one_step_question {
    const struct process *process; /* the model's; must outlive the plan */
    size_t dim, output_dim;
    const char *sampler;                 /* wire name */
    const struct option_values *options; /* as the request gives them; the rest takes its default */
    double t;                            /* moment.h */
    double t_next;                       /* likewise, below t; NaN: the data, alpha 1, sigma 0 */
};

/* request->figures of a row: the dim values of the mean, that is x_next without noise, then the
 * variance of what is added: one number, or one a value where the model learned it.
 *
 * NULL with INVALID, the text begins with the field at fault (t, t_next, sampler or an option):
 * times outside the process or not falling, between timesteps where the sampler's network is told
 * whole ones, a sampler without a single step or not of this process, an option of another sampler
 * or of a row of steps. NO_MEMORY. */
struct plan *one_step_plan(const struct one_step_question *question, struct error *error);

size_t one_step_variances(const struct plan *plan);  /* 1 or dim */
bool one_step_draws(const struct plan *plan);        /* false: x_next is the mean */
struct level one_step_from(const struct plan *plan); /* of x_t, in the sampler's coordinates */
struct level one_step_to(const struct plan *plan);   /* of x_next */

/* For lists of what may be asked: whether the sampler has a single step; whether that step reads
 * an option that the sampler has, which is not one of a row of steps (spacing, shift, ...). */
bool one_step_has(const struct sampler *sampler);
bool one_step_reads(const struct sampler *sampler, enum sampler_option option);

#endif
