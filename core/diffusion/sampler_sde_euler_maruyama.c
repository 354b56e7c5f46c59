/* The reverse SDE by Euler and Maruyama (Song et al. 2021, eq. 6): x - d (f x - g^2 S) + g sqrt(d)
 * z. On vp it is diffusers' ScoreSdeVpScheduler. */
#include "core/diffusion/sde.h"
#include "core/diffusion/update.h"

static bool sde_euler_maruyama_plan(struct plan *plan, struct error *error)
{
    static const struct sde_step step = {.predicts = true, .predictor = PREDICTOR_EULER_MARUYAMA};

    return sde_plan(plan, &step, error);
}

static bool sde_euler_maruyama_plan_step(struct plan *plan, const struct step_times *times,
                                         struct error *error)
{
    return sde_plan_step(plan, PREDICTOR_EULER_MARUYAMA, times, error);
}

const struct sampler sampler_sde_euler_maruyama = {
    .name = "sde_euler_maruyama",
    .title = "The reverse SDE in even steps of its own time",
    .options = {OPTION_SAMPLING_EPS},
    .option_count = 1,
    .runs_on = RUNS_ON_TABLE | PROCESS_BIT(SUB_VP) | PROCESS_BIT(VE) | PROCESS_BIT(VE_LINEAR) |
               PROCESS_BIT(OU),
    .needs_continuous = true,
    .needs = "a beta table, vp, sub_vp, ve, ve_linear or ou",
    .option_default = sde_default,
    .plan = sde_euler_maruyama_plan,
    .plan_step = sde_euler_maruyama_plan_step,
    .step_variance = update_variance,
    .begin = steps_begin,
    .advance = sde_advance,
};
