#include "tests/support/sample_try.h"

#include "core/image/png.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sample_try_init(struct sample_try *try)
{
    memset(try, 0, sizeof *try);
    png_start();
    fake_catalog_init(&try->fake);
    try->body = &body_sample;
    try->context = (struct work_context){
        .catalog = &try->fake.catalog,
        .limits = {.image_n = 64, .point_n = 10000, .seconds = 600, .bytes = 1000000000},
        .contract = "portable-test",
        .backend = "portable"};
}

void sample_try_finish(struct sample_try *try)
{
    work_destroy(try->sample);
    fake_catalog_finish(&try->fake);
}

struct work *sample_try_parse(struct sample_try *try, const char *body, const char *accept)
{
    struct buffer text = {0};

    buffer_text(&text, body);
    assert(buffer_ok(&text));
    work_destroy(try->sample);
    try->problem = (struct problem){0};
    try->sample = work_parse(try->body, &text, accept, "r_test", &try->context, &try->problem);
    assert((try->sample != NULL) == (try->problem.code == PROBLEM_NONE));
    buffer_finish(&text);
    return try->sample;
}

const char *sample_try_fault(const struct sample_try *try, const char *pointer)
{
    for (size_t i = 0; i < try->problem.fault_count && i < PROBLEM_FAULTS_MAX; i++)
        if (strcmp(try->problem.faults[i].pointer, pointer) == 0)
            return try->problem.faults[i].detail;
    return NULL;
}

struct answer *sample_try_answer(struct sample_try *try, const char *body, const char *accept)
{
    struct work *sample = sample_try_parse(try, body, accept);
    struct request *request;

    if (sample == NULL)
        return NULL;
    request = work_request(sample);
    for (size_t i = 0; i < request->n * request->plan->dim; i++)
        request->x[i] = (float)((double)(i * 2654435761u % 4001u) / 1900.0 - 1.05);
    for (size_t i = 0; i < request->n * request->plan->figure_count; i++)
        request->figures[i] = (double)(i * 2654435761u % 4001u) / 1900.0 - 1.05;
    for (size_t i = 0; i < 2 * request->trajectory.frames * request->n * request->plan->dim; i++)
        request->trajectory.values[i] = (float)((double)(i * 40503u % 1001u) / 500.0 - 1.0);
    for (size_t i = 0; i < request->trajectory.frames; i++)
        request->trajectory.frame[i] =
            (struct trajectory_frame){.time = 90.5 - (double)i, .scale = 0.5};
    request->submitted_ns = 1000000;
    request->started_ns = 2500000;
    request->sampled_ns = 12500000;
    request->steps = 4;
    request->places = 10;
    if (request->prepare != NULL)
        request->prepare(request);
    if (request->error.code == ERROR_NONE)
        request->finish(request);
    request->finished_ns = 12750000;
    return work_answer(sample);
}
