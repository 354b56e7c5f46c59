/* flow.h - the times that the samplers of flows step down: t = 1 is noise, 0 the data. */
#ifndef FLOW_H
#define FLOW_H

#include "core/diffusion/sampler.h"

#define FLOW_SPACINGS (SPACING_BIT(LINSPACE) | SPACING_BIT(UNIFORM))

/* An option_default: spacing, shift, stochastic_sampling. */
double flow_default(const struct process *process, enum sampler_option option);

/* What needs spacing linspace is refused or, unless asked for, taken back. */
MUST_CHECK bool flow_check_spacing(struct plan *plan, struct error *error);

/* i = 0..steps: 1 - i/n; or, with linspace, the shifted times of diffusers' FlowMatch classes and 0
 * after the last (Esser et al. 2024, eq. 23, applied twice as there). */
double flow_time(const struct plan *plan, size_t i);
double flow_time_uniform(const struct plan *plan, size_t i);

#endif
