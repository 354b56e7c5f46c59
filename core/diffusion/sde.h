/* sde.h - what the samplers of reverse SDEs share (Song et al. 2021, "Score-based generative
 * modeling through stochastic differential equations", and its code).
 *
 * N steps at times that fall evenly from t_max to sampling_eps. At each of them a number of
 * corrector steps, Langevin's at that time, then a predictor; every one of these is one evaluation
 * and one draw. What a last predictor draws is not added: its mean is the sample. */
#ifndef SDE_H
#define SDE_H

#include "core/diffusion/sampler.h"

/* What a step is made of; a corrector is the plan's options corrector and snr. */
struct sde_step {
    size_t corrections;
    bool predicts;
    enum predictor predictor;
};

/* Fills the whole plan. INVALID: one step, a sampling_eps outside the process's time, too few steps
 * for betas below 1, a predictor that the process does not have; NO_MEMORY. */
MUST_CHECK bool sde_plan(struct plan *plan, const struct sde_step *parts, struct error *error);

/* A single step, by a predictor alone, over the whole of its time. INVALID: so long a step that
 * beta is not below 1; NO_MEMORY. */
MUST_CHECK bool sde_plan_step(struct plan *plan, enum predictor predictor,
                              const struct step_times *times, struct error *error);

/* An option_default of these samplers. */
double sde_default(const struct process *process, enum sampler_option option);

/* An advance: one evaluation, of a corrector or a predictor. */
enum advance sde_advance(struct row *row, const struct plan *plan, const float *output);

#endif
