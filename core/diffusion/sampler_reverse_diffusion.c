/* The reverse SDE discretised as its forward process is (Song et al. 2021, appendix E). */
#include "core/diffusion/sde.h"
#include "core/diffusion/update.h"

static bool reverse_diffusion_plan(struct plan *plan, struct error *error)
{
    static const struct sde_step step = {.predicts = true,
                                         .predictor = PREDICTOR_REVERSE_DIFFUSION};

    return sde_plan(plan, &step, error);
}

static bool reverse_diffusion_plan_step(struct plan *plan, const struct step_times *times,
                                        struct error *error)
{
    return sde_plan_step(plan, PREDICTOR_REVERSE_DIFFUSION, times, error);
}

const struct sampler sampler_reverse_diffusion = {
    .name = "reverse_diffusion",
    .title = "The reverse SDE, discretised as the forward process is",
    .options = {OPTION_SAMPLING_EPS},
    .option_count = 1,
    .runs_on = RUNS_ON_TABLE | PROCESS_BIT(VE),
    .needs_continuous = true,
    .needs = "a beta table, vp or ve",
    .option_default = sde_default,
    .plan = reverse_diffusion_plan,
    .plan_step = reverse_diffusion_plan_step,
    .step_variance = update_variance,
    .begin = steps_begin,
    .advance = sde_advance,
};
