/* sample.h - POST /sample: from bytes to a validated, resolved request, and from its rows back to
 * bytes (png, npy, json).
 *
 * Life: sample_parse, on any thread -> engine_submit(sample_request) on the loop -> the engine
 * calls the finish function of this file on a worker, which fills the answer -> engine_collect on
 * the loop -> sample_answer -> sample_destroy. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "core/engine/engine.h"
#include "proto/answer.h"
#include "proto/problem.h"

/* Of POST /sample, base64 pictures included; what is beside them has a limit of its own. */
#define SAMPLE_BODY_MAX 16777216 /* 16 MiB */

struct sample_limits {
    size_t image_n, point_n; /* rows of one request */
    double seconds;          /* predicted cost of one request */
    uint64_t bytes;          /* of one request's results and answer */
};

/* What requests are read against; lives as long as the daemon. */
struct sample_context {
    const struct catalog *catalog;
    const struct engine *engine; /* predicts the cost; NULL: no cost is checked */
    struct sample_limits limits;
    const char *contract, *backend; /* for "numerics" */
};

struct sample;

/* Parses, validates everything, draws a missing seed, makes the plan, predicts the cost, and
 * allocates the results. `body` is changed; body[size] must be NUL. `accept` is the Accept header
 * or NULL. `id` is the request's id, copied. NULL with all faults in `problem`. */
struct sample *sample_parse(char *body, size_t size, const char *accept, const char *id,
                            const struct sample_context *context, struct problem *problem);

struct request *sample_request(struct sample *sample);

/* The sample a request belongs to: what engine_collect gives back. */
struct sample *sample_of(struct request *request);

/* Predicted memory of its results and its answer. */
uint64_t sample_bytes(const struct sample *sample);

/* For the log: never NULL; the tag is "" when none was given. */
const char *sample_tag(const struct sample *sample);

/* Likewise: a sentence about a request that is answered but cannot be meant so, or NULL. */
const char *sample_warning(const struct sample *sample);

/* After engine_collect: the answer, 200 or the problem that the request's error stands for. */
struct answer *sample_answer(struct sample *sample);

void sample_destroy(struct sample *sample);

/* Schemas of the body and the answers, for openapi.json: printed from the table of fields that the
 * parser uses. */
struct cJSON *sample_body_schema(void);

#endif
