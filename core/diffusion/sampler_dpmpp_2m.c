#include "core/diffusion/dpm_solver.h"
#include "core/diffusion/steps.h"

/* A config of third order is that of dpmpp_3m. */
static bool takes_config(enum sampler_option option, double value)
{
    return option != OPTION_SOLVER_ORDER || value < 3.0;
}

const struct sampler sampler_dpmpp_2m = {
    .name = "dpmpp_2m",
    .title = "DPM-Solver++ 2M: second order, deterministic; good in 10 to 20 steps",
    .options = DPM_SOLVER_OPTIONS,
    .option_count = DPM_SOLVER_OPTION_COUNT,
    .spacings = SPACINGS_OF_DIFFUSERS,
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .clip = KNOWS_THRESHOLDING,
    .option_default = dpm_solver_default,
    .takes_config = takes_config,
    .plan = dpm_solver_plan,
    .plan_step = dpm_solver_plan_step,
    .begin = steps_begin,
    .advance = dpm_solver_advance,
};
