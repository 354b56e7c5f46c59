/* posterior.h - where x was one step before, when both ends are known (Ho et al. 2020, eq. 6-7):
 *
 *   q(x_{t-1} | x_t, x_0) = N(c0 x_0 + ct x_t, variance I)
 *
 * on the exact table. */
#ifndef POSTERIOR_H
#define POSTERIOR_H

#include "core/diffusion/schedule.h"

#include <stddef.h>

struct posterior {
    double c0, ct, variance; /* variance: beta-tilde */
};

/* At index 0..T-1, that is t = index + 1; at index 0 it is x_0 itself. */
struct posterior posterior_at(const struct schedule *schedule, size_t index);

#endif
