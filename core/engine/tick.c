#include "core/engine/tick.h"

#include "core/base/clock.h"
#include "core/engine/stretch.h"

/* What each request had of so many steps. */
static void account(struct batch *batch, size_t steps)
{
    uint64_t predicted = 0;

    for (struct request *request = batch->requests; request != NULL; request = request->next) {
        const size_t row_steps = steps * request->rows_running;
        uint64_t less = steps * request->places_running;

        if (row_steps == 0)
            continue;
        /* Rows of an adaptive sampler may take more than was expected. */
        if (less > request->places_left)
            less = request->places_left;
        request->places_left -= less;
        predicted += less;
        request->steps += steps;
        request->places += steps * batch->place_count;
        atomic_fetch_add_explicit(&request->evaluations_done, row_steps, memory_order_relaxed);
        count(&batch->counters.row_steps[request->sampler_number], row_steps);
    }
    atomic_fetch_sub_explicit(&batch->places_left, predicted, memory_order_relaxed);
}

static void go_on(struct tick *tick, struct batch *batch)
{
    const uint64_t start = clock_now_ns();
    size_t steps;
    double seconds;

    if (batch->moved)
        batch_place(batch);
    steps = stretch_run(tick, batch);
    seconds = (double)(clock_now_ns() - start) / 1e9 / (double)steps;
    cost_learn(&batch->cost, batch->place_count, seconds);
    counters_steps(tick->counters, &batch->counters, steps, batch->place_count, seconds);
    account(batch, steps);
}

static void prepare_item(void *context, size_t item, unsigned worker)
{
    struct request *request = ((struct request **)context)[item];

    (void)worker;
    request->prepare(request);
    request->is_prepared = true;
}

/* Requests that came since the last tick, side by side. False when one of them failed. */
static bool prepare(struct tick *tick, struct batch *batch)
{
    struct request *request = batch->requests;
    bool good = true;

    while (request != NULL) {
        size_t count = 0;

        for (; request != NULL && count < batch->slot_count; request = request->next)
            if (!request->is_prepared && request->error.code == ERROR_NONE)
                tick->group[count++] = request;
        gang_run(tick->gang, prepare_item, tick->group, count);
        for (size_t i = 0; i < count; i++)
            good &= tick->group[i]->error.code == ERROR_NONE;
    }
    return good;
}

static void finish_item(void *context, size_t item, unsigned worker)
{
    struct request *request = ((struct request **)context)[item];

    (void)worker;
    request->finish(request);
    request->finished_ns = clock_now_ns();
}

/* Requests that end in one tick are encoded side by side. */
static struct request *finish(struct tick *tick, struct request *ended)
{
    size_t count = 0;

    for (struct request *request = ended; request != NULL; request = request->next) {
        request->sampled_ns = clock_now_ns();
        request->finished_ns = request->sampled_ns;
        if (request->error.code == ERROR_NONE && request->finish != NULL)
            tick->group[count++] = request;
    }
    gang_run(tick->gang, finish_item, tick->group, count);
    return ended;
}

static void append(struct request **list, struct request *more)
{
    while (*list != NULL)
        list = &(*list)->next;
    *list = more;
}

size_t tick_workspace_bytes(const struct model *model, unsigned threads)
{
    const size_t alone = arena_rounded(model->family->workspace_bytes(model, 1));
    const size_t together = arena_rounded(model->family->workspace_bytes(model, threads));

    return !model->shape.is_points || together > threads * alone ? together : threads * alone;
}

struct request *tick_run(struct tick *tick, struct batch *batch)
{
    struct request *ended = NULL;
    size_t started;

    if (batch_cancel(batch, false, tick->counters))
        ended = batch_settle(batch, tick->counters);
    if (!prepare(tick, batch))
        append(&ended, batch_settle(batch, tick->counters));
    started = batch_join(batch, tick->counters);
    if (started > 0)
        stretch_begin(tick, batch, started);
    if (atomic_load_explicit(&batch->ended, memory_order_relaxed))
        append(&ended, batch_settle(batch, tick->counters));
    if (batch->running_count > 0)
        go_on(tick, batch);
    if (atomic_load_explicit(&batch->ended, memory_order_relaxed))
        append(&ended, batch_settle(batch, tick->counters));
    return finish(tick, ended);
}

struct request *tick_abandon(struct tick *tick, struct batch *batch)
{
    batch_cancel(batch, true, tick->counters);
    return finish(tick, batch_settle(batch, tick->counters));
}
