/* probe_row.h - one row of a probe, without an engine. */
#ifndef PROBE_ROW_H
#define PROBE_ROW_H

#include "tests/support/chain.h"

struct probe_row {
    const float *given, *noise; /* noise: NULL, the row draws its own */
    double figures[2 * CHAIN_DIM_MAX];
    struct chain chain;
};

/* From begin until the row is done or has failed; x is row->chain.x. A plan without evaluations is
 * done when it has begun. */
enum advance probe_row_run(struct probe_row *row, const struct plan *plan, uint32_t seed,
                           chain_model *model);

#endif
