/* How much faster two threads are than one, on one image, by the clock on the wall.
 *
 * A virtual machine is not given its processors whole at all times, nor always two that share a
 * cache, and says so nowhere: /proc/stat may show nothing stolen while two threads that only
 * multiply, in registers, share what one has. So forwards by one and by two threads take turns many
 * times, with two probes between them, and beside the medians stand the shortest: what each takes
 * when nothing disturbs it. */
#include "tests/bench/bench.h"

#include "tests/bench/machine.h"
#include "tests/bench/probe.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 2, TURNS_A_ROUND = 5, PROBE_ROUNDS = 200000, PASSES = 3000 };

#define TURN_SECONDS 0.01    /* of repeated forwards, at least */
#define WHOLE        1.95    /* times as much by two threads that only multiply */
#define PATIENCE     1000000 /* looks at a line that does not come */

/* Seconds of one turn after the other. */
struct turns {
    double *forward[THREADS], *probe[THREADS]; /* by one thread, by two */
    double *pass;                              /* of a cache line to the other thread and back */
    size_t count;
};

/* --- what the machine gives --- */

static void probe_item(void *context, size_t item, unsigned worker)
{
    volatile float *sums = context;

    (void)worker;
    sums[item] = probe_at(0)->run(PROBE_ROUNDS);
}

static double probe_seconds(struct gang *gang, size_t items)
{
    float sums[THREADS];
    const double start = bench_wall_seconds();

    gang_run(gang, probe_item, sums, items);
    return bench_wall_seconds() - start;
}

/* One item counts even numbers up, the other odd ones. Each gives up where no other answers. */
static void pass_item(void *context, size_t item, unsigned worker)
{
    atomic_size_t *line = context;

    (void)worker;
    for (size_t number = item; number < THREADS * PASSES; number += THREADS) {
        size_t looks = 0;

        while (atomic_load_explicit(line, memory_order_acquire) != number)
            if (++looks > PATIENCE)
                return;
        atomic_store_explicit(line, number + 1, memory_order_release);
    }
}

static double pass_seconds(struct gang *gang)
{
    atomic_size_t line = 0;
    const double start = bench_wall_seconds();

    gang_run(gang, pass_item, &line, THREADS);
    return (bench_wall_seconds() - start) / PASSES;
}

/* --- turns --- */

/* The probe wakes all threads of the gang. */
static double forward_seconds(const struct bench_stage *stage, struct gang *gang, size_t forwards)
{
    probe_seconds(gang, gang_threads(gang));
    const double start = bench_wall_seconds();

    bench_stage_run(stage, gang, forwards);
    return (bench_wall_seconds() - start) / (double)forwards;
}

static void take_turns(struct turns *turns, const struct bench_stage *stage,
                       struct gang *const gangs[THREADS])
{
    const double once = forward_seconds(stage, gangs[0], 1);
    const size_t forwards = 1 + (size_t)(TURN_SECONDS / once);

    for (size_t turn = 0; turn < turns->count; turn++) {
        for (size_t i = 0; i < THREADS; i++) {
            turns->forward[i][turn] = forward_seconds(stage, gangs[i], forwards);
            turns->probe[i][turn] = probe_seconds(gangs[i], i + 1);
        }
        turns->pass[turn] = pass_seconds(gangs[THREADS - 1]);
    }
}

/* How much faster two threads are, by the shortest turns and by the medians. */
struct ratio {
    double shortest, median;
};

static struct ratio ratio_of(double *const seconds[THREADS], size_t count)
{
    /* Sorts. */
    const double median = median_of(seconds[0], count) / median_of(seconds[1], count);

    return (struct ratio){seconds[0][0] / seconds[1][0], median};
}

static void print_turns(const char *name, const struct turns *turns)
{
    const struct ratio forward = ratio_of(turns->forward, turns->count);
    const struct ratio probe = ratio_of(turns->probe, turns->count);
    const double whole = THREADS * probe.shortest; /* two threads do twice the work */

    printf("%-20s one thread %8.3f ms, two threads %.2f times as fast (median %.2f)\n", name,
           1e3 * turns->forward[0][0], forward.shortest, forward.median);
    printf("%-20s two threads that only multiply %.2f times (median %.2f), a cache line there and "
           "back %.0f ns%s\n",
           "", whole, THREADS * probe.median, 1e9 * median_of(turns->pass, turns->count),
           whole < WHOLE ? ": NOT VALID" : "");
}

static double *seconds_of_turns(const struct turns *turns)
{
    double *seconds = calloc(turns->count, sizeof *seconds);

    bench_require(seconds != NULL, &(struct error){ERROR_NO_MEMORY, "no memory for the turns"});
    return seconds;
}

static void bench_model(const struct model *model, struct gang *const gangs[THREADS], size_t rounds)
{
    struct turns turns = {.count = rounds * TURNS_A_ROUND};
    struct bench_stage stage;

    turns.pass = seconds_of_turns(&turns);
    for (size_t i = 0; i < THREADS; i++) {
        turns.forward[i] = seconds_of_turns(&turns);
        turns.probe[i] = seconds_of_turns(&turns);
    }
    bench_stage_init(&stage, model, 1, THREADS);
    bench_stage_run(&stage, gangs[0], 1);
    take_turns(&turns, &stage, gangs);
    print_turns(model->name, &turns);
    bench_stage_finish(&stage);
    for (size_t i = 0; i < THREADS; i++) {
        free(turns.forward[i]);
        free(turns.probe[i]);
    }
    free(turns.pass);
}

static void print_rest(const char *when)
{
    struct machine_rest rest;

    if (machine_rests(&rest))
        printf("%-20s %.0f %% of the processors idle, %.1f %% stolen\n", when, 100.0 * rest.idle,
               100.0 * rest.stolen);
}

void bench_speed_up(const struct bench *bench, const struct bench_arguments *arguments)
{
    struct gang *gangs[THREADS];
    struct error error;

    printf("speed-up: one image, by the clock on the wall, the shortest of %zu turns; the machine "
           "must be idle\n",
           arguments->rounds * TURNS_A_ROUND);
    for (unsigned i = 0; i < THREADS; i++) {
        gangs[i] = gang_create(i + 1, &error);
        bench_require(gangs[i] != NULL, &error);
    }
    print_rest("before");
    for (size_t i = 0; i < bench->catalog.count; i++)
        if (!bench->catalog.models[i]->shape.is_points)
            bench_model(bench->catalog.models[i], gangs, arguments->rounds);
    print_rest("after");
    for (size_t i = 0; i < THREADS; i++)
        gang_destroy(gangs[i]);
}
