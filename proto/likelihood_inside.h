/* likelihood_inside.h - POST /likelihood: how likely data are by a model. Its fields, its plan and
 * its answer, each in a file proto/likelihood_*.c.
 *
 * For these alone. */
#ifndef LIKELIHOOD_INSIDE_H
#define LIKELIHOOD_INSIDE_H

#include "proto/work_inside.h"

/* likelihood_fields.c */
extern const struct body_field FIELD_LIKELIHOOD_METHOD, FIELD_SOLVER, FIELD_FLOW_STEPS, FIELD_TRACE,
    FIELD_PROBES, FIELD_VARIANCE_TYPE, FIELD_DECODER_VARIANCE, FIELD_TERMS;

const char *likelihood_method_name(enum likelihood_method method);
const char *likelihood_first_name(enum elbo_first first);

/* likelihood_answer.c */
extern const struct work_kind likelihood_by_elbo, likelihood_by_flow;
uint64_t likelihood_bytes(const struct body_values *values, const struct plan *plan);

#endif
