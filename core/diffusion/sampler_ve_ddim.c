/* DDIM of the tutorial "Step-by-Step Diffusion" (Nakkiran et al. 2024, algorithm 2) in VE
 * coordinates: x + L (f - x) with L = sqrt(t) / (sqrt(t - d) + sqrt(t)) and the f of ve_ddpm. */
#include "core/diffusion/update.h"
#include "core/diffusion/ve_tutorial.h"

#include <math.h>

/* L d/t = 1 - sqrt(t - d) / sqrt(t). */
static double fraction(double t, double next)
{
    return sqrt(t) / (sqrt(next) + sqrt(t)) * (t - next) / t;
}

static bool ve_ddim_plan(struct plan *plan, struct error *error)
{
    return ve_tutorial_plan(plan, fraction, 0.0, error);
}

static bool ve_ddim_plan_step(struct plan *plan, const struct step_times *times,
                              struct error *error)
{
    return ve_tutorial_plan_step(plan, fraction, 0.0, times, error);
}

const struct sampler sampler_ve_ddim = {
    .name = "ve_ddim",
    .title = "The tutorial's DDIM: noise whose variance falls evenly, deterministic",
    .options = {OPTION_SIGMA_Q},
    .option_count = 1,
    .runs_on = RUNS_ON_SIGMA,
    .needs_sigma = true,
    .needs = "noise that is N(0, I) at every level",
    .option_default = ve_tutorial_default,
    .plan = ve_ddim_plan,
    .plan_step = ve_ddim_plan_step,
    .begin = steps_begin,
    .advance = update_advance,
};
