/* Ancestral sampling of the discrete VP or VE process (Song et al. 2021, appendix F), DDPM's and
 * SMLD's. */
#include "core/diffusion/sde.h"
#include "core/diffusion/update.h"

static bool ancestral_sde_plan(struct plan *plan, struct error *error)
{
    static const struct sde_step step = {.predicts = true, .predictor = PREDICTOR_ANCESTRAL};

    return sde_plan(plan, &step, error);
}

static bool ancestral_sde_plan_step(struct plan *plan, const struct step_times *times,
                                    struct error *error)
{
    return sde_plan_step(plan, PREDICTOR_ANCESTRAL, times, error);
}

const struct sampler sampler_ancestral_sde = {
    .name = "ancestral_sde",
    .title = "Ancestral sampling of the process in as many steps",
    .options = {OPTION_SAMPLING_EPS},
    .option_count = 1,
    .runs_on = RUNS_ON_TABLE | PROCESS_BIT(VE),
    .needs_continuous = true,
    .needs = "a beta table, vp or ve",
    .option_default = sde_default,
    .plan = ancestral_sde_plan,
    .plan_step = ancestral_sde_plan_step,
    .step_variance = update_variance,
    .begin = steps_begin,
    .advance = sde_advance,
};
