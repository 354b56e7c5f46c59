/* probe_elbo.h - the variational bound on -ln p(x_0) of a model on a beta table, term by term
 * (Ho et al. 2020, eq. 5 and 8), in nats.
 *
 *   L_T      KL(q(x_T | x_0), N(0, I)), in closed form
 *   L_{t-1}  KL(q(x_{t-1} | x_t, x_0), p(x_{t-1} | x_t)), t = T..2
 *   L_0      -ln p(x_0 | x_1): a density, or of 8-bit pictures the probability of decoder.h
 *
 * A row is one x_0 (row->given) and takes T evaluations, t = T..1: x_t is drawn from q(x_t | x_0)
 * with one randn(D) of the row's generator, so a term is an unbiased estimate from one draw. The
 * table is the exact one; p's mean is the one that sampler ddpm takes, its x_0 clipped as the
 * model's config says. Any head. */
#ifndef PROBE_ELBO_H
#define PROBE_ELBO_H

#include "core/diffusion/sampler.h"

/* The variance s_1^2 of p(x_0 | x_1), whose posterior variance is 0: that of the step before it, as
 * the DDPM code has it for either fixed variance, or beta_1. */
#define ELBO_FIRSTS(X) X(POSTERIOR, "posterior") X(BETA, "beta")

enum elbo_first {
#define ELBO_FIRST_ENUM(code, name) ELBO_FIRST_##code,
    ELBO_FIRSTS(ELBO_FIRST_ENUM)
#undef ELBO_FIRST_ENUM
};

struct elbo_question {
    const struct process *process; /* must outlive the plan */
    size_t dim, output_dim;
    bool is_eight_bit; /* x_0 are pictures of decoder_value()s */
    bool has_variance; /* else it is the config's, or fixed_small */
    enum variance_type variance;
    bool has_first; /* else ELBO_FIRST_POSTERIOR */
    enum elbo_first first;
    bool keeps_terms;
};

/* NULL with INVALID: no beta table, a beta of 0, a variance that the model does not have, an
 * epsilon head where alpha_bar ends at 0; NO_MEMORY. */
struct plan *elbo_plan(const struct elbo_question *question, struct error *error);

/* A row's figures. If the terms are kept T terms follow, entry k is L_k, then T root mean squares
 * over dimensions of x_0-hat - x_0, entry k is that of timestep k (0 is next to the data). */
enum elbo_figure {
    ELBO_NATS,       /* L_T + .. + L_0 */
    ELBO_PRIOR,      /* L_T */
    ELBO_RATE,       /* L_T + .. + L_1 */
    ELBO_DISTORTION, /* L_0 */
    ELBO_FIGURES
};

#endif
