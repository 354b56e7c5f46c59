/* dpm_solver.h - DPM-Solver++ (Lu et al. 2022) of order 1 to 3, deterministic or with fresh noise
 * in every step, as diffusers' DPMSolverMultistepScheduler computes it: the functions of three
 * rows in SAMPLERS, which differ in the order they begin with and in the noise. */
#ifndef DPM_SOLVER_H
#define DPM_SOLVER_H

#include "core/diffusion/sampler.h"

/* Clipping: diffusers' class knows thresholding only. */
#define DPM_SOLVER_OPTIONS                                                                         \
    {                                                                                              \
        OPTION_SPACING, OPTION_SOLVER_ORDER, OPTION_SOLVER_TYPE, OPTION_USE_KARRAS_SIGMAS,         \
            OPTION_USE_EXPONENTIAL_SIGMAS, OPTION_FINAL_SIGMAS_TYPE, OPTION_LOWER_ORDER_FINAL,     \
            OPTION_EULER_AT_FINAL                                                                  \
    }
#define DPM_SOLVER_OPTION_COUNT 8

/* Second order. */
double dpm_solver_default(const struct process *process, enum sampler_option option);

MUST_CHECK bool dpm_solver_plan(struct plan *plan, struct error *error);
MUST_CHECK bool dpm_solver_plan_with_noise(struct plan *plan, struct error *error);

/* Single steps, of first order; what the second adds. */
MUST_CHECK bool dpm_solver_plan_step(struct plan *plan, const struct step_times *times,
                                     struct error *error);
MUST_CHECK bool dpm_solver_plan_step_with_noise(struct plan *plan, const struct step_times *times,
                                                struct error *error);
double dpm_solver_variance(const struct plan *plan, const float *output, size_t i);

/* Both: noise is drawn where the plan says so. */
enum advance dpm_solver_advance(struct row *row, const struct plan *plan, const float *output);

#endif
