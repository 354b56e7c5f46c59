/* The corrector of predictor-corrector sampling by itself (Song et al. 2021, table 1, C only):
 * noise is added to the end. It falls behind the levels: on ve it does not reach the data. */
#include "core/diffusion/sde.h"
#include "core/diffusion/steps.h"

static bool corrector_only_plan(struct plan *plan, struct error *error)
{
    const struct sde_step step = {.corrections = (size_t)plan->options.value[OPTION_CORRECT_STEPS]};

    return sde_plan(plan, &step, error);
}

const struct sampler sampler_corrector_only = {
    .name = "corrector_only",
    .title = "Langevin corrections at each time and nothing else",
    .options = {OPTION_CORRECTOR, OPTION_SNR, OPTION_CORRECT_STEPS, OPTION_SAMPLING_EPS},
    .option_count = 4,
    .runs_on = RUNS_ON_TABLE | PROCESS_BIT(SUB_VP) | PROCESS_BIT(VE),
    .needs_continuous = true,
    .takes_no_picture = true,
    .needs = "a beta table, vp, sub_vp or ve",
    .option_default = sde_default,
    .plan = corrector_only_plan,
    .begin = steps_begin,
    .advance = sde_advance,
};
