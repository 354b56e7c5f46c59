/* schedule_betas.h - the beta schedules: T numbers each, exact in double. */
#ifndef SCHEDULE_BETAS_H
#define SCHEDULE_BETAS_H

#include "core/diffusion/schedule.h"

/* Fills the config's T betas: trained_betas if there are any, else the named schedule; then the
 * zero-SNR rescale if asked for. INVALID names the key that is out of range. */
MUST_CHECK bool betas_fill(const struct schedule_config *config, double *beta, struct error *error);

#endif
