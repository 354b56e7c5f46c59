#include "tests/support/tick_bench.h"

#include "tests/support/test.h"

#include <string.h>

void tick_bench_up(struct tick_bench *bench)
{
    struct room counted = {0}, taken = {.arena = &bench->arena};
    const struct engine_calibration calibration = {.places = {1}, .milliseconds = {1.0}};
    struct error error;

    memset(bench, 0, sizeof *bench);
    fake_model_init(&bench->model, TICK_DIM, 2 * TICK_DIM);
    batch_init(&bench->batch, &bench->model.model, TICK_SLOTS, &counted);
    assert_true(arena_init(&bench->arena, counted.bytes, &error));
    batch_init(&bench->batch, &bench->model.model, TICK_SLOTS, &taken);
    assert_int_equal(bench->arena.used, counted.bytes);
    cost_init(&bench->batch.cost, &calibration);
    bench->scratch = (struct scratch){.noise = bench->noise, .values = bench->values};
    bench->tick = (struct tick){.gang = gang_create(1, &error),
                                .workspace = bench->workspace,
                                .scratch = &bench->scratch,
                                .group = bench->group,
                                .counters = &bench->counters};
    assert_non_null(bench->tick.gang);
}

void tick_bench_down(struct tick_bench *bench)
{
    gang_destroy(bench->tick.gang);
    arena_finish(&bench->arena);
    fake_model_finish(&bench->model);
}

void tick_bench_add(struct tick_bench *bench, struct fake_request *fake)
{
    struct request *request = &fake->request;

    request->rows_left = request->n;
    for (size_t i = 0; i < request->n; i++)
        request->places_left += batch_row_places(request, i) * request->plan->evaluations;
    count(&bench->batch.places_left, request->places_left);
    count_up(&bench->counters.rows_waiting, request->n);
    batch_add(&bench->batch, request);
}

struct request *tick_bench_run(struct tick_bench *bench)
{
    return tick_run(&bench->tick, &bench->batch);
}
