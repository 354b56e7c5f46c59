#include "core/engine/tick.h"

#include "core/base/clock.h"

/* The step is done: what each request had of it. */
static void account(struct batch *batch)
{
    uint64_t predicted = 0;

    for (struct request *request = batch->requests; request != NULL; request = request->next) {
        const size_t places = request->places_running;
        uint64_t less = places;

        if (places == 0)
            continue;
        /* Rows of an adaptive sampler may take more than was expected. */
        if (less > request->places_left)
            less = request->places_left;
        request->places_left -= less;
        predicted += less;
        request->ticks++;
        request->places += batch->place_count;
        atomic_fetch_add_explicit(&request->evaluations_done, request->rows_running,
                                  memory_order_relaxed);
        count(&batch->counters.row_steps[request->sampler_number], request->rows_running);
    }
    atomic_fetch_sub_explicit(&batch->places_left, predicted, memory_order_relaxed);
}

static void step(struct tick *tick, struct batch *batch)
{
    const uint64_t start = clock_now_ns();
    double seconds;

    if (batch->moved)
        batch_place(batch);
    batch->model->family->evaluate(batch->model, batch->places, batch->place_count, tick->gang,
                                   tick->workspace);
    rows_advance(batch, tick->gang, tick->scratch);
    seconds = (double)(clock_now_ns() - start) / 1e9;
    cost_learn(&batch->cost, batch->place_count, seconds);
    counters_step(tick->counters, &batch->counters, batch->place_count, seconds);
    account(batch);
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
        rows_begin(batch, started, tick->gang, tick->scratch);
    if (atomic_load_explicit(&batch->ended, memory_order_relaxed))
        append(&ended, batch_settle(batch, tick->counters));
    if (batch->running_count > 0)
        step(tick, batch);
    if (atomic_load_explicit(&batch->ended, memory_order_relaxed))
        append(&ended, batch_settle(batch, tick->counters));
    return finish(tick, ended);
}

struct request *tick_abandon(struct tick *tick, struct batch *batch)
{
    batch_cancel(batch, true, tick->counters);
    return finish(tick, batch_settle(batch, tick->counters));
}
