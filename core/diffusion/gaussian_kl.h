/* gaussian_kl.h - how far one Gaussian is from another, in nats.
 *
 *   KL(N(m1, S1), N(m2, S2)) = (ln |S2|/|S1| - D + tr(S2^-1 S1) + (m2-m1)' S2^-1 (m2-m1)) / 2
 *
 * by Cholesky factors; for few dimensions, with full covariances. Pure; any thread. */
#ifndef GAUSSIAN_KL_H
#define GAUSSIAN_KL_H

#include "core/base/error.h"

#include <stddef.h>

#define GAUSSIAN_DIM_MAX 32

struct gaussian {
    const double *mean;       /* D */
    const double *covariance; /* D * D, row by row; what is above the diagonal is not read */
};

/* INVALID: more dimensions than GAUSSIAN_DIM_MAX, or a covariance that is not positive definite. */
MUST_CHECK bool gaussian_kl(const struct gaussian *from, const struct gaussian *to, size_t dim,
                            double *nats, struct error *error);

#endif
