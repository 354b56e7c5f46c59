/* probe_likelihood.h - how likely data are by a model's own probability flow (Song et al. 2021,
 * appendix D.2; Chen et al. 2018):
 *
 *   ln p(x) = ln prior(x(t_max)) + integral from e to t_max of div(dx/dt) dt
 *
 * along the flow from x at time e up to noise. A row begins with conditioning->x_T, that is x_0;
 * its x ends as the latent, where the flow arrives. The divergence is the model's own, or
 * Hutchinson's estimate of it: the mean over `probes` vectors v of signs of v.(o(x + h v) -
 * o(x - h v)) / 2h, o the raw output, v from the row's seed and the same all the way. Then the
 * answer is approximate: its standard error is that of the mean of the probes' own integrals. */
#ifndef PROBE_LIKELIHOOD_H
#define PROBE_LIKELIHOOD_H

#include "core/diffusion/sampler.h"

#define LIKELIHOOD_STEPS      50
#define LIKELIHOOD_STEPS_MAX  10000
#define LIKELIHOOD_PROBES     4
#define LIKELIHOOD_PROBES_MAX 64

/* Constant, name on the wire. */
#define TRACES(X)                                                                                  \
    X(EXACT, "exact")                                                                              \
    X(HUTCHINSON, "hutchinson")

enum trace {
#define TRACE_ENUM(code, name) TRACE_##code,
    TRACES(TRACE_ENUM)
#undef TRACE_ENUM
        TRACE_COUNT
};

const char *trace_name(enum trace trace);

struct likelihood_question {
    const struct process *process; /* the model's; must outlive the plan */
    size_t dim, output_dim;
    enum method solver;    /* METHOD_RK45 makes steps of its own, of tolerance 1e-5 */
    size_t steps;          /* of the others */
    enum trace trace;      /* EXACT only where the family knows its divergence */
    size_t probes;         /* of HUTCHINSON */
    bool knows_divergence; /* the model's family->knows_divergence */
};

/* request->figures of a row, in nats; those behind LIKELIHOOD_FIGURES are its own. The row's NFE is
 * the number of evaluations of the model, those of probes among them. */
enum likelihood_figure {
    LIKELIHOOD_NATS,           /* -ln p: lower is likelier; INFINITY: outside of the prior's base */
    LIKELIHOOD_LOG_PRIOR,      /* of the latent */
    LIKELIHOOD_DELTA,          /* the integral */
    LIKELIHOOD_STANDARD_ERROR, /* NaN: the trace is exact, or there is one probe */
    LIKELIHOOD_FIGURES
};

/* NULL with INVALID: steps, probes, a trace that the family does not know, a process without a
 * prior or continuous time, a head that says no velocity at an end. NO_MEMORY. */
struct plan *likelihood_plan(const struct likelihood_question *question, struct error *error);

#endif
