/* bench.h - how fast models run, and in how much memory: printed, never asserted. One thread
 * calls. */
#ifndef BENCH_H
#define BENCH_H

#include "core/base/arena.h"
#include "core/engine/engine.h"

enum { BENCH_BATCHES_MAX = 16 };

struct bench {
    const struct backend *backend;
    struct catalog catalog;
    struct gang *gang;     /* for forwards without the engine */
    struct engine *engine; /* with as many threads of its own */
};

struct bench_arguments {
    const char *models, *backend, *model, *sampler; /* NULL: all that are meant */
    unsigned threads;
    size_t rounds;                                  /* of comparisons */
    size_t batches[BENCH_BATCHES_MAX], batch_count; /* ascending */
};

/* CPU seconds of the whole process so far. */
double bench_cpu_seconds(void);
double bench_wall_seconds(void);

/* Ends the program; the second unless it is fine. */
_Noreturn void bench_fail(const struct error *error);
void bench_require(bool fine, const struct error *error);

/* Places with x of zeros, a time, a label where the model has them; their memory is the arena's. */
struct place *bench_places(const struct model *model, size_t count, struct arena *arena);
size_t bench_places_bytes(const struct model *model, size_t count);

/* What a forward of `count` places needs, on any gang of at most `threads`. */
struct bench_stage {
    const struct model *model;
    size_t count;
    struct place *places;
    void *room;
    struct arena arena;
};
void bench_stage_init(struct bench_stage *stage, const struct model *model, size_t count,
                      unsigned threads);
void bench_stage_finish(struct bench_stage *stage);
void bench_stage_run(const struct bench_stage *stage, struct gang *gang, size_t forwards);

/* Of a place in one forward of `places`, without the engine. */
struct bench_cost {
    double cpu_seconds, wall_seconds;
};
struct bench_cost bench_forward(struct gang *gang, const struct model *model, size_t places);

/* What is asked of the engine: `requests` at once, of n rows each. */
struct bench_order {
    const struct model *model;
    const char *sampler;
    size_t steps;
    const struct option_values *options; /* NULL: none is given */
    size_t n, requests;
    bool spreads; /* requests differ a little in steps: rows side by side are at levels of their
                     own */
};

/* What it cost. */
struct bench_run {
    double cpu_seconds, wall_seconds;
    size_t row_steps, steps;
    size_t draws; /* of randn(dim), over all rows, x_T included */
};

/* Submits it, waits, answers what it cost. Ends the program when it is refused or fails. */
struct bench_run bench_run(struct engine *engine, const struct bench_order *order);

/* The same of requests that are made already. */
struct bench_run bench_run_requests(struct engine *engine, struct request *requests, size_t count);

/* The engine's doorbell. */
void bench_ring(void *context);

/* Of one thread, with as many slots for each of some models. */
#define BENCH_REQUESTS 64 /* at once */
struct engine *bench_engine(struct model *const *models, size_t count, size_t slots);

/* --- what is printed: the parts of the program --- */

/* Time by batch, multiply-adds a second, share of the peak; points: row-steps a second, a step. */
void bench_speed(const struct bench *bench, const struct bench_arguments *arguments);
/* Seconds to load, resident and working memory: a process for each model, none is loaded here. */
void bench_memory(const struct bench *bench, const struct bench_arguments *arguments);
/* One and two threads on one image. */
void bench_speed_up(const struct bench *bench, const struct bench_arguments *arguments);
/* Each operation of each UNet. */
void bench_layers(const struct bench *bench, const struct bench_arguments *arguments);
/* Every sampler beside DDIM, on models of bench->catalog; then what each costs by itself. */
void bench_samplers(const struct bench *bench, const struct bench_arguments *arguments);
void bench_own_costs(const struct bench *bench, const struct bench_arguments *arguments);

/* 1,000 points by the probability flow. */
void bench_likelihood(const struct bench *bench, const struct bench_arguments *arguments);

/* Sorts. */
double median_of(double *values, size_t count);

#endif
