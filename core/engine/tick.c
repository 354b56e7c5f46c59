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

static void append(struct request **list, struct request *more)
{
    while (*list != NULL)
        list = &(*list)->next;
    *list = more;
}

/* --- the end of a request: its answer is encoded side by side with those of others */

/* One answer may take a second or two. */
#define FINISH_NS 20000000u

static void finish_item(void *context, size_t item, unsigned worker)
{
    struct request *request = ((struct request **)context)[item];

    (void)worker;
    request->finish(request);
    request->finished_ns = clock_now_ns();
}

/* Nobody waits for the answer of a request that was cancelled. */
static bool is_to_be_finished(const struct tick *tick, struct request *request)
{
    if (request->error.code != ERROR_NONE || request->finish == NULL)
        return false;
    if (!atomic_load_explicit(&request->cancelled, memory_order_relaxed))
        return true;
    counters_cancel(tick->counters, true, request->evaluations_done);
    return error_set(&request->error, ERROR_CANCELLED, "the request was cancelled");
}

/* Those of a list whose end may take long wait for their turn; the others are returned. */
static struct request *put_off(struct tick *tick, struct request *ended)
{
    struct request *others = NULL, **end = &others;

    while (ended != NULL) {
        struct request *request = ended;

        ended = request->next;
        request->next = NULL;
        request->sampled_ns = request->finished_ns = clock_now_ns();
        if (tick->ending == NULL)
            tick->ending_end = &tick->ending;
        if (request->finishes_long) {
            *tick->ending_end = request;
            tick->ending_end = &request->next;
        } else {
            *end = request;
            end = &request->next;
        }
    }
    return others;
}

/* All at once. */
static void finish_others(struct tick *tick, struct request *others)
{
    size_t count = 0;

    for (struct request *request = others; request != NULL; request = request->next)
        if (is_to_be_finished(tick, request))
            tick->group[count++] = request;
    gang_run(tick->gang, finish_item, tick->group, count);
}

/* The oldest ones, a worker each; onto the end of a list. */
static struct request **finish_some(struct tick *tick, struct request **finished_end)
{
    const unsigned threads = gang_threads(tick->gang);
    size_t count = 0;

    for (unsigned i = 0; i < threads && tick->ending != NULL; i++) {
        struct request *request = tick->ending;

        tick->ending = request->next;
        request->next = NULL;
        *finished_end = request;
        finished_end = &request->next;
        if (is_to_be_finished(tick, request))
            tick->group[count++] = request;
    }
    gang_run(tick->gang, finish_item, tick->group, count);
    return finished_end;
}

struct request *tick_finish(struct tick *tick)
{
    const uint64_t start = clock_now_ns();
    struct request *finished = NULL, **finished_end = &finished;
    uint64_t now = start;

    while (tick->ending != NULL && now - start < FINISH_NS) {
        finished_end = finish_some(tick, finished_end);
        now = clock_now_ns();
    }
    if (now - start >= FINISH_NS)
        tick->ending_after_ns = now + (now - start);
    return finished;
}

/* What may take long only when it is not the rows' turn. */
static struct request *finish(struct tick *tick, struct request *ended)
{
    struct request *finished = put_off(tick, ended);

    finish_others(tick, finished);
    if (tick->ending != NULL && clock_now_ns() >= tick->ending_after_ns)
        append(&finished, tick_finish(tick));
    return finished;
}

/* --- a turn */

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
    struct request *ended;

    batch_cancel(batch, true, tick->counters);
    ended = put_off(tick, batch_settle(batch, tick->counters));
    append(&ended, tick->ending);
    tick->ending = NULL;
    for (struct request *request = ended; request != NULL; request = request->next)
        if (request->error.code == ERROR_NONE)
            error_write(&request->error, ERROR_CANCELLED, "the engine was stopped");
    return ended;
}
