/* Rows by a daemon: each run is a POST /sample, answered as JSON. */
#include "server/selftest.h"

#include "proto/json_write.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_AT_ONCE   10000 /* of one request */
#define DETAIL_SIZE    300
#define PATH_SIZE      256
#define PATIENCE_FIRST 10 /* seconds, for the first answer: whether it is a daemon */
#define STATUS_GOOD    200
#define STATUS_UNKNOWN 404

/* --- the question --- */

static void option_json(struct buffer *out, const struct option_values *values,
                        enum sampler_option option)
{
    const struct option_description *description = option_describe(option);
    const double value = values->value[option];

    json_key(out, description->name);
    if (description->type == OPTION_LIST) {
        json_open(out, '[');
        for (size_t i = 0; i < (size_t)value; i++)
            json_integer(out, values->list[option][i]);
        json_close(out, ']');
    } else if (description->type == OPTION_CHOICE) {
        json_string(out, description->choices[(size_t)value]);
    } else if (description->type == OPTION_BOOL) {
        json_bool(out, value != 0.0);
    } else {
        json_number(out, value);
    }
}

/* Rows first..first + n - 1. */
struct part {
    size_t first, n;
};

static void starts_json(struct buffer *out, const struct selftest_run *run, struct part part)
{
    const size_t dim = selftest_dim(run);

    json_key(out, "x_T");
    json_open(out, '[');
    for (size_t i = part.first; i < part.first + part.n; i++) {
        json_open(out, '[');
        for (size_t j = 0; j < dim; j++)
            json_float(out, run->x_T[i * dim + j]);
        json_close(out, ']');
    }
    json_close(out, ']');
}

static void named_integer(struct buffer *out, const char *key, int64_t value)
{
    json_key(out, key);
    json_integer(out, value);
}

static void named_string(struct buffer *out, const char *key, const char *value)
{
    json_key(out, key);
    json_string(out, value);
}

static void label_json(struct buffer *out, const struct selftest_run *run)
{
    named_integer(out, "class", run->label);
    json_key(out, "guidance");
    json_number(out, (double)run->guidance);
}

static bool question(struct buffer *out, const struct selftest_run *run, struct part part,
                     struct error *error)
{
    struct selftest_options options = {.list = {0}};
    const uint32_t seed = run->seed + (uint32_t)part.first;

    if (!selftest_read_options(&options, run->options, error))
        return false;
    json_open(out, '{');
    named_string(out, "model", run->model);
    named_string(out, "sampler", run->sampler);
    named_string(out, "format", "json");
    named_string(out, "encoding", "array");
    named_integer(out, "n", (int64_t)part.n);
    if (run->steps > 0)
        named_integer(out, "steps", (int64_t)run->steps);
    if (!run->is_certain)
        named_integer(out, "seed", seed);
    if (run->has_label)
        label_json(out, run);
    if (run->x_T != NULL)
        starts_json(out, run, part);
    if (run->frames != NULL)
        named_integer(out, "trajectory", 1);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (options.values.given[i])
            option_json(out, &options.values, (enum sampler_option)i);
    json_close(out, '}');
    return buffer_ok(out) || error_set(error, ERROR_NO_MEMORY, "no memory for a request");
}

/* --- the answer --- */

static bool misread(struct error *error)
{
    return error_set(error, ERROR_IO, "the daemon's answer is not what was asked for");
}

/* n lists of dim numbers each; one starts every `stride` floats. */
static bool read_points(const cJSON *list, size_t n, size_t dim, float *x, size_t stride)
{
    const cJSON *point, *number;

    if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != n)
        return false;
    cJSON_ArrayForEach(point, list)
    {
        float *at = x;

        if (!cJSON_IsArray(point) || (size_t)cJSON_GetArraySize(point) != dim)
            return false;
        cJSON_ArrayForEach(number, point) *at++ = (float)cJSON_GetNumberValue(number);
        x += stride;
    }
    return true;
}

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* [row][frame][2][dim], as the engine records it. */
static bool read_frames(const cJSON *answer, const struct selftest_run *run, struct part part)
{
    const cJSON *trajectory = member(answer, "trajectory"), *frame;
    const size_t dim = selftest_dim(run), count = (size_t)cJSON_GetArraySize(trajectory);
    const size_t stride = count * 2 * dim;
    float *at = run->frames + part.first * stride;

    if (count != run->steps + 1)
        return false;
    cJSON_ArrayForEach(frame, trajectory)
    {
        if (!read_points(member(frame, "x_t"), part.n, dim, at, stride) ||
            !read_points(member(frame, "x_0"), part.n, dim, at + dim, stride))
            return false;
        at += 2 * dim;
    }
    return true;
}

static void read_nfe(const cJSON *list, struct part part, uint32_t *nfe)
{
    const cJSON *number = cJSON_IsArray(list) ? list->child : NULL;

    for (size_t i = part.first; i < part.first + part.n; i++) {
        const double value = number != NULL ? number->valuedouble : 0.0;

        nfe[i] = value >= 0.0 && value <= UINT32_MAX ? (uint32_t)value : 0;
        number = number != NULL ? number->next : NULL;
    }
}

/* What a problem says of itself: its first fault, or the whole. */
static bool refused(int status, const char *text, size_t size, struct error *error)
{
    cJSON *problem = cJSON_ParseWithLength(text, size);
    const cJSON *faults = member(problem, "errors");
    const cJSON *worst = cJSON_IsArray(faults) && faults->child != NULL ? faults->child : problem;
    const char *detail = cJSON_GetStringValue(member(worst, "detail"));

    error_write(error, status == STATUS_UNKNOWN ? ERROR_NOT_FOUND : ERROR_INVALID,
                "status %d: %.*s", status, DETAIL_SIZE, detail != NULL ? detail : text);
    cJSON_Delete(problem);
    return false;
}

struct cJSON *selftest_read_answer(int status, const char *text, size_t size, struct error *error)
{
    cJSON *parsed = NULL;

    if (status != STATUS_GOOD)
        (void)refused(status, text, size, error);
    else if ((parsed = cJSON_ParseWithLength(text, size)) == NULL)
        (void)misread(error);
    return parsed;
}

/* The body of a good answer, parsed; NULL: error. */
static cJSON *ask(const struct selftest *selftest, const char *path, const struct buffer *body,
                  struct error *error)
{
    struct http_answer answer;
    cJSON *parsed;

    if (!http_client_ask(&selftest->client, path, body, &answer, error))
        return NULL;
    parsed = selftest_read_answer(answer.status, answer.body, answer.size, error);
    free(answer.body);
    return parsed;
}

struct cJSON *selftest_remote_post(struct selftest *selftest, const char *path,
                                   const struct buffer *body, struct error *error)
{
    return ask(selftest, path, body, error);
}

bool selftest_connect(struct selftest *selftest, const char *url, struct error *error)
{
    struct http_client *client = &selftest->client;
    cJSON *version;
    bool good;

    selftest->is_remote = true;
    if (!http_client_init(client, url, error))
        return false;
    client->patience = PATIENCE_FIRST;
    version = ask(selftest, "/version", NULL, error);
    client->patience = HTTP_CLIENT_PATIENCE;
    if (version == NULL)
        return false;
    good = cJSON_IsString(member(version, "version"));
    cJSON_Delete(version);
    return good || error_set(error, ERROR_IO, "%s port %s: this is no denoised", client->host,
                             client->port);
}

struct cJSON *selftest_remote_schedule(struct selftest *selftest, const char *model,
                                       struct error *error)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "/models/%s/schedule", model);
    return ask(selftest, path, NULL, error);
}

/* --- one request after the other --- */

static bool sample_part(struct selftest *selftest, const struct selftest_run *run, struct part part,
                        float *x, struct error *error)
{
    const size_t dim = selftest_dim(run);
    struct buffer body = {.size = 0};
    cJSON *answer = NULL;
    bool good;

    if (question(&body, run, part, error))
        answer = ask(selftest, "/sample", &body, error);
    buffer_finish(&body);
    if (answer == NULL)
        return false;
    good = read_points(member(answer, "points"), part.n, dim, x + part.first * dim, dim) &&
           (run->frames == NULL || read_frames(answer, run, part));
    if (run->nfe != NULL)
        read_nfe(member(answer, "nfe"), part, run->nfe);
    cJSON_Delete(answer);
    return good || misread(error);
}

bool selftest_remote_sample(struct selftest *selftest, const struct selftest_run *run, size_t n,
                            float *x, struct error *error)
{
    struct part part = {.first = 0};

    for (; part.first < n; part.first += part.n) {
        part.n = n - part.first < ROWS_AT_ONCE ? n - part.first : ROWS_AT_ONCE;
        if (!sample_part(selftest, run, part, x, error))
            return false;
    }
    return true;
}
