#include "proto/sample_inside.h"

#include "core/base/json_scan.h"

#include <stdlib.h>

static const char *const IMAGE_FIELDS[] = {"init_image", "mask", NULL};

static const struct json_limits LIMITS = {.depth = 16,
                                          .keys = 64,
                                          .values = 65536,
                                          .string_bytes = 8192,
                                          .long_keys = IMAGE_FIELDS,
                                          .long_string_bytes = SAMPLE_BODY_MAX,
                                          .other_bytes = (size_t)1024 * 1024,
                                          .number_bytes = 32};

/* Once all else is good: 406 says what could be had. */
static void check_acceptable(const struct sample_reading *reading)
{
    const char *names[FORMAT_NAMES];
    struct buffer list = {0};

    if (reading->fields.format != FORMAT_NONE || reading->problem->code != PROBLEM_NONE)
        return;
    sample_formats(reading->fields.model, names);
    for (size_t i = 0; names[i] != NULL; i++)
        buffer_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    buffer_append(&list, "", 1);
    (void)problem_set(reading->problem, PROBLEM_NOT_ACCEPTABLE,
                      "the Accept header takes none of the formats of model '%s': %s",
                      reading->fields.model->name,
                      buffer_ok(&list) ? (const char *)list.data : "json, npy");
    buffer_finish(&list);
}

struct sample *sample_parse(char *body, size_t size, const char *accept, const char *id,
                            const struct sample_context *context, struct problem *problem)
{
    struct sample_reading reading = {.context = context, .accept = accept, .problem = problem};
    struct sample *sample = NULL;
    struct error error;
    cJSON *json;

    if (!json_scan(body, size, &LIMITS, &error)) {
        if (error.code == ERROR_INVALID)
            (void)problem_set(problem, PROBLEM_INVALID_JSON, "%s", error.text);
        else
            problem_of_error(problem, &error);
        return NULL;
    }
    json = cJSON_ParseWithLengthOpts(body, size + 1, NULL, 1);
    if (json == NULL) {
        (void)problem_set(problem, PROBLEM_INTERNAL, "out of memory");
        return NULL;
    }
    sample_fields_read(&reading, json);
    check_acceptable(&reading);
    if (problem->code == PROBLEM_NONE)
        sample = sample_resolve(&reading.fields, id, context, problem);
    if (sample != NULL && sample->given != NULL)
        sample->given->body = json; /* to be decoded on a worker */
    else
        cJSON_Delete(json);
    return sample;
}

struct request *sample_request(struct sample *sample)
{
    return &sample->request;
}

struct sample *sample_of(struct request *request)
{
    return (struct sample *)request;
}

uint64_t sample_bytes(const struct sample *sample)
{
    return sample->bytes;
}

const char *sample_tag(const struct sample *sample)
{
    return sample->tag == NULL ? "" : sample->tag;
}

const char *sample_warning(const struct sample *sample)
{
    return sample->plan->warning;
}

void sample_destroy(struct sample *sample)
{
    if (sample == NULL)
        return;
    plan_destroy(sample->plan);
    sample_given_destroy(sample->given);
    answer_finish(&sample->answer);
    free(sample);
}
