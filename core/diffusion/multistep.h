/* multistep.h - what the solvers share that combine the x_0 of several steps: DPM-Solver++ and
 * UniPC.
 *
 * Both integrate the probability flow in lambda = -ln sigma, sigma that of VE coordinates, and
 * step down one ladder of levels. x is in VP coordinates of such a level, and predictions are
 * x_0. The network is asked at a whole timestep, whose own level is only near the ladder's where
 * that is Karras' or geometric. */
#ifndef MULTISTEP_H
#define MULTISTEP_H

#include "core/diffusion/ladder_plan.h"

#include <stddef.h>

/* Predictions that a step may combine, its own included. */
#define MULTISTEP_ORDER_MAX 3

/* From level `index` of a ladder to the next: h in lambda, infinite where the next level is 0. */
struct multistep_span {
    struct level from, to; /* VP coordinates */
    double h;
    double gap[MULTISTEP_ORDER_MAX]; /* [j]: lambda_index - lambda_(index - j) */
};

/* Rows begin at level `first`: nothing is known of those before it, whose gap is 0. */
struct multistep_span multistep_span(const struct ladder *ladder, size_t first, size_t index);

/* At most `order`: without entries before the first, or levels that are equal. */
size_t multistep_order(const struct multistep_span *span, size_t order);

/* phi_k(h) = integral over 0..1 of exp((1 - s) h) s^(k-1) / (k-1)! ds, k = 1..4: phi_1 is
 * expm1(h) / h, phi_k+1 is (phi_k - 1/k!) / h. No digits are lost near h = 0. */
double multistep_phi(unsigned k, double h);

/* The plan of a sampler on such a ladder: levels and timesteps of plan->step, start_scale; `fill`
 * then computes what its advance needs. `request` as ladder_plan takes it. INVALID, NO_MEMORY. */
MUST_CHECK bool multistep_plan(struct plan *plan, const struct ladder_request *request,
                               bool (*fill)(struct plan *plan, const struct ladder *ladder,
                                            struct error *error),
                               struct error *error);

/* The same of a single step, which has no predictions before it. */
MUST_CHECK bool multistep_plan_step(struct plan *plan, const struct step_times *times,
                                    bool (*fill)(struct plan *plan, const struct ladder *ladder,
                                                 struct error *error),
                                    struct error *error);

#endif
