/* service.h - what routes work with: the models, the engine, how the daemon is, what it counts.
 *
 * The loader fills catalog, engine, context and models on its own thread, and they are published by
 * health.engine; after that they are read-only. Fields marked "loop" belong to the loop's thread
 * alone. */
#ifndef SERVICE_H
#define SERVICE_H

#include "core/model/catalog.h"
#include "proto/work.h"
#include "server/health.h"
#include "server/metrics.h"
#include "server/options.h"

struct service {
    const struct options *options;
    const struct backend *backend; /* started */
    struct health health;
    struct metrics metrics;
    struct catalog catalog;
    size_t folders_refused; /* of --model; the catalog counts those of --models */
    struct engine *engine;
    struct work_context context;
    struct buffer models;  /* what GET /models answers */
    bool is_refusing;      /* loop: new work is answered 503 draining */
    size_t body_bytes;     /* loop: of request bodies in memory */
    uint64_t result_bytes; /* loop: predicted, of requests from acceptance to the answer's end */
};

/* Gives the sample to the engine and counts its bytes. False with the problem; the sample stays the
 * caller's. Loop. */
bool service_submit(struct service *service, struct work *work, struct problem *problem);

/* What a refused client should wait: the backlog in whole seconds, 1..120. */
unsigned service_retry_after(double backlog_seconds);

#endif
