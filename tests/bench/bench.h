/* bench.h - how fast models run: printed, never asserted. One thread calls. */
#ifndef BENCH_H
#define BENCH_H

#include "core/engine/engine.h"

struct bench {
    struct catalog catalog;
    struct gang *gang;     /* for forwards without the engine */
    struct engine *engine; /* with as many threads of its own */
};

struct bench_arguments {
    const char *models, *backend, *model, *sampler; /* NULL: all that are meant */
    unsigned threads;
    size_t rounds; /* of comparisons */
};

/* CPU seconds of the whole process so far. */
double bench_cpu_seconds(void);
double bench_wall_seconds(void);

/* Ends the program unless it is fine. */
void bench_require(bool fine, const struct error *error);

/* CPU seconds of a place in one forward of `places`, without the engine. */
double bench_forward(const struct bench *bench, const struct model *model, size_t places);

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
    size_t row_steps, ticks;
    size_t draws; /* of randn(dim), over all rows, x_T included */
};

/* Submits it, waits, answers what it cost. Ends the program when it is refused or fails. */
struct bench_run bench_run(struct engine *engine, const struct bench_order *order);

/* The engine's doorbell. */
void bench_ring(void *context);

/* Every sampler beside DDIM, on the models of bench->catalog. */
void bench_samplers(const struct bench *bench, const struct bench_arguments *arguments);

#endif
