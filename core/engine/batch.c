#include "core/engine/batch.h"

#include "core/base/clock.h"

/* Of this many slots one is kept for requests that fit into the slots as a whole: else a request of
 * ten thousand rows, all at the same step, would hold every slot for its whole run. */
#define LARGE_SHARE 8

/* Rows of this many floats or more start on a cache line; smaller ones are packed. */
#define ALIGNED_FLOATS 16

void *room_take(struct room *room, size_t count, size_t size)
{
    room->bytes += arena_rounded(count * size);
    return room->arena == NULL ? NULL : arena_take(room->arena, count * size);
}

static size_t padded(size_t floats)
{
    return floats < ALIGNED_FLOATS ? floats : arena_rounded(floats * sizeof(float)) / sizeof(float);
}

/* Where the slot of that number has its values, when it is first used. */
static struct slot *lay_out(const struct batch *batch, size_t number)
{
    const size_t dim = padded(batch->model->shape.dim);
    const size_t output_dim = padded(batch->model->shape.output_dim);
    struct slot *slot = &batch->slots[number];

    slot->row.x = batch->floats + number * 2 * (dim + output_dim);
    slot->row.input = slot->row.x + dim;
    slot->output = slot->row.input + dim;
    slot->row.state = batch->states + number * PLAN_STATE_FLOATS_MAX(dim);
    return slot;
}

/* The last that became idle; below those stand the ones that were never used. */
static struct slot *take_idle(struct batch *batch)
{
    struct slot *slot = batch->idle[--batch->idle_count];

    return slot != NULL ? slot : lay_out(batch, batch->slot_count - 1 - batch->idle_count);
}

void batch_init(struct batch *batch, const struct model *model, size_t slot_count,
                struct room *room)
{
    const size_t dim = padded(model->shape.dim);
    const size_t output_dim = padded(model->shape.output_dim);

    batch->model = model;
    batch->slot_count = slot_count;
    batch->slots = room_take(room, slot_count, sizeof *batch->slots);
    batch->running = room_take(room, slot_count, sizeof(struct slot *));
    batch->idle = room_take(room, slot_count, sizeof(struct slot *));
    batch->places = room_take(room, 2 * slot_count, sizeof *batch->places);
    batch->floats = room_take(room, slot_count * 2 * (dim + output_dim), sizeof *batch->floats);
    batch->states = room_take(room, slot_count * PLAN_STATE_FLOATS_MAX(dim), sizeof *batch->states);
    if (room->arena == NULL)
        return;
    batch->requests_end = &batch->requests;
    batch->waiting_end = &batch->waiting;
    batch->idle_count = slot_count;
}

size_t batch_row_places(const struct request *request, size_t row)
{
    /* Exactly 1 is the labelled run alone, and a row without a label is the null run alone. */
    return request->guidance[row] != 1.0f && request->labels[row] >= 0 ? 2 : 1;
}

static void waiting_push(struct batch *batch, struct request *request)
{
    request->next_waiting = NULL;
    *batch->waiting_end = request;
    batch->waiting_end = &request->next_waiting;
    batch->waiting_count++;
}

static struct request *waiting_pop(struct batch *batch)
{
    struct request *request = batch->waiting;

    batch->waiting = request->next_waiting;
    if (batch->waiting == NULL)
        batch->waiting_end = &batch->waiting;
    batch->waiting_count--;
    return request;
}

void batch_add(struct batch *batch, struct request *request)
{
    request->next = NULL;
    request->is_prepared = request->prepare == NULL;
    *batch->requests_end = request;
    batch->requests_end = &request->next;
    waiting_push(batch, request);
}

static bool is_large(const struct batch *batch, const struct request *request)
{
    return request->n > batch->slot_count;
}

static void start_row(struct batch *batch, struct request *request)
{
    struct slot *slot = take_idle(batch);

    slot->request = request;
    slot->index = request->rows_started++;
    slot->place_count = batch_row_places(request, slot->index);
    slot->outcome = ADVANCE_EVALUATE;
    batch->running[batch->running_count++] = slot;
    request->rows_running++;
    request->places_running += slot->place_count;
    if (is_large(batch, request))
        batch->large_running++;
}

static void start_request(struct request *request, struct counters *counters)
{
    request->started_ns = clock_now_ns();
    counters_start(counters, (double)(request->started_ns - request->submitted_ns) / 1e9);
}

size_t batch_join(struct batch *batch, struct counters *counters)
{
    const size_t large_limit = batch->slot_count - batch->slot_count / LARGE_SHARE;
    const size_t before = batch->running_count;
    size_t passed = 0, started;

    while (batch->idle_count > 0 && passed < batch->waiting_count) {
        struct request *request = waiting_pop(batch);

        if (is_large(batch, request) && batch->large_running >= large_limit) {
            waiting_push(batch, request);
            passed++;
            continue;
        }
        passed = 0;
        if (request->rows_started == 0)
            start_request(request, counters);
        start_row(batch, request);
        if (request->rows_started < request->n)
            waiting_push(batch, request);
    }
    started = batch->running_count - before;
    if (started > 0) {
        batch->moved = true;
        count_down(&counters->rows_waiting, started);
        count_up(&counters->rows_running, started);
    }
    return started;
}

/* What the model takes for "no class". */
static int32_t null_label(const struct model *model)
{
    return model->class_input.has_null ? model->class_input.null_label : -1;
}

static void place_row(struct batch *batch, struct slot *slot)
{
    const int32_t label = slot->request->labels[slot->index];
    const int32_t null = null_label(batch->model);
    struct place place = {.x = slot->row.input,
                          .output = slot->output,
                          .time = slot->row.time,
                          .label = label >= 0 ? label : null,
                          .level = slot->row.level,
                          .wants_score = slot->row.wants_score,
                          .divergence = slot->row.wants_divergence ? &slot->row.divergence : NULL};

    slot->place = batch->place_count;
    batch->places[batch->place_count++] = place;
    if (slot->place_count == 1)
        return;
    place.output += padded(batch->model->shape.output_dim);
    place.label = null;
    place.divergence = NULL;
    batch->places[batch->place_count++] = place;
}

static size_t steps_left(const struct slot *slot)
{
    const struct plan *plan = slot->request->plan;

    return plan->is_adaptive ? 0 : plan->evaluations - slot->evaluations;
}

void batch_place(struct batch *batch)
{
    batch->place_count = 0;
    batch->horizon = SIZE_MAX;
    for (size_t i = 0; i < batch->running_count; i++) {
        const size_t left = steps_left(batch->running[i]);

        place_row(batch, batch->running[i]);
        batch->horizon = left < batch->horizon ? left : batch->horizon;
    }
    batch->moved = false;
}

bool batch_cancel(struct batch *batch, bool all, struct counters *counters)
{
    bool any = false;

    for (struct request *request = batch->requests; request != NULL; request = request->next) {
        if (!all && !atomic_load_explicit(&request->cancelled, memory_order_relaxed))
            continue;
        any = true;
        error_write(&request->error, ERROR_CANCELLED,
                    all ? "the engine was stopped" : "the request was cancelled");
        counters_cancel(counters, request->rows_started > 0, request->evaluations_done);
    }
    return any;
}

/* A likelihood's solver has no options. */
static const char *advice(const struct plan *plan)
{
    return plan->options.given[OPTION_MAX_NFE] ? ": allow more (max_nfe) or a larger tolerance"
                                               : "";
}

static void fail(struct request *request, const struct slot *slot)
{
    if (slot->outcome == ADVANCE_FAILED)
        error_write(&request->error, ERROR_NONFINITE, "row %zu, step %zu: the sample is not finite",
                    slot->index, slot->row.step);
    else
        error_write(&request->error, ERROR_NOT_CONVERGED,
                    "row %zu: the tolerance was not reached within %zu evaluations%s", slot->index,
                    slot->row.evaluations, advice(request->plan));
}

static bool has_failed(const struct slot *slot)
{
    return slot->outcome != ADVANCE_EVALUATE && slot->outcome != ADVANCE_DONE;
}

/* A request fails as a whole with the first of its rows that fails, however many did before anybody
 * looked. */
static void mark_failed(struct batch *batch)
{
    for (size_t i = 0; i < batch->running_count; i++) {
        const struct slot *slot = batch->running[i], *first = slot->request->failed;

        if (has_failed(slot) && (first == NULL || slot->evaluations < first->evaluations))
            slot->request->failed = slot;
    }
    for (struct request *request = batch->requests; request != NULL; request = request->next)
        if (request->failed != NULL && request->error.code == ERROR_NONE)
            fail(request, request->failed);
}

/* The rows of failed requests that did not start never will. */
static void drop_waiting(struct batch *batch, struct counters *counters)
{
    for (size_t left = batch->waiting_count; left > 0; left--) {
        struct request *request = waiting_pop(batch);
        const size_t dropped = request->n - request->rows_started;

        if (request->error.code == ERROR_NONE) {
            waiting_push(batch, request);
            continue;
        }
        request->rows_left -= dropped;
        count_down(&counters->rows_waiting, dropped);
    }
}

static void end_row(struct batch *batch, struct slot *slot)
{
    struct request *request = slot->request;

    request->rows_running--;
    request->rows_left--;
    request->places_running -= slot->place_count;
    if (is_large(batch, request))
        batch->large_running--;
    if (slot->outcome == ADVANCE_DONE)
        count(&batch->counters.samples[request->sampler_number], 1);
    batch->idle[batch->idle_count++] = slot;
}

static void clear_rows(struct batch *batch, struct counters *counters)
{
    const size_t before = batch->running_count;
    size_t kept = 0;

    for (size_t i = 0; i < before; i++) {
        struct slot *slot = batch->running[i];

        if (slot->outcome == ADVANCE_EVALUATE && slot->request->error.code == ERROR_NONE)
            batch->running[kept++] = slot;
        else
            end_row(batch, slot);
    }
    batch->running_count = kept;
    batch->moved = true;
    count_down(&counters->rows_running, before - kept);
}

static struct request *take_ended(struct batch *batch)
{
    struct request *ended = NULL, **end = &ended, **link = &batch->requests;

    while (*link != NULL) {
        struct request *request = *link;

        if (request->rows_left > 0) {
            link = &request->next;
            continue;
        }
        *link = request->next;
        atomic_fetch_sub_explicit(&batch->places_left, request->places_left, memory_order_relaxed);
        request->places_left = 0;
        request->next = NULL;
        *end = request;
        end = &request->next;
    }
    batch->requests_end = link;
    return ended;
}

struct request *batch_settle(struct batch *batch, struct counters *counters)
{
    mark_failed(batch);
    drop_waiting(batch, counters);
    clear_rows(batch, counters);
    atomic_store_explicit(&batch->ended, false, memory_order_relaxed);
    return take_ended(batch);
}
