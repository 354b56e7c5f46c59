/* probe_predict.h - what a model says at one x_t: one evaluation.
 *
 * A row begins with x_t (conditioning->x_T) in the process's own coordinates, alpha x_0 + sigma
 * eps, and keeps it as its x. Every answer comes straight from the head, by four numbers in double;
 * nothing is clipped. */
#ifndef PROBE_PREDICT_H
#define PROBE_PREDICT_H

#include "core/diffusion/sampler.h"

/* Constant, name on the wire. */
#define PREDICTIONS(X)                                                                             \
    X(EPS, "eps")           /* the noise in x_t */                                                 \
    X(X0, "x0")             /* E[x_0 | x_t]: Tweedie's formula */                                  \
    X(SCORE, "score")       /* -eps / sigma: grad ln p_t(x_t) */                                   \
    X(V, "v")               /* (alpha eps - sigma x_0) / sqrt(alpha^2 + sigma^2) */                \
    X(VELOCITY, "velocity") /* dx/dt along the probability flow, of a flow: noise minus data */    \
    X(RAW, "raw")           /* the network's own output, output_dim values */

enum predicted {
#define PREDICTED_ENUM(code, name) PREDICTED_##code,
    PREDICTIONS(PREDICTED_ENUM)
#undef PREDICTED_ENUM
        PREDICTED_COUNT
};

const char *predicted_name(enum predicted as);
enum predicted predicted_find(const char *name); /* PREDICTED_COUNT: there is none of that name */

struct predict_question {
    const struct process *process; /* the model's; must outlive the plan */
    size_t dim, output_dim;
    double t; /* moment.h */
    enum predicted as;
};

/* request->figures of a row are the values: dim of them, of PREDICTED_RAW output_dim.
 *
 * v is Salimans & Ho's where alpha^2 + sigma^2 = 1, and elsewhere that of x / sqrt(alpha^2 +
 * sigma^2), as diffusers has it in VE coordinates. velocity is alpha' x_0 + sigma' eps in the
 * process's own time, on a table (t + 1) / T of its exact curve: the level there is the curve's.
 *
 * NULL with INVALID, the text begins with the field at fault (t, as): a t outside the process, what
 * the head does not say there, a score of a flow from another base than N(0, I). NO_MEMORY. */
struct plan *predict_plan(const struct predict_question *question, struct error *error);

/* alpha and sigma that x_t is taken to have. */
struct level predict_level(const struct plan *plan);

#endif
