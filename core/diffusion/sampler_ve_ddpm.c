/* DDPM of the tutorial "Step-by-Step Diffusion" (Nakkiran et al. 2024, algorithm 1) in VE
 * coordinates: the mean f = x + d/t (E[x_0 | x] - x) and fresh noise of variance sigma_q^2 d at
 * every step, the last included. */
#include "core/diffusion/update.h"
#include "core/diffusion/ve_tutorial.h"

static double fraction(double t, double next)
{
    return (t - next) / t;
}

static bool ve_ddpm_plan(struct plan *plan, struct error *error)
{
    return ve_tutorial_plan(plan, fraction, 1.0, error);
}

static bool ve_ddpm_plan_step(struct plan *plan, const struct step_times *times,
                              struct error *error)
{
    return ve_tutorial_plan_step(plan, fraction, 1.0, times, error);
}

const struct sampler sampler_ve_ddpm = {
    .name = "ve_ddpm",
    .title = "The tutorial's DDPM: noise whose variance falls evenly",
    .options = {OPTION_SIGMA_Q},
    .option_count = 1,
    .runs_on = RUNS_ON_SIGMA,
    .needs_sigma = true,
    .needs = "noise that is N(0, I) at every level",
    .option_default = ve_tutorial_default,
    .plan = ve_ddpm_plan,
    .plan_step = ve_ddpm_plan_step,
    .step_variance = update_variance,
    .begin = steps_begin,
    .advance = update_advance,
};
