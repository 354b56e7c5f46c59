/* objective.h - what a network is asked to learn: one row of OBJECTIVES each.
 *
 * An objective fixes what the network's output means (its head) and the loss of one point that was
 * noised to one level. On which process it is learned is free within what the row allows; the
 * process that a model folder has to state is the one it was trained on, whole. Pure, any thread.
 *
 * Losses: Ho et al. 2020 (eps; the bound, eq. 8 to 12), Salimans & Ho 2022 (v), Vincent 2011
 * (denoising), Hyvarinen 2005 (implicit), Song et al. 2019 (sliced), Lipman et al. 2022 (flow). */
#ifndef OBJECTIVE_H
#define OBJECTIVE_H

#include "core/diffusion/process.h"

/* Constant; name on the command line; the loss in words, a mean over the batch unless it says so.
 */
#define OBJECTIVES(X)                                                                              \
    X(EPSILON, "eps", "squared error of the noise, a dimension")                                   \
    X(X_0, "x0", "squared error of the data times 1..100 by its SNR, a dimension")                 \
    X(V, "v", "squared error of v, a dimension")                                                   \
    X(BOUND, "bound", "the variational bound without L_T, nats a point")                           \
    X(DENOISING, "denoising", "squared error of sigma times the score, a dimension")               \
    X(IMPLICIT, "implicit", "sigma^2 (div S + |S|^2 / 2) a point, div exact")                      \
    X(SLICED, "sliced", "sigma^2 (v.(dS/dx)v + |S|^2 / 2) a point, v random signs")                \
    X(FLOW, "flow", "squared error of the velocity, a dimension")

enum objective {
#define OBJECTIVE_ENUM(code, name, loss) OBJECTIVE_##code,
    OBJECTIVES(OBJECTIVE_ENUM)
#undef OBJECTIVE_ENUM
        OBJECTIVE_COUNT
};

/* OBJECTIVE_COUNT when there is none of that name. */
enum objective objective_find(const char *name);
const char *objective_name(enum objective objective);
const char *objective_loss(enum objective objective); /* in words */

/* The process it is learned on unless one is asked for, complete: a linear table of T = timesteps
 * with the objective's head, without clipping (DDPMScheduler; `bound`: variance fixed_large, which
 * comes to .0023 nats of the entropy), for `flow` straight paths from N(0, I). The samplers that a
 * folder with it serves by default give the data back. */
struct process_config objective_process(enum objective objective, size_t timesteps);
/* The same on another kind of process, at its usual numbers; the network is told its time. */
struct process_config objective_process_on(enum objective objective, enum process_type type,
                                           size_t timesteps);

/* INVALID, by key, where it cannot be learned there: another head, the bound without a table or
 * with a learned variance, cm. */
MUST_CHECK bool objective_check(enum objective objective, const struct process_config *config,
                                struct error *error);

/* The loss of a point at a level. Of a regression:
 *     weight |o - x_0 of_x0 - epsilon of_epsilon|^2
 * with x_0 and epsilon as drawn, summed over dimensions; of implicit and sliced:
 *     weight (sum over directions v of v.(do/dx)v + |o|^2 / 2). */
struct objective_term {
    double weight, of_x0, of_epsilon;
};

/* At this level; `index`: of a table, 0-based, else not read. `dim` dimensions share the weight
 * where the loss is one a dimension. */
struct objective_term objective_term(enum objective objective, const struct process *process,
                                     struct level level, size_t index, size_t dim);

/* What the mean loss has besides, whatever the network says: of the bound the variances' part. */
double objective_constant(enum objective objective, const struct process *process, size_t dim);

/* Directions along which the output is differentiated: 0, 1 or dim of them. */
size_t objective_directions(enum objective objective, size_t dim);

#endif
