/* single_step.h - what samplers' plan_step functions share: the two ends of a step as the table
 * counts, and ladders of as many levels.
 *
 * On vp such samplers run by its discrete form, whose index i stands for the time i / (T - 1): t is
 * the index t (T - 1), which may lie between two entries. */
#ifndef SINGLE_STEP_H
#define SINGLE_STEP_H

#include "core/diffusion/sampler.h"
#include "core/diffusion/sigmas.h"

/* Of the rounded table; to the data `next` is -1, alpha_bar_next 1. */
struct table_step {
    double index, next;
    double alpha_bar, alpha_bar_next;
};

/* The plan's only entry, asked in VP coordinates. INVALID: a table's t between two timesteps, which
 * the networks of these samplers are never told; a head without x_0. NO_MEMORY. */
MUST_CHECK bool table_step_plan(struct plan *plan, const struct step_times *times,
                                struct table_step *step, struct error *error);

/* Room for a ladder that owns nothing. */
struct rungs {
    double timestep[2], sigma[2];
};

/* One level and the final one, whose timestep stands behind the first unless it is 0. */
struct ladder ladder_of_step(struct rungs *rungs, const struct plan *plan,
                             const struct step_times *times);

/* INVALID: a table's t between two timesteps. */
MUST_CHECK bool check_whole_step(const struct plan *plan, const struct step_times *times,
                                 struct error *error);

/* Both ends in VE coordinates, 0 for the data. INVALID: t has no sigma, as it has no x_0. */
MUST_CHECK bool sigmas_of_step(double sigma[2], const struct plan *plan,
                               const struct step_times *times, struct error *error);

#endif
