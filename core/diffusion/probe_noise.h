/* probe_noise.h - the forward process: x_t of an x_0, and the noise that is in it.
 *
 *   x_t = alpha x_0 + sigma eps
 *
 * A row begins with x_0 (conditioning->x_T) and is done with x = x_t; the model is not asked. In
 * one shot eps is conditioning->noise, or the row's first draw: randn, of a flow from another base
 * that base's own. As a chain x walks there by exact steps of the forward process, each with a
 * randn(D) of its own, and eps is what (x_t - alpha x_0) / sigma is then:
 *
 *   x' = (alpha' / alpha) x + sqrt(sigma'^2 - (alpha' / alpha)^2 sigma^2) z
 *
 * On a table by every timestep, t + 1 of them (Ho et al. 2020, eq. 2); elsewhere by
 * NOISE_CHAIN_STEPS even steps of the process's own time. A flow from N(0, I) walks by the SDE that
 * has its marginals; one from another base has no chain. */
#ifndef PROBE_NOISE_H
#define PROBE_NOISE_H

#include "core/diffusion/sampler.h"

#define NOISE_CHAIN_STEPS 1000

struct noise_question {
    const struct process *process; /* the model's; must outlive the plan */
    size_t dim, output_dim;
    double t; /* moment.h */
    bool is_chain;
    bool has_noise; /* conditioning->noise is given */
};

/* request->figures of a row are the dim values of eps.
 *
 * NULL with INVALID, the text begins with the field at fault (t, chain, eps): a t outside the
 * process, a chain to a t between two timesteps or of a flow from another base, or with eps given.
 * NO_MEMORY. */
struct plan *noise_plan(const struct noise_question *question, struct error *error);

/* alpha and sigma of x_t. */
struct level noise_level(const struct plan *plan);

#endif
