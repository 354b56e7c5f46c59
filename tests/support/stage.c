#include "tests/support/test.h"

#include "tests/support/stage.h"

#include "core/engine/tick.h"

#include <stdlib.h>

/* Of a step, whatever its places. */
#define STEP_SECONDS 1e-3

struct stage {
    const struct catalog *catalog;
    struct arena arena;
    struct batch *batches; /* one a model */
    struct tick tick;
    struct counters counters;
    size_t samplers_met, places_met;
};

/* Called twice, as the engine's own. */
static void lay_out(struct stage *stage, unsigned threads, size_t slots, struct room *room)
{
    size_t workspace = 0, dim = 0;

    for (size_t i = 0; i < stage->catalog->count; i++) {
        const struct model *model = stage->catalog->models[i];
        const size_t bytes = tick_workspace_bytes(model, threads);

        batch_init(&stage->batches[i], model, slots, room);
        workspace = bytes > workspace ? bytes : workspace;
        dim = model->shape.dim > dim ? model->shape.dim : dim;
    }
    stage->tick.workspace = room_take(room, workspace, 1);
    stage->tick.group = room_take(room, slots, sizeof(struct request *));
    stage->tick.scratch = room_take(room, threads, sizeof *stage->tick.scratch);
    for (unsigned i = 0; i < threads; i++) {
        float *noise = room_take(room, dim, sizeof *noise);
        float *values = room_take(room, dim, sizeof *values);

        if (room->arena != NULL)
            stage->tick.scratch[i] = (struct scratch){.noise = noise, .values = values};
    }
}

struct stage *stage_create(const struct catalog *catalog, unsigned threads, size_t slots)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct room counted = {0}, taken = {0};
    struct error error;

    assert_non_null(stage);
    stage->catalog = catalog;
    stage->batches = calloc(catalog->count, sizeof *stage->batches);
    assert_non_null(stage->batches);
    lay_out(stage, threads, slots, &counted);
    assert_true(arena_init(&stage->arena, counted.bytes, &error));
    taken.arena = &stage->arena;
    lay_out(stage, threads, slots, &taken);
    stage->tick.counters = &stage->counters;
    stage->tick.gang = gang_create(threads, &error);
    assert_non_null(stage->tick.gang);
    return stage;
}

void stage_destroy(struct stage *stage)
{
    gang_destroy(stage->tick.gang);
    arena_finish(&stage->arena);
    free(stage->batches);
    free(stage);
}

void stage_stretch(struct stage *stage, size_t steps)
{
    stage->tick.stretch_seconds = STEP_SECONDS * ((double)steps + 0.5);
}

void stage_join(struct stage *stage, struct request *request)
{
    size_t i = 0;

    while (stage->catalog->models[i] != request->model)
        i++;
    for (size_t k = 0; k < request->n; k++)
        request->places_left += batch_row_places(request, k) * request->plan->evaluations_due;
    count(&stage->batches[i].places_left, request->places_left);
    request->rows_left = request->n;
    request->sampler_number = sampler_number(request->plan->sampler);
    count_up(&stage->counters.rows_waiting, request->n);
    batch_add(&stage->batches[i], request);
}

static void look(struct stage *stage, const struct batch *batch)
{
    bool is_there[RUNNER_TOTAL + 1] = {false};
    size_t samplers = 0;

    for (size_t i = 0; i < batch->running_count; i++)
        is_there[batch->running[i]->request->sampler_number] = true;
    for (size_t i = 0; i < RUNNER_TOTAL; i++)
        samplers += is_there[i];
    if (samplers > stage->samplers_met)
        stage->samplers_met = samplers;
    if (batch->place_count > stage->places_met)
        stage->places_met = batch->place_count;
}

size_t stage_tick(struct stage *stage, size_t model)
{
    static const struct engine_calibration calibration = {
        .places = {1, 1000000}, .milliseconds = {1e3 * STEP_SECONDS, 1.001e3 * STEP_SECONDS}};
    struct batch *batch = &stage->batches[model];
    size_t count = 0;

    if (batch->requests == NULL)
        return 0;
    /* What was learnt is forgotten: it is not the same every time. */
    cost_init(&batch->cost, &calibration);
    for (const struct request *ended = tick_run(&stage->tick, batch); ended != NULL;
         ended = ended->next)
        count++;
    look(stage, batch);
    return count;
}

size_t stage_samplers_met(const struct stage *stage)
{
    return stage->samplers_met;
}

size_t stage_places_met(const struct stage *stage)
{
    return stage->places_met;
}

void stage_stats(const struct stage *stage, struct engine_stats *stats)
{
    counters_read(&stage->counters, stats);
}

void stage_model_stats(const struct stage *stage, size_t model, struct engine_model_stats *stats)
{
    model_counters_read(&stage->batches[model].counters, stats);
}

uint64_t stage_places_left(const struct stage *stage, size_t model)
{
    return stage->batches[model].places_left;
}
