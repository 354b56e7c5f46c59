#include "proto/answer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void answer_header(struct answer *answer, const char *name, const char *format, ...)
{
    va_list arguments;

    assert(answer->header_count < ANSWER_HEADERS_MAX);
    answer->headers[answer->header_count].name = name;
    va_start(arguments, format);
    (void)vsnprintf(answer->headers[answer->header_count].value, sizeof answer->headers[0].value,
                    format, arguments);
    va_end(arguments);
    answer->header_count++;
}

void answer_problem(struct answer *answer, const struct problem *problem, const char *request_id)
{
    answer_finish(answer);
    *answer = (struct answer){.status = problem_status(problem->code),
                              .media_type = "application/problem+json"};
    problem_json(problem, request_id, &answer->body);
    if (problem->retry_after > 0)
        answer_header(answer, "Retry-After", "%u", problem->retry_after);
}

void answer_finish(struct answer *answer)
{
    buffer_finish(&answer->body);
}
