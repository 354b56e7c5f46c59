#include "core/diffusion/dpm_solver.h"
#include "core/diffusion/steps.h"

static double option_default(const struct process *process, enum sampler_option option)
{
    return option == OPTION_SOLVER_ORDER ? 3.0 : dpm_solver_default(process, option);
}

/* Whatever order the config has, who asks for this sampler means the third. */
static bool takes_config(enum sampler_option option, double value)
{
    (void)value;
    return option != OPTION_SOLVER_ORDER;
}

const struct sampler sampler_dpmpp_3m = {
    .name = "dpmpp_3m",
    .title = "DPM-Solver++ 3M: third order, deterministic",
    .options = DPM_SOLVER_OPTIONS,
    .option_count = DPM_SOLVER_OPTION_COUNT,
    .spacings = SPACINGS_OF_DIFFUSERS,
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .clip = KNOWS_THRESHOLDING,
    .option_default = option_default,
    .takes_config = takes_config,
    .plan = dpm_solver_plan,
    .plan_step = dpm_solver_plan_step,
    .begin = steps_begin,
    .advance = dpm_solver_advance,
};
