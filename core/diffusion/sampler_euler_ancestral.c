/* Euler's method down to a level below the next one, and fresh noise up to it, as diffusers'
 * EulerAncestralDiscreteScheduler runs it: in VE coordinates the step of DDPM's posterior. Noise is
 * drawn on the last step, too, and counts nothing there. */
#include "core/diffusion/ladder_plan.h"
#include "core/diffusion/single_step.h"
#include "core/diffusion/update.h"

#include <math.h>

static void fill_step(struct plan_step *step, double sigma, double next)
{
    const double up = next * sqrt(fmax(sigma * sigma - next * next, 0.0)) / sigma;
    const double down = sqrt(fmax(next * next - up * up, 0.0));

    step->to = (struct level){.alpha = 1.0, .sigma = next};
    step->draws = true;
    step->coefficient[UPDATE_X0] = 1.0 - down / sigma;
    step->coefficient[UPDATE_X] = down / sigma;
    step->coefficient[UPDATE_NOISE] = up;
}

static bool fill(struct plan *plan, const struct ladder *ladder, struct error *error)
{
    if (!steps_allocate(plan, ladder->n, error))
        return false;
    for (size_t i = 0; i < ladder->n; i++) {
        step_ask_on_ladder(&plan->step[i], plan->process, ladder, i);
        fill_step(&plan->step[i], ladder->sigma[i], ladder->sigma[i + 1]);
    }
    return steps_check_x0(plan, error);
}

static bool euler_ancestral_plan(struct plan *plan, struct error *error)
{
    struct ladder ladder;
    bool is_good;

    if (!ladder_plan_euler(&ladder, plan, error))
        return false;
    is_good = fill(plan, &ladder, error);
    ladder_finish(&ladder);
    return is_good;
}

static bool euler_ancestral_plan_step(struct plan *plan, const struct step_times *times,
                                      struct error *error)
{
    struct rungs rungs;
    const struct ladder ladder = ladder_of_step(&rungs, plan, times);

    return fill(plan, &ladder, error);
}

static double euler_ancestral_default(const struct process *process, enum sampler_option option)
{
    (void)process;
    (void)option;
    return (double)SPACING_LINSPACE;
}

const struct sampler sampler_euler_ancestral = {
    .name = "euler_ancestral",
    .title = "Euler ancestral: Euler steps with fresh noise in every one",
    .options = {OPTION_SPACING},
    .option_count = 1,
    .spacings = SPACINGS_OF_DIFFUSERS,
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .option_default = euler_ancestral_default,
    .plan = euler_ancestral_plan,
    .plan_step = euler_ancestral_plan_step,
    .step_variance = update_variance,
    .begin = steps_begin,
    .advance = update_advance,
};
