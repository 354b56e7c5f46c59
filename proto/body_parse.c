#include "proto/work_inside.h"

#include "core/base/json_scan.h"

#include <stdlib.h>

static const char *const LONG_FIELDS[] = {"init_image", "mask",    "x_T_f32",   "x_0_f32",
                                          "x_t_f32",    "eps_f32", "noise_f32", NULL};

static const struct json_limits LIMITS = {.depth = 16,
                                          .keys = 64,
                                          .values = 65536,
                                          .string_bytes = 8192,
                                          .long_keys = LONG_FIELDS,
                                          .long_string_bytes = WORK_BODY_MAX,
                                          .other_bytes = (size_t)1024 * 1024,
                                          .number_bytes = 32};

/* Once all else is good: 406 says what could be had. */
static void check_acceptable(const struct body_reading *reading)
{
    if (reading->fields.format == FORMAT_NONE && reading->problem->code == PROBLEM_NONE)
        body_refuse_accept(reading->body, &reading->fields, FORMAT_NONE, reading->problem);
}

/* `text` ends with a NUL, which is not counted. */
static struct work *parse(struct body_reading *reading, char *text, size_t size, const char *id)
{
    struct problem *problem = reading->problem;
    struct work *work = NULL;
    struct error error;
    cJSON *json;

    if (!json_scan(text, size, &LIMITS, &error)) {
        if (error.code == ERROR_INVALID)
            (void)problem_set(problem, PROBLEM_INVALID_JSON, "%s", error.text);
        else
            problem_of_error(problem, &error);
        return NULL;
    }
    json = cJSON_ParseWithLengthOpts(text, size + 1, NULL, 1);
    if (json == NULL) {
        (void)problem_set(problem, PROBLEM_INTERNAL, "out of memory");
        return NULL;
    }
    body_fields_read(reading, json);
    check_acceptable(reading);
    if (problem->code == PROBLEM_NONE)
        work = reading->body->resolve(&reading->fields, id, reading->context, problem);
    if (work != NULL && work->given != NULL)
        work->given->body = json; /* to be decoded on a worker */
    else
        cJSON_Delete(json);
    return work;
}

struct work *work_parse(const struct body *body, struct buffer *text, const char *accept,
                        const char *id, const struct work_context *context, struct problem *problem)
{
    struct body_reading reading = {
        .body = body, .context = context, .accept = accept, .problem = problem};

    buffer_append(text, "", 1);
    if (!buffer_ok(text)) {
        (void)problem_set(problem, PROBLEM_INTERNAL, "no memory for the request");
        return NULL;
    }
    return parse(&reading, (char *)text->data, text->size - 1, id);
}
