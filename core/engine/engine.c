#include "core/engine/engine.h"

#include "core/base/clock.h"
#include "core/engine/calibrate.h"
#include "core/engine/mailbox.h"
#include "core/engine/queue.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

/* Of engine_alive. */
#define STALL_SECONDS 30.0
#define STALL_FACTOR  20.0

struct engine {
    struct engine_options options;
    struct batch *batches; /* one a model, in the catalog's order */
    size_t batch_count, turn;
    struct arena arena;
    struct tick tick;
    struct counters counters;
    struct queue queue;
    struct mailbox mailbox;
    pthread_t thread;
    bool running; /* the submitter's: the thread is there to be joined */

    /* The start: engine_create waits until the calibration is done. */
    pthread_mutex_t mutex;
    pthread_cond_t started;
    bool ready;

    /* The tick in progress, for engine_alive; 0: none. */
    atomic_ullong tick_start_ns;
    _Atomic double tick_seconds;
};

static struct batch *find_batch(const struct engine *engine, const struct model *model)
{
    size_t i = 0;

    while (i < engine->batch_count && engine->batches[i].model != model)
        i++;
    assert(i < engine->batch_count);
    return &engine->batches[i];
}

/* --- the engine's thread --- */

static void take_requests(struct engine *engine, struct request *taken)
{
    while (taken != NULL) {
        struct request *request = taken;

        taken = request->next;
        batch_add(find_batch(engine, request->model), request);
    }
}

/* The models with something to do take turns, a tick each. NULL: none has. */
static struct batch *next_batch(struct engine *engine)
{
    for (size_t i = 0; i < engine->batch_count; i++) {
        struct batch *batch = &engine->batches[(engine->turn + i) % engine->batch_count];

        if (batch->requests == NULL)
            continue;
        engine->turn = (engine->turn + i) % engine->batch_count + 1;
        return batch;
    }
    return NULL;
}

static void post(struct engine *engine, struct request *ended)
{
    size_t count = 0;

    if (ended == NULL)
        return;
    for (const struct request *request = ended; request != NULL; request = request->next)
        count++;
    count_down(&engine->counters.requests, count);
    mailbox_post(&engine->mailbox, ended);
    engine->options.doorbell(engine->options.doorbell_context);
}

static double predicted_seconds(const struct batch *batch)
{
    if (batch == NULL)
        return 0.0;
    return cost_step(&batch->cost, batch->place_count > 0 ? batch->place_count : batch->slot_count);
}

/* `batch` NULL: no rows, but answers to be finished. */
static void run_tick(struct engine *engine, struct batch *batch)
{
    struct request *ended;

    atomic_store_explicit(&engine->tick_seconds, predicted_seconds(batch), memory_order_relaxed);
    atomic_store_explicit(&engine->tick_start_ns, clock_now_ns(), memory_order_release);
    ended = batch != NULL ? tick_run(&engine->tick, batch) : tick_finish(&engine->tick);
    atomic_store_explicit(&engine->tick_start_ns, 0, memory_order_relaxed);
    post(engine, ended);
}

static void serve(struct engine *engine)
{
    struct batch *batch = NULL;
    struct request *taken;

    while (queue_take(&engine->queue, batch == NULL && engine->tick.ending == NULL, &taken)) {
        take_requests(engine, taken);
        batch = next_batch(engine);
        if (batch != NULL || engine->tick.ending != NULL)
            run_tick(engine, batch);
    }
    take_requests(engine, taken);
    for (size_t i = 0; i < engine->batch_count; i++)
        post(engine, tick_abandon(&engine->tick, &engine->batches[i]));
}

static void *engine_main(void *context)
{
    struct engine *engine = context;

    gang_float_mode();
    calibrate(&engine->tick, engine->batches, engine->batch_count);
    pthread_mutex_lock(&engine->mutex);
    engine->ready = true;
    pthread_cond_signal(&engine->started);
    pthread_mutex_unlock(&engine->mutex);
    serve(engine);
    return NULL;
}

/* --- life --- */

/* Called twice: to add up, then to take. */
static void lay_out(struct engine *engine, const struct catalog *catalog, struct room *room)
{
    const struct engine_options *options = &engine->options;
    size_t workspace = 0, dim = 0, output_dim = 0, slots = 0;

    for (size_t i = 0; i < catalog->count; i++) {
        const struct model *model = catalog->models[i];
        const size_t count = model->shape.is_points ? options->point_slots : options->image_slots;
        const size_t bytes = tick_workspace_bytes(model, options->threads);

        batch_init(&engine->batches[i], model, count, room);
        workspace = bytes > workspace ? bytes : workspace;
        dim = model->shape.dim > dim ? model->shape.dim : dim;
        output_dim = model->shape.output_dim > output_dim ? model->shape.output_dim : output_dim;
        slots = count > slots ? count : slots;
    }
    engine->tick.workspace = room_take(room, workspace, 1);
    engine->tick.probe.places = room_take(room, PROBE_PLACES, sizeof *engine->tick.probe.places);
    engine->tick.probe.x = room_take(room, dim, sizeof(float));
    engine->tick.probe.output = room_take(room, PROBE_PLACES * output_dim, sizeof(float));
    engine->tick.scratch = room_take(room, options->threads, sizeof *engine->tick.scratch);
    engine->tick.group = room_take(room, slots > options->threads ? slots : options->threads,
                                   sizeof(struct request *));
    for (unsigned i = 0; i < options->threads; i++) {
        float *noise = room_take(room, dim, sizeof *noise);
        float *values = room_take(room, dim, sizeof *values);

        if (room->arena != NULL)
            engine->tick.scratch[i] = (struct scratch){.noise = noise, .values = values};
    }
}

static bool take_room(struct engine *engine, const struct catalog *catalog, struct error *error)
{
    struct room counted = {0}, taken = {.arena = &engine->arena};

    engine->batches = calloc(catalog->count, sizeof *engine->batches);
    if (engine->batches == NULL && catalog->count > 0)
        return error_set(error, ERROR_NO_MEMORY, "no memory for an engine");
    engine->batch_count = catalog->count;
    lay_out(engine, catalog, &counted);
    if (!arena_init(&engine->arena, counted.bytes, error))
        return false;
    lay_out(engine, catalog, &taken);
    return true;
}

/* No signal is delivered to the engine's thread. */
static bool start_thread(struct engine *engine, struct error *error)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&engine->thread, NULL, engine_main, engine);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result != 0)
        return error_set(error, ERROR_NO_MEMORY, "the engine's thread cannot be started");
    engine->running = true;
    (void)pthread_setname_np(engine->thread, "denoised-0");
    pthread_mutex_lock(&engine->mutex);
    while (!engine->ready)
        pthread_cond_wait(&engine->started, &engine->mutex);
    pthread_mutex_unlock(&engine->mutex);
    return true;
}

static bool start(struct engine *engine, const struct catalog *catalog, struct error *error)
{
    if (!take_room(engine, catalog, error))
        return false;
    engine->tick.counters = &engine->counters;
    engine->tick.stretch_seconds = engine->options.stretch_seconds;
    engine->tick.gang = gang_create(engine->options.threads, error);
    return engine->tick.gang != NULL && start_thread(engine, error);
}

struct engine *engine_create(const struct engine_options *options, const struct catalog *catalog,
                             struct error *error)
{
    struct engine *engine;

    assert(options->image_slots > 0 && options->point_slots > 0);
    engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        error_write(error, ERROR_NO_MEMORY, "no memory for an engine");
        return NULL;
    }
    engine->options = *options;
    queue_init(&engine->queue);
    mailbox_init(&engine->mailbox);
    pthread_mutex_init(&engine->mutex, NULL);
    pthread_cond_init(&engine->started, NULL);
    if (!start(engine, catalog, error)) {
        engine_destroy(engine);
        return NULL;
    }
    return engine;
}

void engine_stop(struct engine *engine)
{
    if (!engine->running)
        return;
    queue_close(&engine->queue);
    pthread_join(engine->thread, NULL);
    engine->running = false;
}

void engine_destroy(struct engine *engine)
{
    if (engine == NULL)
        return;
    engine_stop(engine);
    gang_destroy(engine->tick.gang);
    arena_finish(&engine->arena);
    free(engine->batches);
    pthread_cond_destroy(&engine->started);
    pthread_mutex_destroy(&engine->mutex);
    mailbox_finish(&engine->mailbox);
    queue_finish(&engine->queue);
    free(engine);
}

/* --- requests --- */

static void prepare(struct request *request)
{
    size_t places = 0;

    for (size_t i = 0; i < request->n; i++)
        places += batch_row_places(request, i);
    request->error = (struct error){.code = ERROR_NONE};
    atomic_store_explicit(&request->evaluations_done, 0, memory_order_relaxed);
    request->submitted_ns = clock_now_ns();
    request->started_ns = request->sampled_ns = request->finished_ns = 0;
    request->steps = request->places = 0;
    request->rows_started = request->rows_running = 0;
    request->rows_left = request->n;
    request->places_running = 0;
    request->places_left = (uint64_t)places * request->plan->evaluations_due;
    request->sampler_number = sampler_number(request->plan->sampler);
    request->failed = NULL;
}

static bool admit(const struct engine *engine, const struct request *request, struct error *error)
{
    const struct engine_options *options = &engine->options;
    const size_t state_floats = PLAN_STATE_FLOATS_MAX(request->plan->dim);
    double backlog;

    if (!engine->running)
        return error_set(error, ERROR_CANCELLED, "the engine was stopped");
    if (request->plan->state_floats > state_floats)
        return error_set(error, ERROR_INVALID, "sampler %s keeps %zu floats a row, not %zu",
                         request->plan->sampler->name, request->plan->state_floats, state_floats);
    if (atomic_load_explicit(&engine->counters.requests, memory_order_relaxed) >=
        options->queue_requests)
        return error_set(error, ERROR_QUEUE_FULL, "%zu requests are waiting or running",
                         options->queue_requests);
    backlog = engine_backlog_seconds(engine);
    if (backlog > options->queue_seconds)
        return error_set(error, ERROR_QUEUE_FULL, "%.1f seconds of work are waiting", backlog);
    return true;
}

bool engine_submit(struct engine *engine, struct request *request, struct error *error)
{
    struct batch *batch = find_batch(engine, request->model);

    assert(request->n > 0);
    assert(request->plan->dim == request->model->shape.dim);
    assert(request->plan->output_dim == request->model->shape.output_dim);
    if (!admit(engine, request, error))
        return false;
    prepare(request);
    count_up(&engine->counters.requests, 1);
    count_up(&engine->counters.rows_waiting, request->n);
    count(&batch->places_left, request->places_left);
    queue_push(&engine->queue, request);
    return true;
}

struct request *engine_collect(struct engine *engine)
{
    return mailbox_collect(&engine->mailbox);
}

/* --- predictions and figures --- */

double engine_predict_seconds(const struct engine *engine, const struct model *model, size_t rows,
                              size_t evaluations)
{
    const struct batch *batch = find_batch(engine, model);
    const size_t full = rows / batch->slot_count, rest = rows % batch->slot_count;
    double seconds = (double)full * cost_step(&batch->cost, batch->slot_count);

    if (rest > 0)
        seconds += cost_step(&batch->cost, rest);
    return (double)evaluations * seconds;
}

double engine_backlog_seconds(const struct engine *engine)
{
    double seconds = 0.0;

    for (size_t i = 0; i < engine->batch_count; i++) {
        const struct batch *batch = &engine->batches[i];
        const double places =
            (double)atomic_load_explicit(&batch->places_left, memory_order_relaxed);

        seconds += places / (double)batch->slot_count * cost_step(&batch->cost, batch->slot_count);
    }
    return seconds;
}

bool engine_alive(const struct engine *engine)
{
    const uint64_t start = atomic_load_explicit(&engine->tick_start_ns, memory_order_acquire);
    const double expected =
        STALL_FACTOR * atomic_load_explicit(&engine->tick_seconds, memory_order_relaxed);
    const uint64_t now = clock_now_ns();

    if (start == 0 || now < start)
        return true;
    return (double)(now - start) / 1e9 <= (expected > STALL_SECONDS ? expected : STALL_SECONDS);
}

struct engine_calibration engine_calibration(const struct engine *engine, const struct model *model)
{
    return find_batch(engine, model)->cost.calibration;
}

void engine_stats(const struct engine *engine, struct engine_stats *stats)
{
    counters_read(&engine->counters, stats);
}

void engine_model_stats(const struct engine *engine, const struct model *model,
                        struct engine_model_stats *stats)
{
    model_counters_read(&find_batch(engine, model)->counters, stats);
}
