/* answer.h - what goes back over HTTP, before any server library sees it. */
#ifndef ANSWER_H
#define ANSWER_H

#include "core/base/buffer.h"
#include "proto/problem.h"

#define ANSWER_HEADERS_MAX 8

struct answer {
    int status;
    const char *media_type; /* static */
    struct buffer body;
    struct {
        const char *name; /* static */
        char value[1024];
    } headers[ANSWER_HEADERS_MAX];
    size_t header_count;
};

void answer_header(struct answer *answer, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills a zeroed or finished answer with a problem: status, body, Retry-After where there is one.
 */
void answer_problem(struct answer *answer, const struct problem *problem, const char *request_id);

/* Frees the body. Whoever takes body.data sets it to NULL first. */
void answer_finish(struct answer *answer);

#endif
