/* work.h - what a body asks of the engine, by whichever route: from bytes to a validated, resolved
 * request, and from its rows back to bytes.
 *
 * Life: work_parse, on any thread -> engine_submit(work_request) on the loop -> the engine calls
 * the work's own functions on a worker: what its rows begin with is decoded, then, once they are
 * done, the answer is made -> engine_collect on the loop -> work_answer -> work_destroy. */
#ifndef WORK_H
#define WORK_H

#include "core/engine/engine.h"
#include "proto/answer.h"
#include "proto/problem.h"

/* Of a body, base64 pictures included; what is beside them has a limit of its own. */
#define WORK_BODY_MAX 16777216 /* 16 MiB */

struct work_limits {
    size_t image_n, point_n; /* rows of one request */
    double seconds;          /* predicted cost of one request */
    uint64_t bytes;          /* of one request's plan, results and answer */
};

/* What requests are read against; lives as long as the daemon. */
struct work_context {
    const struct catalog *catalog;
    const struct engine *engine; /* predicts the cost; NULL: no cost is checked */
    struct work_limits limits;
    const char *contract, *backend; /* for "numerics" */
};

/* A kind of body: its fields, and what is made of them. One a route, in proto/NAME_body.c. */
struct body;
extern const struct body body_sample, body_noise, body_predict, body_step, body_encode,
    body_likelihood;

struct work;

/* Parses, validates everything, draws a missing seed, makes the plan, predicts the cost, and
 * allocates the results. `text` is changed and stays the caller's. `accept` is the Accept header or
 * NULL. `id` is the request's id, copied. NULL with all faults in `problem`. */
struct work *work_parse(const struct body *body, struct buffer *text, const char *accept,
                        const char *id, const struct work_context *context,
                        struct problem *problem);

struct request *work_request(struct work *work);

/* The work a request belongs to: what engine_collect gives back. */
struct work *work_of(struct request *request);

/* Predicted memory of its plan, its results and its answer. */
uint64_t work_bytes(const struct work *work);

/* For the log: never NULL; the tag is "" when none was given. */
const char *work_tag(const struct work *work);

/* Likewise: a sentence about a request that is answered but cannot be meant so, or NULL. */
const char *work_warning(const struct work *work);

/* After engine_collect: the answer, 200 or the problem that the request's error stands for. */
struct answer *work_answer(struct work *work);

void work_destroy(struct work *work);

/* For openapi.json: "Sample", of which SampleRequest and SampleAnswer are the schemas. Printed from
 * the table of fields that the parser uses. */
const char *body_name(const struct body *body);
struct cJSON *body_schema(const struct body *body);
struct cJSON *body_answer_schema(const struct body *body);

#endif
