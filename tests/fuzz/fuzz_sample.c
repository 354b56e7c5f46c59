/* Whatever the body and the Accept header, of every route that runs through the engine: a request
 * that can be answered, or a problem that says why not, both as JSON that reads back. The input is
 * the header, a line end, the body. Build with clang: -fsanitize=fuzzer,address,undefined; run on
 * tests/fuzz/corpus/sample. */
#include "tests/support/sample_try.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static const struct body *const BODIES[] = {&body_sample, &body_noise,  &body_predict,
                                            &body_step,   &body_encode, &body_likelihood};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const struct buffer *text)
{
    cJSON *json = cJSON_ParseWithLength((const char *)text->data, text->size);

    if (json == NULL)
        abort();
    cJSON_Delete(json);
}

static void check_problem(const struct problem *problem)
{
    struct buffer out = {0};

    if (problem->code == PROBLEM_NONE || problem->code == PROBLEM_INTERNAL)
        abort();
    problem_json(problem, "r_1", &out);
    check_json(&out);
    buffer_finish(&out);
}

static void try_body(struct sample_try *try, const char *accept, const char *body)
{
    const struct answer *answer = sample_try_answer(try, body, accept);

    if (answer == NULL)
        check_problem(&try->problem);
    else if (answer->status != 200 && answer->status != 422) /* found in decoding, on a worker */
        abort();
    else if (strstr(answer->media_type, "json") != NULL)
        check_json(&answer->body);
}

static void try_text(struct sample_try *try, const char *accept, const char *body)
{
    for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
        try->body = BODIES[i];
        try_body(try, accept, body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sample_try try;
    char *text = calloc(1, size + 1), *body;

    if (text == NULL)
        return 0;
    if (try.context.catalog == NULL) {
        sample_try_init(&try);
        try.context.limits.image_n = try.context.limits.point_n = 16;
    }
    if (size > 0)
        memcpy(text, data, size);
    body = strchr(text, '\n');
    if (body != NULL) {
        *body = '\0';
        try_text(&try, text, body + 1);
    } else {
        try_text(&try, NULL, text);
    }
    work_destroy(try.sample);
    try.sample = NULL;
    free(text);
    return 0;
}
