/* Predictor-corrector sampling (Song et al. 2021, algorithms 2 to 5), norms per sample. On ve by
 * langevin it is diffusers' ScoreSdeVeScheduler at batch size 1. */
/* In few dimensions |S| may come near 0, where langevin's step explodes: points take ald. */
#include "core/diffusion/sde.h"
#include "core/diffusion/steps.h"

static bool predictor_corrector_plan(struct plan *plan, struct error *error)
{
    const struct sde_step step = {.corrections = (size_t)plan->options.value[OPTION_CORRECT_STEPS],
                                  .predicts = true,
                                  .predictor =
                                      (enum predictor)plan->options.value[OPTION_PREDICTOR]};

    return sde_plan(plan, &step, error);
}

const struct sampler sampler_predictor_corrector = {
    .name = "predictor_corrector",
    .title = "Langevin corrections at each time, then a step of the reverse SDE",
    .options = {OPTION_PREDICTOR, OPTION_CORRECTOR, OPTION_SNR, OPTION_CORRECT_STEPS,
                OPTION_SAMPLING_EPS},
    .option_count = 5,
    .runs_on = RUNS_ON_TABLE | PROCESS_BIT(SUB_VP) | PROCESS_BIT(VE),
    .needs_continuous = true,
    .needs = "a beta table, vp, sub_vp or ve",
    .option_default = sde_default,
    .plan = predictor_corrector_plan,
    .begin = steps_begin,
    .advance = sde_advance,
};
