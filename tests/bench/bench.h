/* bench.h - how fast models run: printed, never asserted. One thread calls. */
#ifndef BENCH_H
#define BENCH_H

#include "core/engine/engine.h"

struct bench {
    struct catalog catalog;
    struct gang *gang;     /* for forwards without the engine */
    struct engine *engine; /* with as many threads of its own */
};

/* CPU seconds of the whole process so far. */
double bench_cpu_seconds(void);
double bench_wall_seconds(void);

/* CPU seconds of a place in one forward of `places`, without the engine. */
double bench_forward(const struct bench *bench, const struct model *model, size_t places);

/* What one request of n rows cost. */
struct bench_run {
    double cpu_seconds, wall_seconds;
    size_t row_steps, ticks;
};

/* Submits it, waits, answers what it cost. Ends the program when it is refused or fails. */
struct bench_run bench_request(const struct bench *bench, const struct model *model,
                               const char *sampler, size_t steps, size_t n);

/* The engine's doorbell. */
void bench_ring(void *context);

#endif
