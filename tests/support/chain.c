#include "tests/support/chain.h"
#include "tests/support/test.h"

#include <string.h>

void chain_init(struct chain *chain, uint32_t seed)
{
    memset(chain->state, 0, sizeof chain->state);
    chain->row = (struct row){.x = chain->x,
                              .input = chain->input,
                              .state = chain->state,
                              .noise = chain->noise,
                              .scratch = chain->scratch};
    rng_seed(&chain->row.rng, seed);
}

enum advance chain_run(struct chain *chain, const struct plan *plan, chain_model *model)
{
    enum advance advance = ADVANCE_EVALUATE;

    plan->sampler->begin(&chain->row, plan);
    while (advance == ADVANCE_EVALUATE) {
        model(&chain->row, plan, chain->output);
        advance = plan->sampler->advance(&chain->row, plan, chain->output);
    }
    return advance;
}

struct plan *chain_plan(const struct plan_request *request)
{
    struct error error = {.code = ERROR_NONE};
    struct plan *plan = plan_create(request, &error);

    if (plan == NULL)
        fail_msg("%s", error.text);
    return plan;
}

void chain_config(struct process_config *config, enum sampler_option option, double value)
{
    config->options.given[option] = true;
    config->options.value[option] = value;
}
