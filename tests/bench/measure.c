#include "tests/bench/bench.h"

#include "core/base/arena.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A forward is repeated until this much CPU time is spent on it. */
#define FORWARD_SECONDS 0.2

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double bench_cpu_seconds(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_wall_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

static void require(bool fine, const struct error *error)
{
    if (fine)
        return;
    fprintf(stderr, "bench: %s: %s\n", error_name(error->code), error->text);
    exit(1);
}

static struct place *places_of(const struct model *model, size_t count, struct arena *arena)
{
    struct place *places = arena_take(arena, count * sizeof *places);

    for (size_t i = 0; i < count; i++)
        places[i] = (struct place){
            .x = arena_take(arena, model->shape.dim * sizeof(float)),
            .output = arena_take(arena, model->shape.output_dim * sizeof(float)),
            .time = 500.0,
            .label = model->class_input.has_classes ? 0 : -1,
            .level = {.alpha = 0.6, .sigma = 0.8},
        };
    return places;
}

double bench_forward(const struct bench *bench, const struct model *model, size_t count)
{
    const size_t workspace = model->family->workspace_bytes(model, gang_threads(bench->gang));
    const size_t floats = arena_rounded((model->shape.dim + model->shape.output_dim) * 4);
    struct error error;
    struct arena arena;
    struct place *places;
    double start, spent = 0.0;
    size_t forwards = 0, chunk = 1; /* between two looks at the clock, which costs half a us */
    void *room;

    require(arena_init(&arena, arena_rounded(workspace) + count * (floats + 256) + 256, &error),
            &error);
    room = arena_take(&arena, workspace);
    places = places_of(model, count, &arena);
    model->family->evaluate(model, places, count, bench->gang, room);
    for (start = bench_cpu_seconds(); spent < FORWARD_SECONDS; chunk = forwards) {
        for (size_t i = 0; i < chunk; i++)
            model->family->evaluate(model, places, count, bench->gang, room);
        forwards += chunk;
        spent = bench_cpu_seconds() - start;
    }
    arena_finish(&arena);
    return spent / (double)(forwards * count);
}

/* --- through the engine --- */

static sem_t *bell(void)
{
    static sem_t semaphore;
    static bool ready;

    if (!ready)
        sem_init(&semaphore, 0, 0);
    ready = true;
    return &semaphore;
}

void bench_ring(void *context)
{
    (void)context;
    sem_post(bell());
}

struct arrays {
    uint32_t *seeds;
    int32_t *labels;
    float *guidance, *x;
};

static struct arrays arrays_of(const struct model *model, size_t n)
{
    struct arrays arrays = {.seeds = calloc(n, sizeof *arrays.seeds),
                            .labels = calloc(n, sizeof *arrays.labels),
                            .guidance = calloc(n, sizeof *arrays.guidance),
                            .x = calloc(n * model->shape.dim, sizeof *arrays.x)};

    for (size_t i = 0; i < n; i++) {
        arrays.seeds[i] = (uint32_t)i;
        arrays.labels[i] = model->class_input.has_classes ? 0 : -1;
        arrays.guidance[i] = 1.0f;
    }
    return arrays;
}

static void arrays_free(const struct arrays *arrays)
{
    free(arrays->seeds);
    free(arrays->labels);
    free(arrays->guidance);
    free(arrays->x);
}

static struct bench_run run(const struct bench *bench, struct request *request)
{
    const double cpu = bench_cpu_seconds(), wall = bench_wall_seconds();
    struct error error;

    require(engine_submit(bench->engine, request, &error), &error);
    while (engine_collect(bench->engine) == NULL)
        sem_wait(bell());
    require(request->error.code == ERROR_NONE, &request->error);
    return (struct bench_run){.cpu_seconds = bench_cpu_seconds() - cpu,
                              .wall_seconds = bench_wall_seconds() - wall,
                              .row_steps = request->evaluations_done,
                              .ticks = request->ticks};
}

struct bench_run bench_request(const struct bench *bench, const struct model *model,
                               const char *sampler, size_t steps, size_t n)
{
    const struct option_values none = {.given = {false}};
    const struct plan_request wanted = {.process = &model->process,
                                        .sampler = sampler,
                                        .steps = steps,
                                        .options = &none,
                                        .dim = model->shape.dim,
                                        .output_dim = model->shape.output_dim};
    const struct arrays arrays = arrays_of(model, n);
    struct error error;
    struct plan *plan = plan_create(&wanted, &error);
    struct request request = {.model = model,
                              .plan = plan,
                              .n = n,
                              .seeds = arrays.seeds,
                              .labels = arrays.labels,
                              .guidance = arrays.guidance,
                              .x = arrays.x};
    struct bench_run cost;

    require(plan != NULL, &error);
    cost = run(bench, &request);
    plan_destroy(plan);
    arrays_free(&arrays);
    return cost;
}
