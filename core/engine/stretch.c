#include "core/engine/stretch.h"

/* Rows of a model for points that go on together: as many as make its products worth their while,
 * and no more than stay in a worker's caches. */
#define RANGE_MIN 4
#define RANGE_MAX 64

/* However little a step is believed to take. */
#define STEPS_MAX 256

/* Rows of fewer floats than this begin in larger pieces: the hand-out costs as much as some of
 * them. */
#define SMALL_DIM 64

struct work {
    const struct tick *tick;
    struct batch *batch;
    size_t first, per_item; /* of the running rows: from the first to the last of all */
    size_t steps;
    void (*range)(const struct work *work, struct range range, unsigned worker);
};

static void work_item(void *context, size_t item, unsigned worker)
{
    const struct work *work = context;
    struct range range = {.first = work->first + item * work->per_item};

    range.end = range.first + work->per_item;
    if (range.end > work->batch->running_count)
        range.end = work->batch->running_count;
    work->range(work, range, worker);
}

/* Parts of so many that all are in. */
static size_t parts(size_t count, size_t each)
{
    return (count + each - 1) / each;
}

static void work_run(struct work *work)
{
    const size_t count = work->batch->running_count - work->first;

    gang_run(work->tick->gang, work_item, work, parts(count, work->per_item));
}

static void begin(const struct work *work, struct range range, unsigned worker)
{
    rows_begin(work->batch, range, &work->tick->scratch[worker]);
}

static void advance(const struct work *work, struct range range, unsigned worker)
{
    rows_advance(work->batch, range, &work->tick->scratch[worker]);
}

/* All steps of a range. */
static void go_through(const struct work *work, struct range range, unsigned worker)
{
    const struct batch *batch = work->batch;
    const struct model *model = batch->model;
    const struct slot *first = batch->running[range.first], *last = batch->running[range.end - 1];
    const size_t places = last->place + last->place_count - first->place;
    unsigned char *workspace = work->tick->workspace;

    workspace += worker * tick_workspace_bytes(model, 1);
    for (size_t step = 0; step < work->steps; step++) {
        model->family->evaluate(model, batch->places + first->place, places, gang_alone(),
                                workspace);
        advance(work, range, worker);
    }
}

void stretch_begin(const struct tick *tick, struct batch *batch, size_t count)
{
    struct work work = {.tick = tick,
                        .batch = batch,
                        .first = batch->running_count - count,
                        .per_item = batch->model->shape.dim < SMALL_DIM ? RANGE_MAX : 1,
                        .range = begin};

    work_run(&work);
}

/* Ranges of one size, as many as there are threads or a multiple of that; fewer where those would
 * be too small. */
static size_t range_size(const struct tick *tick, const struct batch *batch)
{
    const size_t threads = gang_threads(tick->gang), rows = batch->running_count;
    const size_t ranges = threads * parts(rows, threads * RANGE_MAX);
    const size_t size = parts(rows, ranges), tile = batch->model->tile;

    if (tile > 0)
        return parts(size, tile) * tile;
    return size > RANGE_MIN ? size : RANGE_MIN;
}

static size_t steps_of(const struct tick *tick, const struct batch *batch)
{
    const size_t most = batch->horizon < STEPS_MAX ? batch->horizon : STEPS_MAX;
    const double fit = tick->stretch_seconds / cost_step(&batch->cost, batch->place_count);

    if (most <= 1 || !(fit > 1.0))
        return 1;
    return fit < (double)most ? (size_t)fit : most;
}

static void evaluate_together(const struct tick *tick, const struct batch *batch)
{
    batch->model->family->evaluate(batch->model, batch->places, batch->place_count, tick->gang,
                                   tick->workspace);
}

size_t stretch_run(const struct tick *tick, struct batch *batch)
{
    struct work work = {.tick = tick, .batch = batch, .per_item = 1, .steps = 1, .range = advance};

    if (batch->model->shape.is_points) {
        work.per_item = range_size(tick, batch);
        work.steps = steps_of(tick, batch);
        work.range = go_through;
    } else {
        evaluate_together(tick, batch);
    }
    work_run(&work);
    if (batch->horizon > 0)
        batch->horizon -= work.steps;
    return work.steps;
}
