#include "core/engine/rows.h"

#include "core/base/math.h"

#include <string.h>

/* What is left of a row that is done. */
static void leave(const struct slot *slot, size_t dim)
{
    struct request *request = slot->request;

    memcpy(request->x + slot->index * dim, slot->row.x, dim * sizeof *slot->row.x);
    if (request->nfe != NULL)
        request->nfe[slot->index] = (uint32_t)slot->row.evaluations;
}

static void begin_given(struct row *row, const struct request *request, size_t index)
{
    const struct conditioning *conditioning = request->conditioning;
    const struct plan *plan = request->plan;

    row->given = NULL;
    row->given_noise = NULL;
    if (conditioning == NULL)
        return;
    row->given = conditioning_given(conditioning, plan, index);
    if (conditioning->noise != NULL)
        row->given_noise = conditioning->noise + index * plan->dim;
}

static void begin_figures(struct row *row, const struct request *request, size_t index)
{
    const size_t count = request->plan->figure_count;

    row->figures = NULL;
    if (count == 0)
        return;
    row->figures = request->figures + index * count;
    for (size_t i = 0; i < count; i++)
        row->figures[i] = 0.0;
}

static void row_begin(struct batch *batch, struct slot *slot)
{
    const struct request *request = slot->request;
    const struct plan *plan = request->plan;
    struct row *row = &slot->row;

    row->step = 0;
    row->evaluations = 0;
    row->stage = 0;
    row->wants_score = false;
    row->wants_divergence = false;
    memset(row->number, 0, sizeof row->number);
    /* What the slot's last row left there must not be felt. */
    memset(row->state, 0, plan->state_floats * sizeof *row->state);
    rng_seed(&row->rng, request->seeds[slot->index]);
    slot->evaluations = 0;
    slot->whole_steps = 0;
    slot->is_between = false;
    begin_given(row, request, slot->index);
    begin_figures(row, request, slot->index);
    plan->sampler->begin(row, plan);
    if (plan->evaluations > 0)
        return;
    slot->outcome = math_all_finite(row->x, plan->dim) ? ADVANCE_DONE : ADVANCE_FAILED;
    atomic_store_explicit(&batch->ended, true, memory_order_relaxed);
    if (slot->outcome == ADVANCE_DONE)
        leave(slot, plan->dim);
}

/* o = o_null + w (o_label - o_null), in float32 on the raw outputs, as diffusers' pipelines do (Ho
 * & Salimans 2022). A learned variance stays the labelled run's. */
static void guide(float *labelled, const float *null, size_t dim, float guidance)
{
    for (size_t i = 0; i < dim; i++)
        labelled[i] = null[i] + guidance * (labelled[i] - null[i]);
}

/* The sampler's step, and what a request wants done around whole ones. */
static enum advance advance(struct slot *slot)
{
    const struct request *request = slot->request;
    const struct plan *plan = request->plan;
    const struct conditioning *conditioning = request->conditioning;
    const struct recording recording = {&request->trajectory, slot->index, slot->whole_steps};
    const bool records = request->trajectory.every > 0;
    const bool keeps = conditioning != NULL && conditioning->known != NULL;
    struct row *row = &slot->row;
    const bool is_inner = (records || keeps) && plan->step[row->step].is_inner;
    enum advance outcome;

    if (records && !slot->is_between && !trajectory_record(&recording, plan, row, slot->output))
        return ADVANCE_FAILED;
    outcome = plan->sampler->advance(row, plan, slot->output);
    slot->is_between = is_inner;
    slot->whole_steps += !is_inner;
    if (outcome != ADVANCE_EVALUATE && outcome != ADVANCE_DONE)
        return outcome;
    if (keeps && !is_inner)
        conditioning_keep(conditioning, row, plan, outcome == ADVANCE_DONE);
    if (records && outcome == ADVANCE_DONE)
        trajectory_end(&recording, row, plan->dim);
    return outcome;
}

static enum advance step(const struct batch *batch, struct slot *slot)
{
    const struct model_shape *shape = &batch->model->shape;
    const struct request *request = slot->request;
    enum advance outcome;

    if (slot->place_count == 2)
        guide(slot->output, batch->places[slot->place + 1].output, shape->dim,
              request->guidance[slot->index]);
    /* Before the sampler sees it: clipping would make a number of it again. */
    if (!math_all_finite(slot->output, shape->output_dim))
        return ADVANCE_FAILED;
    if (request->conditioning != NULL || request->trajectory.every > 0)
        outcome = advance(slot);
    else
        outcome = request->plan->sampler->advance(&slot->row, request->plan, slot->output);
    if (outcome == ADVANCE_DONE && !math_all_finite(slot->row.x, shape->dim))
        return ADVANCE_FAILED;
    return outcome;
}

/* The question after this step, where the family will read it. */
static void ask(struct place *place, const struct row *row)
{
    place->time = row->time;
    place->level = row->level;
    place->wants_score = row->wants_score;
}

static void row_advance(struct batch *batch, struct slot *slot)
{
    const size_t dim = batch->model->shape.dim;

    slot->outcome = step(batch, slot);
    slot->evaluations++;
    for (size_t i = 0; i < slot->place_count; i++)
        ask(&batch->places[slot->place + i], &slot->row);
    batch->places[slot->place].divergence =
        slot->row.wants_divergence ? &slot->row.divergence : NULL;
    if (slot->outcome == ADVANCE_EVALUATE)
        return;
    atomic_store_explicit(&batch->ended, true, memory_order_relaxed);
    if (slot->outcome == ADVANCE_DONE)
        leave(slot, dim);
}

/* Rows that go on together share a worker's scratch: nobody holds anything in it. */
static struct slot *take(const struct batch *batch, size_t index, const struct scratch *scratch)
{
    struct slot *slot = batch->running[index];

    slot->row.noise = scratch->noise;
    slot->row.scratch = scratch->values;
    return slot;
}

void rows_begin(struct batch *batch, struct range range, const struct scratch *scratch)
{
    for (size_t i = range.first; i < range.end; i++)
        row_begin(batch, take(batch, i, scratch));
}

void rows_advance(struct batch *batch, struct range range, const struct scratch *scratch)
{
    for (size_t i = range.first; i < range.end; i++) {
        struct slot *slot = take(batch, i, scratch);

        if (slot->outcome == ADVANCE_EVALUATE)
            row_advance(batch, slot);
    }
}
