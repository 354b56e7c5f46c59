/* prior.h - how far the end of a process is from the noise that samplers start with.
 *
 * A chain that does not reach its prior samples another distribution even with a perfect network.
 * Pure, any thread. */
#ifndef PRIOR_H
#define PRIOR_H

#include "core/diffusion/process.h"

/* More than this a dimension cannot be meant. */
#define PRIOR_KL_MAX 0.01

/* ln of the density that samplers draw their x_T from; -INFINITY outside of a flow's base. */
double prior_log_density(const struct process *process, const float *x, size_t dim);

/* Nats between q(x_T | x_0) and the prior, as a mean over data with E[x_0 . x_0] = energy; energy 0
 * gives a lower bound for any data. False: the process starts from another base than a Gaussian. */
bool prior_kl(const struct process *process, size_t dim, double energy, double *nats);

/* A sentence when that is above PRIOR_KL_MAX a dimension; false and "" when not. `energy` negative:
 * not known. */
#define PRIOR_WARNING_SIZE 256
bool prior_warning(const struct process *process, size_t dim, double energy,
                   char text[PRIOR_WARNING_SIZE]);

#endif
