#include "core/engine/counters.h"

const double ENGINE_TIME_BOUNDS[ENGINE_TIME_BUCKETS - 1] = {
    0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 120, 300};

void count(atomic_ullong *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

void count_up(atomic_size_t *gauge, size_t more)
{
    atomic_fetch_add_explicit(gauge, more, memory_order_relaxed);
}

void count_down(atomic_size_t *gauge, size_t less)
{
    atomic_fetch_sub_explicit(gauge, less, memory_order_relaxed);
}

/* C11 adds to no atomic double; the engine's thread is the only one that writes them. */
static void count_seconds(_Atomic double *sum, double seconds)
{
    const double before = atomic_load_explicit(sum, memory_order_relaxed);

    atomic_store_explicit(sum, before + seconds, memory_order_relaxed);
}

static size_t time_bucket(double seconds)
{
    size_t i = 0;

    while (i < ENGINE_TIME_BUCKETS - 1 && seconds > ENGINE_TIME_BOUNDS[i])
        i++;
    return i;
}

static size_t batch_bucket(size_t places)
{
    size_t i = 0;

    while (i < ENGINE_BATCH_BUCKETS - 1 && places > (size_t)1 << i)
        i++;
    return i;
}

void counters_steps(struct counters *counters, struct model_counters *model, size_t steps,
                    size_t places, double seconds)
{
    count(&counters->batch_buckets[batch_bucket(places)], steps);
    count(&counters->batch_places, steps * places);
    count(&model->steps, steps);
    count(&model->step_buckets[time_bucket(seconds)], steps);
    count_seconds(&model->step_seconds, (double)steps * seconds);
}

void counters_start(struct counters *counters, double seconds)
{
    count(&counters->queue_buckets[time_bucket(seconds)], 1);
    count_seconds(&counters->queue_seconds, seconds);
}

void counters_cancel(struct counters *counters, bool started, uint64_t row_steps)
{
    count(started ? &counters->cancelled_running : &counters->cancelled_queued, 1);
    count(&counters->wasted_row_steps, row_steps);
}

static void read_all(uint64_t *numbers, const atomic_ullong *counters, size_t n)
{
    for (size_t i = 0; i < n; i++)
        numbers[i] = atomic_load_explicit(&counters[i], memory_order_relaxed);
}

void counters_read(const struct counters *counters, struct engine_stats *stats)
{
    read_all(stats->batch_buckets, counters->batch_buckets, ENGINE_BATCH_BUCKETS);
    read_all(&stats->batch_places, &counters->batch_places, 1);
    read_all(stats->queue_buckets, counters->queue_buckets, ENGINE_TIME_BUCKETS);
    stats->queue_seconds = atomic_load_explicit(&counters->queue_seconds, memory_order_relaxed);
    stats->rows_waiting = atomic_load_explicit(&counters->rows_waiting, memory_order_relaxed);
    stats->rows_running = atomic_load_explicit(&counters->rows_running, memory_order_relaxed);
    stats->requests = atomic_load_explicit(&counters->requests, memory_order_relaxed);
    read_all(&stats->cancelled_queued, &counters->cancelled_queued, 1);
    read_all(&stats->cancelled_running, &counters->cancelled_running, 1);
    read_all(&stats->wasted_row_steps, &counters->wasted_row_steps, 1);
}

void model_counters_read(const struct model_counters *counters, struct engine_model_stats *stats)
{
    read_all(&stats->steps, &counters->steps, 1);
    read_all(stats->row_steps, counters->row_steps, RUNNER_TOTAL);
    read_all(stats->samples, counters->samples, RUNNER_TOTAL);
    read_all(stats->step_buckets, counters->step_buckets, ENGINE_TIME_BUCKETS);
    stats->step_seconds = atomic_load_explicit(&counters->step_seconds, memory_order_relaxed);
}
