/* counters.h - what the engine counts: written by its thread (and the submitter, for what waits),
 * read by any thread, each number by itself. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "core/engine/engine.h"

struct counters {
    atomic_ullong batch_buckets[ENGINE_BATCH_BUCKETS], batch_places;
    atomic_ullong queue_buckets[ENGINE_TIME_BUCKETS];
    _Atomic double queue_seconds;
    atomic_size_t rows_waiting, rows_running, requests;
    atomic_ullong cancelled_queued, cancelled_running, wasted_row_steps;
};

struct model_counters {
    atomic_ullong steps;
    /* By sampler_number: what is in no table is counted last, unseen. */
    atomic_ullong row_steps[RUNNER_TOTAL + 1], samples[RUNNER_TOTAL + 1];
    atomic_ullong step_buckets[ENGINE_TIME_BUCKETS];
    _Atomic double step_seconds;
};

void count(atomic_ullong *counter, uint64_t more);
void count_up(atomic_size_t *gauge, size_t more);
void count_down(atomic_size_t *gauge, size_t less);

/* Steps of `places` places that took `seconds` each. */
void counters_steps(struct counters *counters, struct model_counters *model, size_t steps,
                    size_t places, double seconds);
/* A request whose first row started after `seconds` in the queue. */
void counters_start(struct counters *counters, double seconds);
/* A request that was cancelled: before its first row, or after so many row-steps. */
void counters_cancel(struct counters *counters, bool started, uint64_t row_steps);

void counters_read(const struct counters *counters, struct engine_stats *stats);
void model_counters_read(const struct model_counters *counters, struct engine_model_stats *stats);

#endif
