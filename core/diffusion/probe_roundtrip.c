#include "core/diffusion/probe_roundtrip.h"

#include "core/base/math.h"

#include <assert.h>
#include <string.h>

enum { THERE, BACK };

static const char *decoder_of(const struct sampler *encoder)
{
    return encoder == &sampler_ddim_inverse ? sampler_ddim.name : sampler_pf_ode.name;
}

/* What both samplers have, as the way there has it; the rest is the decoder's own default, an eta
 * of 0 among it. */
static struct plan *plan_back(const struct plan_request *encode, const struct plan *there,
                              struct error *error)
{
    const char *name = decoder_of(there->sampler);
    struct option_values options = {.given = {false}};
    struct plan_request request = *encode;

    for (size_t i = 0; i < there->sampler->option_count; i++) {
        const enum sampler_option option = there->sampler->options[i];

        options.given[option] =
            there->options.given[option] && sampler_has_option(sampler_find(name), option);
        options.value[option] = there->options.value[option];
    }
    request.sampler = name;
    request.options = &options;
    return plan_create(&request, error);
}

/* x_T stands behind the state of whichever leg keeps more. */
static size_t leg_floats(const struct plan *plan)
{
    const size_t there = plan->leg[THERE]->state_floats, back = plan->leg[BACK]->state_floats;

    return there > back ? there : back;
}

static void fill(struct plan *plan)
{
    const struct plan *there = plan->leg[THERE], *back = plan->leg[BACK];

    plan->options = there->options;
    plan->steps = there->steps;
    plan->evaluations = there->evaluations + back->evaluations;
    plan->evaluations_due = there->evaluations_due + back->evaluations_due;
    plan->is_adaptive = there->is_adaptive;
    plan->figure_count = ROUNDTRIP_FIGURES;
    plan->state_floats = leg_floats(plan) + plan->dim;
    plan->start_scale = 1.0;
    plan->warning = there->warning;
    assert(plan->state_floats <= PLAN_STATE_FLOATS_MAX(plan->dim));
}

struct plan *roundtrip_plan(const struct plan_request *encode, struct error *error)
{
    struct plan *plan =
        plan_new(&probe_roundtrip, encode->process, encode->dim, encode->output_dim, error);

    assert(encoder_find(encode->sampler) != NULL);
    if (plan == NULL)
        return NULL;
    plan->leg[THERE] = plan_create(encode, error);
    if (plan->leg[THERE] != NULL)
        plan->leg[BACK] = plan_back(encode, plan->leg[THERE], error);
    if (plan->leg[THERE] == NULL || plan->leg[BACK] == NULL) {
        plan_destroy(plan);
        return NULL;
    }
    fill(plan);
    return plan;
}

/* --- row -------------------------------------------------------------------------------------- */

static float *x_T_of(const struct row *row, const struct plan *plan)
{
    return row->state + leg_floats(plan);
}

static void roundtrip_begin(struct row *row, const struct plan *plan)
{
    plan->leg[THERE]->sampler->begin(row, plan->leg[THERE]);
}

/* As a row that begins, but for its generator: neither way draws. */
static enum advance turn(struct row *row, const struct plan *plan)
{
    const struct plan *back = plan->leg[BACK];
    const float *x_0 = row->given;

    row->figures[ROUNDTRIP_NFE] = (double)row->evaluations;
    memcpy(x_T_of(row, plan), row->x, plan->dim * sizeof *row->x);
    memset(row->state, 0, back->state_floats * sizeof *row->state);
    memset(row->number, 0, sizeof row->number);
    row->stage = 0;
    row->given = x_T_of(row, plan);
    back->sampler->begin(row, back);
    row->given = x_0;
    return ADVANCE_EVALUATE;
}

static enum advance arrive(struct row *row, const struct plan *plan)
{
    double sum = 0.0;

    if (!math_all_finite(row->x, plan->dim))
        return ADVANCE_FAILED;
    for (size_t i = 0; i < plan->dim; i++) {
        const double difference = (double)row->x[i] - (double)row->given[i];

        sum += difference * difference;
    }
    row->figures[ROUNDTRIP_ERROR] = sum / (double)plan->dim;
    memcpy(row->x, x_T_of(row, plan), plan->dim * sizeof *row->x);
    row->evaluations = (size_t)row->figures[ROUNDTRIP_NFE];
    return ADVANCE_DONE;
}

static enum advance roundtrip_advance(struct row *row, const struct plan *plan, const float *output)
{
    const bool is_back = row->figures[ROUNDTRIP_NFE] > 0.0;
    const struct plan *leg = plan->leg[is_back ? BACK : THERE];
    const enum advance outcome = leg->sampler->advance(row, leg, output);

    if (outcome != ADVANCE_DONE)
        return outcome;
    return is_back ? arrive(row, plan) : turn(row, plan);
}

const struct sampler probe_roundtrip = {
    .name = "roundtrip",
    .title = "From data to noise and back",
    .runs_on = RUNS_ON_SIGMA,
    .needs = "an encoder's process",
    .begin = roundtrip_begin,
    .advance = roundtrip_advance,
};
