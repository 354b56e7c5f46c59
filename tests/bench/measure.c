#include "tests/bench/bench.h"

#include <assert.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Different numbers of steps among requests that spread. */
#define SPREAD 8

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

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

double median_of(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return count % 2 != 0 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

void bench_fail(const struct error *error)
{
    fprintf(stderr, "bench: %s: %s\n", error_name(error->code), error->text);
    exit(1);
}

void bench_require(bool fine, const struct error *error)
{
    if (!fine)
        bench_fail(error);
}

size_t bench_places_bytes(const struct model *model, size_t count)
{
    const size_t of_one = arena_rounded(model->shape.dim * sizeof(float)) +
                          arena_rounded(model->shape.output_dim * sizeof(float));

    return arena_rounded(count * sizeof(struct place)) + count * of_one;
}

struct place *bench_places(const struct model *model, size_t count, struct arena *arena)
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

void bench_stage_init(struct bench_stage *stage, const struct model *model, size_t count,
                      unsigned threads)
{
    const size_t workspace = model->family->workspace_bytes(model, threads);
    struct error error;

    *stage = (struct bench_stage){.model = model, .count = count};
    bench_require(arena_init(&stage->arena,
                             arena_rounded(workspace) + bench_places_bytes(model, count), &error),
                  &error);
    stage->room = arena_take(&stage->arena, workspace);
    stage->places = bench_places(model, count, &stage->arena);
}

void bench_stage_finish(struct bench_stage *stage)
{
    arena_finish(&stage->arena);
}

void bench_stage_run(const struct bench_stage *stage, struct gang *gang, size_t forwards)
{
    for (size_t i = 0; i < forwards; i++)
        stage->model->family->evaluate(stage->model, stage->places, stage->count, gang,
                                       stage->room);
}

struct bench_cost bench_forward(struct gang *gang, const struct model *model, size_t count)
{
    struct bench_stage stage;
    double cpu, wall, spent = 0.0;
    size_t forwards = 0, chunk = 1; /* between two looks at the clock, which costs half a us */

    bench_stage_init(&stage, model, count, gang_threads(gang));
    bench_stage_run(&stage, gang, 1);
    cpu = bench_cpu_seconds();
    wall = bench_wall_seconds();
    for (; spent < FORWARD_SECONDS; chunk = forwards) {
        bench_stage_run(&stage, gang, chunk);
        forwards += chunk;
        spent = bench_cpu_seconds() - cpu;
    }
    wall = bench_wall_seconds() - wall;
    bench_stage_finish(&stage);
    return (struct bench_cost){.cpu_seconds = spent / (double)(forwards * count),
                               .wall_seconds = wall / (double)(forwards * count)};
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

struct engine *bench_engine(struct model *const *models, size_t count, size_t slots)
{
    static struct model *pointers[8];
    const struct catalog catalog = {.models = pointers, .count = count};
    const struct engine_options options = {.threads = 1,
                                           .image_slots = slots,
                                           .point_slots = slots,
                                           .queue_requests = BENCH_REQUESTS,
                                           .queue_seconds = 1e9,
                                           .stretch_seconds = ENGINE_STRETCH_SECONDS,
                                           .doorbell = bench_ring};
    struct error error;
    struct engine *engine;

    assert(count <= sizeof pointers / sizeof *pointers);
    memcpy(pointers, models, count * sizeof *models);
    engine = engine_create(&options, &catalog, &error);
    bench_require(engine != NULL, &error);
    return engine;
}

struct arrays {
    struct request *requests;
    struct plan **plans;
    uint32_t *seeds;
    int32_t *labels;
    float *guidance, *x;
};

static struct plan *plan_of(const struct bench_order *order, size_t index)
{
    const struct option_values none = {.given = {false}};
    const struct plan_request wanted = {
        .process = &order->model->process,
        .sampler = order->sampler,
        .steps = order->spreads ? order->steps + index % SPREAD - SPREAD / 2 : order->steps,
        .options = order->options != NULL ? order->options : &none,
        .dim = order->model->shape.dim,
        .output_dim = order->model->shape.output_dim};
    struct error error;
    struct plan *plan = plan_create(&wanted, &error);

    bench_require(plan != NULL, &error);
    return plan;
}

static void give_values(struct arrays *arrays, const struct bench_order *order)
{
    const bool has_classes = order->model->class_input.has_classes;

    for (size_t i = 0; i < order->n * order->requests; i++)
        arrays->seeds[i] = (uint32_t)i;
    for (size_t i = 0; i < order->n; i++) {
        arrays->labels[i] = has_classes ? 0 : -1;
        arrays->guidance[i] = 1.0f;
    }
}

/* All requests have the same labels and guidance, and write to the same x: nobody looks at it. */
static struct arrays arrays_of(const struct bench_order *order)
{
    struct arrays arrays = {.requests = calloc(order->requests, sizeof *arrays.requests),
                            .plans = calloc(order->requests, sizeof *arrays.plans),
                            .seeds = calloc(order->n * order->requests, sizeof *arrays.seeds),
                            .labels = calloc(order->n, sizeof *arrays.labels),
                            .guidance = calloc(order->n, sizeof *arrays.guidance),
                            .x = calloc(order->n * order->model->shape.dim, sizeof *arrays.x)};

    give_values(&arrays, order);
    for (size_t i = 0; i < order->requests; i++) {
        arrays.plans[i] = plan_of(order, i);
        arrays.requests[i] = (struct request){.model = order->model,
                                              .plan = arrays.plans[i],
                                              .n = order->n,
                                              .seeds = arrays.seeds + i * order->n,
                                              .labels = arrays.labels,
                                              .guidance = arrays.guidance,
                                              .x = arrays.x};
    }
    return arrays;
}

static void arrays_free(const struct arrays *arrays, size_t requests)
{
    for (size_t i = 0; i < requests; i++)
        plan_destroy(arrays->plans[i]);
    free(arrays->plans);
    free(arrays->requests);
    free(arrays->seeds);
    free(arrays->labels);
    free(arrays->guidance);
    free(arrays->x);
}

struct bench_run bench_run_requests(struct engine *engine, struct request *requests, size_t count)
{
    const double cpu = bench_cpu_seconds(), wall = bench_wall_seconds();
    struct bench_run cost = {.row_steps = 0};
    struct error error;

    for (size_t i = 0; i < count; i++)
        bench_require(engine_submit(engine, &requests[i], &error), &error);
    for (size_t left = count; left > 0;) {
        const struct request *ended = engine_collect(engine);

        if (ended == NULL)
            sem_wait(bell());
        for (; ended != NULL; ended = ended->next)
            left--;
    }
    cost.cpu_seconds = bench_cpu_seconds() - cpu;
    cost.wall_seconds = bench_wall_seconds() - wall;
    for (size_t i = 0; i < count; i++) {
        bench_require(requests[i].error.code == ERROR_NONE, &requests[i].error);
        cost.row_steps += requests[i].evaluations_done;
        cost.steps += requests[i].steps;
    }
    return cost;
}

/* Of one row. An entry that several evaluations share draws in each. */
static size_t draws_of(const struct plan *plan)
{
    const size_t entries = plan->step_count - plan->first;
    size_t draws = 0;

    for (size_t i = plan->first; i < plan->step_count; i++)
        draws += plan->step[i].draws;
    return 1 + (plan->is_adaptive ? draws : draws * (plan->evaluations / entries));
}

struct bench_run bench_run(struct engine *engine, const struct bench_order *order)
{
    const struct arrays arrays = arrays_of(order);
    struct bench_run cost = bench_run_requests(engine, arrays.requests, order->requests);

    for (size_t i = 0; i < order->requests; i++)
        cost.draws += draws_of(arrays.plans[i]) * order->n;
    arrays_free(&arrays, order->requests);
    return cost;
}
