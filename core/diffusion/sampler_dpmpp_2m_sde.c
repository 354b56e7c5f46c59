#include "core/diffusion/dpm_solver.h"
#include "core/diffusion/steps.h"

const struct sampler sampler_dpmpp_2m_sde = {
    .name = "dpmpp_2m_sde",
    .title = "SDE-DPM-Solver++ 2M: second order, fresh noise in every step",
    .options = DPM_SOLVER_OPTIONS,
    .option_count = DPM_SOLVER_OPTION_COUNT,
    .spacings = SPACINGS_OF_DIFFUSERS,
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .clip = KNOWS_THRESHOLDING,
    .option_default = dpm_solver_default,
    .plan = dpm_solver_plan_with_noise,
    .plan_step = dpm_solver_plan_step_with_noise,
    .step_variance = dpm_solver_variance,
    .begin = steps_begin,
    .advance = dpm_solver_advance,
};
