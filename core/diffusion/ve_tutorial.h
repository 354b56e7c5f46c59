/* ve_tutorial.h - what ve_ddpm and ve_ddim share (Nakkiran et al. 2024, "Step-by-Step Diffusion").
 *
 * In VE coordinates sigma = sigma_q sqrt(t), t = 1, 1 - d, .., d with d = 1 / n. */
#ifndef VE_TUTORIAL_H
#define VE_TUTORIAL_H

#include "core/diffusion/sampler.h"

/* An option_default: sigma_q. */
double ve_tutorial_default(const struct process *process, enum sampler_option option);

/* A step from t to t_next goes fraction(t, t_next) of the way to x_0, and noise of deviation
 * noise * sigma_q * sqrt(d) is added. INVALID, NO_MEMORY. */
MUST_CHECK bool ve_tutorial_plan(struct plan *plan, double (*fraction)(double t, double next),
                                 double noise, struct error *error);

/* The same of a single step; noise of variance noise^2 (sigma^2 - sigma_next^2). */
MUST_CHECK bool ve_tutorial_plan_step(struct plan *plan, double (*fraction)(double t, double next),
                                      double noise, const struct step_times *times,
                                      struct error *error);

#endif
