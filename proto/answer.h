/* answer.h - what goes back over HTTP, before any server library sees it. */
#ifndef ANSWER_H
#define ANSWER_H

#include "core/base/buffer.h"

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
void answer_finish(struct answer *answer);

#endif
