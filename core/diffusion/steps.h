/* steps.h - the parts that plans and rows of many samplers are made of.
 *
 * A plan allocates its steps and says of each where the model is asked; a row begins, asks, and
 * ends a step in the same way whatever its sampler computes. */
#ifndef STEPS_H
#define STEPS_H

#include "core/diffusion/sampler.h"

/* --- plan */

/* plan->step and step_count; evaluations is set to the same. NO_MEMORY. */
MUST_CHECK bool steps_allocate(struct plan *plan, size_t count, struct error *error);

/* The entry where rows of a plan with one entry a step will begin: the last trunc(n strength) of n
 * are run (SDEdit as diffusers counts). A sampler with a history begins it there: entry
 * steps_first() has none. After steps_allocate. */
size_t steps_first(const struct plan *plan);

/* Where the model is asked: x is at `from`, its input is input_scale * x. model_level is the
 * input's: who asks at a time of another level puts that there. */
void step_ask(struct plan_step *step, const struct process *process, struct level from,
              double input_scale, double model_time);

/* The three ways there are. An index of the table, x in VP coordinates (the rounded table); the
 * process's own time; sigma, x in VE coordinates. */
void step_ask_at_index(struct plan_step *step, const struct process *process, long index);
void step_ask_at_time(struct plan_step *step, const struct process *process, double t);
void step_ask_at_sigma(struct plan_step *step, const struct process *process, double sigma);

/* The level of an alpha_bar; the VP level of a sigma / alpha. */
struct level level_of_alpha_bar(double alpha_bar);
struct level level_of_sigma(double sigma);

/* INVALID: option sampling_eps is not within the process's time, or past half of it. */
MUST_CHECK bool plan_check_sampling_eps(const struct plan *plan, struct error *error);

/* The plan's table at an index; 1 below it. */
double plan_alpha_bar(const struct plan *plan, long index);

/* INVALID names the option or the kind of model where a head has no x_0 or no noise at the input's
 * level of some step: to be asked by plans of samplers that use it. */
MUST_CHECK bool steps_check_x0(const struct plan *plan, struct error *error);
MUST_CHECK bool steps_check_epsilon(const struct plan *plan, struct error *error);

/* INVALID where a plan in VE coordinates would ask outside the range of the process's noise. */
MUST_CHECK bool plan_check_sigma(const struct plan *plan, double sigma, struct error *error);

/* Of diffusers' grids for one step, all but trailing hold the last timestep alone. */
void plan_warn_of_one_step(struct plan *plan);

/* --- row */

/* A sampler's begin: x = start_scale * draw, or what the row was given; then the first step is
 * asked. */
void steps_begin(struct row *row, const struct plan *plan);

/* Input, time, level, conversion of step row->step, from row->x. */
void row_ask(struct row *row, const struct plan *plan);

/* row->noise: z of the step in progress, one randn(dim), or what a probe's row was given instead.
 */
void row_draw(struct row *row, const struct plan *plan);

/* The end of an advance: one evaluation more was made; the next step is asked, or the row is done
 * or, when x is no longer finite, has failed. */
enum advance row_next(struct row *row, const struct plan *plan);

/* The same, but the step in progress is asked once more. */
enum advance row_repeat(struct row *row, const struct plan *plan);

#endif
