/* variance.h - which variance p(x_{t-1} | x_t) of a model on a beta table has: fixed to one of its
 * bounds, beta and that of the posterior, or predicted by the network (Ho et al. 2020, section
 * 3.2; Nichol & Dhariwal 2021, section 3.1). */
#ifndef VARIANCE_H
#define VARIANCE_H

#include "core/diffusion/process.h"

/* The config's, else fixed_small. */
enum variance_type variance_of_config(const struct process *process);

/* A network predicts it behind its output proper. */
bool variance_is_learned(enum variance_type type);

/* INVALID: `asked` is not what a model says, whose network predicts a variance or does not. */
MUST_CHECK bool variance_check(const struct process *process, enum variance_type asked,
                               bool is_predicted, struct error *error);

#endif
