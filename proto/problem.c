#include "proto/problem.h"

#include "proto/json_write.h"
#include "proto/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    const char *name, *title;
} TABLE[] = {[PROBLEM_NONE] = {200, "none", "No problem"},
#define PROBLEM_ROW(code, status, name, title) [PROBLEM_##code] = {status, name, title},
             PROBLEMS(PROBLEM_ROW)
#undef PROBLEM_ROW
};

int problem_status(enum problem_code code)
{
    return TABLE[code].status;
}

const char *problem_name(enum problem_code code)
{
    return TABLE[code].name;
}

const char *problem_title(enum problem_code code)
{
    return TABLE[code].title;
}

/* A text that was cut says so, and ends with a whole character. */
__attribute__((format(printf, 3, 0))) static void print(char *text, size_t size, const char *format,
                                                        va_list arguments)
{
    const int length = vsnprintf(text, size, format, arguments);
    size_t end = size - 4;

    if (length >= 0 && (size_t)length < size)
        return;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    memcpy(text + end, "...", 4);
}

bool problem_set(struct problem *problem, enum problem_code code, const char *format, ...)
{
    va_list arguments;

    problem->code = code;
    va_start(arguments, format);
    print(problem->detail, sizeof problem->detail, format, arguments);
    va_end(arguments);
    return false;
}

void problem_fault(struct problem *problem, const char *pointer, const char *format, ...)
{
    struct fault *fault;
    va_list arguments;

    if (problem->code == PROBLEM_NONE)
        problem->code = PROBLEM_INVALID_PARAMETER;
    if (problem->fault_count++ >= PROBLEM_FAULTS_MAX)
        return;
    fault = &problem->faults[problem->fault_count - 1];
    (void)snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer);
    va_start(arguments, format);
    print(fault->detail, sizeof fault->detail, format, arguments);
    va_end(arguments);
}

void problem_of_error(struct problem *problem, const struct error *error)
{
    static const struct {
        enum error_code error;
        enum problem_code problem;
        const char *detail; /* NULL: the error's own sentence */
    } ROWS[] = {
        {ERROR_INVALID, PROBLEM_INVALID_PARAMETER, NULL},
        {ERROR_TOO_LARGE, PROBLEM_BODY_TOO_LARGE, NULL},
        {ERROR_NOT_FOUND, PROBLEM_NOT_FOUND, NULL},
        {ERROR_QUEUE_FULL, PROBLEM_QUEUE_FULL, NULL},
        {ERROR_CANCELLED, PROBLEM_DRAINING, "the daemon is stopping; ask again"},
        {ERROR_NO_MEMORY, PROBLEM_INTERNAL, "out of memory"},
        {ERROR_NONFINITE, PROBLEM_NONFINITE_OUTPUT, NULL},
        {ERROR_NOT_CONVERGED, PROBLEM_NOT_CONVERGED, NULL},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].error == error->code) {
            (void)problem_set(problem, ROWS[i].problem, "%s",
                              ROWS[i].detail != NULL ? ROWS[i].detail : error->text);
            return;
        }
    (void)problem_set(problem, PROBLEM_INTERNAL,
                      "something is wrong inside the daemon; its log says what");
}

static void type_json(const char *name, struct buffer *out)
{
    char type[64];
    size_t length = (size_t)snprintf(type, sizeof type, "urn:denoised:%s", name);

    assert(length < sizeof type);
    for (char *c = type; *c != '\0'; c++)
        if (*c == '_')
            *c = '-';
    json_key(out, "type");
    json_string(out, type);
}

static void detail_json(const struct problem *problem, struct buffer *out)
{
    char text[2 * sizeof problem->detail];

    if (problem->detail[0] != '\0')
        text_clean(problem->detail, text, sizeof text);
    else if (problem->fault_count == 1)
        (void)snprintf(text, sizeof text, "1 field is not valid");
    else if (problem->fault_count > 1)
        (void)snprintf(text, sizeof text, "%zu fields are not valid", problem->fault_count);
    else
        (void)snprintf(text, sizeof text, "%s", problem_title(problem->code));
    json_key(out, "detail");
    json_string(out, text);
}

static void faults_json(const struct problem *problem, struct buffer *out)
{
    const size_t count =
        problem->fault_count < PROBLEM_FAULTS_MAX ? problem->fault_count : PROBLEM_FAULTS_MAX;
    char text[2 * sizeof problem->faults[0].detail];

    json_key(out, "errors");
    json_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(out, '{');
        text_clean(problem->faults[i].pointer, text, sizeof text);
        json_key(out, "pointer");
        json_string(out, text);
        text_clean(problem->faults[i].detail, text, sizeof text);
        json_key(out, "detail");
        json_string(out, text);
        json_close(out, '}');
    }
    json_close(out, ']');
}

void problem_json(const struct problem *problem, const char *request_id, struct buffer *out)
{
    json_open(out, '{');
    type_json(problem_name(problem->code), out);
    json_key(out, "title");
    json_string(out, problem_title(problem->code));
    json_key(out, "status");
    json_integer(out, problem_status(problem->code));
    json_key(out, "code");
    json_string(out, problem_name(problem->code));
    detail_json(problem, out);
    if (problem->fault_count > 0)
        faults_json(problem, out);
    if (request_id != NULL) {
        json_key(out, "request_id");
        json_string(out, request_id);
    }
    json_close(out, '}');
    buffer_text(out, "\n");
}
