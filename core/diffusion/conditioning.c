#include "core/diffusion/conditioning.h"

#include "core/diffusion/steps.h"

#include <string.h>

static bool takes_picture(const struct plan *plan, struct error *error)
{
    if (plan->sampler->takes_no_picture || plan->is_adaptive ||
        plan->evaluations != plan->step_count)
        return error_set(error, ERROR_INVALID, "sampler %s cannot begin with a picture",
                         plan->sampler->name);
    if (plan->process->config.type == PROCESS_FLOW && !process_has_sigma(plan->process))
        return error_set(error, ERROR_INVALID,
                         "a flow from another base than N(0, I) cannot begin with a picture");
    return true;
}

/* The entry behind `skipped` whole steps. */
static size_t entry_after(const struct plan *plan, size_t skipped)
{
    size_t i = 0;

    for (; skipped > 0; i++)
        skipped -= !plan->step[i].is_inner;
    return i;
}

bool conditioning_plan(struct plan *plan, struct error *error)
{
    const size_t whole = plan_whole_steps(plan);
    const size_t kept = (size_t)((double)whole * plan->strength);

    if (!takes_picture(plan, error))
        return false;
    if (plan->from_picture || kept >= whole)
        return true;
    if (kept == 0)
        return error_set(error, ERROR_INVALID, "strength %g of %zu steps is not one whole step",
                         plan->strength, whole);
    plan->from_picture = true;
    plan->first = entry_after(plan, whole - kept);
    plan->evaluations -= plan->first;
    return true;
}

const float *conditioning_given(const struct conditioning *conditioning, const struct plan *plan,
                                size_t index)
{
    if (conditioning->x_T != NULL)
        return conditioning->x_T + index * plan->dim;
    return plan->from_picture ? conditioning->picture : NULL;
}

static float noised(struct level level, float x_0, float noise)
{
    return (float)(level.alpha * (double)x_0 + level.sigma * (double)noise);
}

void conditioning_keep(const struct conditioning *conditioning, struct row *row,
                       const struct plan *plan, bool done)
{
    const uint8_t *known = conditioning->known;
    const float *picture = conditioning->picture;
    struct level level = {.alpha = 1.0, .sigma = 0.0};

    if (!done) {
        rng_randn(&row->rng, row->noise, plan->dim);
        level = plan->step[row->step].from;
    }
    for (size_t i = 0; i < plan->dim; i++)
        if (known[i])
            row->x[i] = done ? picture[i] : noised(level, picture[i], row->noise[i]);
    if (!done)
        row_ask(row, plan);
}

bool row_begin_given(struct row *row, const struct plan *plan)
{
    row->step = plan->first;
    row->evaluations = 0;
    if (row->given == NULL)
        return false;
    if (!plan->from_picture) {
        memcpy(row->x, row->given, plan->dim * sizeof *row->x);
        return true;
    }
    /* The noise is the draw that x_T would have been; what stands before `first` draws nothing. */
    rng_randn(&row->rng, row->x, plan->dim);
    for (size_t i = 0; i < plan->dim; i++)
        row->x[i] = noised(plan->step[plan->first].from, row->given[i], row->x[i]);
    return true;
}
