/* ladder_plan.h - from a plan's options to the ladder of noise levels that it steps down.
 *
 * The options are spacing, use_karras_sigmas, use_exponential_sigmas, sigma_min, sigma_max and
 * final_sigmas_type: those of them that the sampler has. */
#ifndef LADDER_PLAN_H
#define LADDER_PLAN_H

#include "core/diffusion/sigmas.h"
#include "core/diffusion/steps.h"

/* `request` states the family and what else the sampler itself decides; the rest is read from the
 * plan, whose options that have no meaning here are taken back. ladder_finish when true. INVALID:
 * options that exclude each other, what ladder_init refuses; NO_MEMORY. */
MUST_CHECK bool ladder_plan(struct ladder *ladder, struct plan *plan,
                            const struct ladder_request *request, struct error *error);

/* The ladder of Euler, Euler ancestral and Heun. */
MUST_CHECK bool ladder_plan_euler(struct ladder *ladder, struct plan *plan, struct error *error);

/* Where these ask the model about level i, x in VE coordinates. */
void step_ask_on_ladder(struct plan_step *step, const struct process *process,
                        const struct ladder *ladder, size_t i);

#endif
