/* tick_bench.h - a fake model with eight slots and a tick of one thread: the engine's policy, tick
 * by tick, without its thread. */
#ifndef TICK_BENCH_H
#define TICK_BENCH_H

#include "core/engine/tick.h"
#include "tests/support/fake_model.h"

#define TICK_DIM   ((size_t)3)
#define TICK_SLOTS ((size_t)8)

struct tick_bench {
    struct fake_model model;
    struct arena arena;
    struct batch batch;
    struct tick tick;
    struct counters counters;
    struct scratch scratch;
    struct request *group[TICK_SLOTS];
    float noise[TICK_DIM], values[TICK_DIM], workspace[64];
};

/* A step of one place is believed to take a millisecond. */
void tick_bench_up(struct tick_bench *bench);
void tick_bench_down(struct tick_bench *bench);

/* As engine_submit does, and the engine's thread when it takes the request. */
void tick_bench_add(struct tick_bench *bench, struct fake_request *fake);

/* One tick. */
struct request *tick_bench_run(struct tick_bench *bench);

#endif
