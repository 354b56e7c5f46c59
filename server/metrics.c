#include "server/metrics.h"

#include <assert.h>
#include <string.h>

#define STATUS_ITEM(status) status,
static const int STATUSES[] = {METRICS_STATUSES(STATUS_ITEM)};
#undef STATUS_ITEM

static void observe(struct histogram *histogram, uint64_t nanoseconds)
{
    const double seconds = (double)nanoseconds * 1e-9;
    size_t bucket = 0;

    while (bucket < ENGINE_TIME_BUCKETS - 1 && seconds > ENGINE_TIME_BOUNDS[bucket])
        bucket++;
    (void)atomic_fetch_add(&histogram->bucket[bucket], 1);
    (void)atomic_fetch_add(&histogram->sum_ns, nanoseconds);
}

size_t metrics_status_index(int status)
{
    size_t internal = 0;

    for (size_t i = 0; i < METRICS_STATUS_COUNT; i++) {
        if (STATUSES[i] == status)
            return i;
        if (STATUSES[i] == 500)
            internal = i;
    }
    return internal;
}

int metrics_status_at(size_t index)
{
    return STATUSES[index];
}

void metrics_request(struct metrics *metrics, size_t route, int status, uint64_t nanoseconds)
{
    assert(route < METRICS_ROUTES_MAX);
    (void)atomic_fetch_add(&metrics->requests[route][metrics_status_index(status)], 1);
    observe(&metrics->request_seconds[route], nanoseconds);
}

void metrics_rejected(struct metrics *metrics, enum problem_code code)
{
    (void)atomic_fetch_add(&metrics->rejected[code], 1);
}

void metrics_encode(struct metrics *metrics, const char *media_type, uint64_t nanoseconds)
{
#define FORMAT_TYPE(name, type) type,
    static const char *const types[] = {METRICS_FORMATS(FORMAT_TYPE)};
#undef FORMAT_TYPE

    for (size_t i = 0; i < METRICS_FORMAT_COUNT; i++)
        if (strcmp(media_type, types[i]) == 0)
            observe(&metrics->encode_seconds[i], nanoseconds);
}
