#include "tests/support/probe_row.h"

enum advance probe_row_run(struct probe_row *row, const struct plan *plan, uint32_t seed,
                           chain_model *model)
{
    chain_init(&row->chain, seed);
    row->chain.row.given = row->given;
    row->chain.row.given_noise = row->noise;
    row->chain.row.figures = row->figures;
    if (plan->evaluations > 0)
        return chain_run(&row->chain, plan, model);
    plan->sampler->begin(&row->chain.row, plan);
    return ADVANCE_DONE;
}
