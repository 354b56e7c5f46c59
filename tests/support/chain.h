/* chain.h - one row through its whole reverse process, without an engine. */
#ifndef CHAIN_H
#define CHAIN_H

#include "core/diffusion/sampler.h"

#define CHAIN_DIM_MAX 64

/* Fills the raw output for row->input. */
typedef void chain_model(const struct row *row, const struct plan *plan, float *output);

/* A row with room for CHAIN_DIM_MAX values, in the caller's memory. */
struct chain {
    float x[CHAIN_DIM_MAX], input[CHAIN_DIM_MAX], noise[CHAIN_DIM_MAX], scratch[CHAIN_DIM_MAX];
    float output[2 * CHAIN_DIM_MAX];
    _Alignas(64) float state[PLAN_STATE_FLOATS_MAX(CHAIN_DIM_MAX)];
    struct row row;
};

void chain_init(struct chain *chain, uint32_t seed);

/* From begin until the row is done or has failed; the sample is chain->x. */
enum advance chain_run(struct chain *chain, const struct plan *plan, chain_model *model);

/* The config says this of an option. */
void chain_config(struct process_config *config, enum sampler_option option, double value);

/* A plan that a test needs; fails the test when it is refused. */
struct plan *chain_plan(const struct plan_request *request);

#endif
