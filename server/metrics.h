/* metrics.h - what the daemon counts of itself, and the text that Prometheus reads.
 *
 * The loop counts; any thread prints: every number is an atomic. What the engine counts is read
 * from the engine while printing. To add a series: a row in METRICS (metrics_print.c). */
#ifndef METRICS_H
#define METRICS_H

#include "core/engine/engine.h"
#include "proto/problem.h"

#include <stdatomic.h>
#include <stdint.h>

#define METRICS_ROUTES_MAX 24

/* Every status that is ever answered; 499: the client left before its answer. */
#define METRICS_STATUSES(X)                                                                        \
    X(200)                                                                                         \
    X(400)                                                                                         \
    X(403)                                                                                         \
    X(404)                                                                                         \
    X(405)                                                                                         \
    X(406) X(408) X(413) X(414) X(415) X(417) X(422) X(429) X(431) X(499) X(500) X(503) X(505)

#define METRICS_ONE(...) +1
enum {
    METRICS_STATUS_COUNT = 0 METRICS_STATUSES(METRICS_ONE),
    METRICS_PROBLEM_COUNT = 1 PROBLEMS(METRICS_ONE)
};

/* Formats of answers, by media type; in this order in encode_seconds. */
#define METRICS_FORMATS(X)                                                                         \
    X(png, "image/png")                                                                            \
    X(json, "application/json")                                                                    \
    X(npy, "application/x-npy")                                                                    \
    X(apng, "image/apng")
enum { METRICS_FORMAT_COUNT = 0 METRICS_FORMATS(METRICS_ONE) };

struct histogram {
    atomic_uint_fast64_t bucket[ENGINE_TIME_BUCKETS]; /* each alone; bounds ENGINE_TIME_BOUNDS */
    atomic_uint_fast64_t sum_ns;
};

struct metrics {
    atomic_uint_fast64_t requests[METRICS_ROUTES_MAX][METRICS_STATUS_COUNT];
    struct histogram request_seconds[METRICS_ROUTES_MAX];
    struct histogram encode_seconds[METRICS_FORMAT_COUNT];
    atomic_uint_fast64_t rejected[METRICS_PROBLEM_COUNT];
    atomic_uint_fast64_t connections;
};

/* One request that ended; `route` is its row in ROUTES, or the count of rows for none. */
void metrics_request(struct metrics *metrics, size_t route, int status, uint64_t nanoseconds);
void metrics_rejected(struct metrics *metrics, enum problem_code code);
void metrics_encode(struct metrics *metrics, const char *media_type, uint64_t nanoseconds);

/* Index in METRICS_STATUSES; of 500 for a status that is not there. */
size_t metrics_status_index(int status);
int metrics_status_at(size_t index);

struct service;
void metrics_print(const struct service *service, struct buffer *out);

#endif
