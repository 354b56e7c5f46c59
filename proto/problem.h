/* problem.h - how a request is told no: application/problem+json (RFC 9457).
 *
 * All faults of one request are collected, then sent at once. One owner, one thread. */
#ifndef PROBLEM_H
#define PROBLEM_H

#include "core/base/buffer.h"
#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Constant, status, code on the wire, title. The type is urn:denoised: and the code with dashes. */
#define PROBLEMS(X)                                                                                \
    X(INVALID_JSON, 400, "invalid_json", "Invalid JSON")                                           \
    X(BAD_REQUEST, 400, "bad_request", "Bad request")                                              \
    X(FORBIDDEN_ORIGIN, 403, "forbidden_origin", "Forbidden origin")                               \
    X(FORBIDDEN_HOST, 403, "forbidden_host", "Forbidden host")                                     \
    X(NOT_FOUND, 404, "not_found", "Not found")                                                    \
    X(MODEL_NOT_FOUND, 404, "model_not_found", "Model not found")                                  \
    X(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "Method not allowed")                         \
    X(NOT_ACCEPTABLE, 406, "not_acceptable", "Not acceptable")                                     \
    X(REQUEST_TIMEOUT, 408, "request_timeout", "Request timeout")                                  \
    X(BODY_TOO_LARGE, 413, "body_too_large", "Body too large")                                     \
    X(URI_TOO_LONG, 414, "uri_too_long", "URI too long")                                           \
    X(UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type", "Unsupported media type")             \
    X(EXPECTATION_FAILED, 417, "expectation_failed", "Expectation failed")                         \
    X(INVALID_PARAMETER, 422, "invalid_parameter", "Invalid parameter")                            \
    X(NOT_CONVERGED, 422, "not_converged", "Not converged")                                        \
    X(QUEUE_FULL, 429, "queue_full", "Queue full")                                                 \
    X(HEADERS_TOO_LARGE, 431, "headers_too_large", "Headers too large")                            \
    X(INTERNAL, 500, "internal", "Internal error")                                                 \
    X(NONFINITE_OUTPUT, 500, "nonfinite_output", "Non-finite output")                              \
    X(LOADING, 503, "loading", "Loading")                                                          \
    X(DRAINING, 503, "draining", "Draining")                                                       \
    X(WORKER_STALLED, 503, "worker_stalled", "Worker stalled")                                     \
    X(HTTP_VERSION, 505, "http_version", "HTTP version not supported")

enum problem_code {
    PROBLEM_NONE,
#define PROBLEM_ENUM(code, status, name, title) PROBLEM_##code,
    PROBLEMS(PROBLEM_ENUM)
#undef PROBLEM_ENUM
};

#define PROBLEM_FAULTS_MAX 32

struct fault {
    char pointer[96]; /* JSON pointer, escaped; "" is the whole body */
    char detail[512];
};

struct problem {
    enum problem_code code;
    char detail[256];
    struct fault faults[PROBLEM_FAULTS_MAX];
    size_t fault_count;   /* may be above PROBLEM_FAULTS_MAX: further ones are only counted */
    unsigned retry_after; /* seconds; 0 = no header */
};

/* Sets code and detail; always false, so that a check can return it. */
bool problem_set(struct problem *problem, enum problem_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a fault and makes the problem INVALID_PARAMETER unless it is something else already; the
 * detail "N fields are not valid" is written by problem_json. */
void problem_fault(struct problem *problem, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The problem that an error of the core stands for. What becomes INTERNAL keeps its text to itself:
 * it may speak of the machine, and is for the log. */
void problem_of_error(struct problem *problem, const struct error *error);

int problem_status(enum problem_code code);
const char *problem_name(enum problem_code code);
const char *problem_title(enum problem_code code);

/* The body. Whatever came from the client inside a detail is cleaned of control characters. */
void problem_json(const struct problem *problem, const char *request_id, struct buffer *out);

#endif
