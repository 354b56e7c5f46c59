/* langevin.h - what Langevin's samplers share (Song & Ermon 2019, "Generative modeling by
 * estimating gradients of the data distribution", algorithm 1).
 *
 * In VE coordinates x + (size/2) S + sqrt(size) z at one noise level after another, the same number
 * of steps at each: a plan has one entry a level. S is the score of the data blurred by N(0,
 * sigma^2 I). A row begins uniform within +- the option start_range. */
#ifndef LANGEVIN_H
#define LANGEVIN_H

#include "core/diffusion/sampler.h"

/* The entries are there (steps_allocate), each is asked `repeats` times. */
void langevin_repeat(struct plan *plan, size_t repeats);

/* Entry i, at sigma; `noise` 1, or 0 to draw none. Sigma 0 is for a model that is exact there: it
 * is asked for its score itself. */
void langevin_fill(struct plan *plan, size_t i, double sigma, double size, double noise);

/* The plan of all steps at one level, the option sigma, with the option step_size. */
MUST_CHECK bool langevin_plan_level(struct plan *plan, double noise, struct error *error);

/* An option_default. */
double langevin_default(const struct process *process, enum sampler_option option);

void langevin_draw(const struct plan *plan, struct rng *rng, float *x);
void langevin_begin(struct row *row, const struct plan *plan);
enum advance langevin_advance(struct row *row, const struct plan *plan, const float *output);

#endif
