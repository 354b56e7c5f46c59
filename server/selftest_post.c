/* Questions in the words of the wire: to a daemon, or to the own engine by way of the tables that a
 * daemon reads them with. */
#include "server/selftest.h"

#include "proto/json_write.h"
#include "proto/work.h"
#include "server/routes.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <math.h>

#define ID       "selftest"
#define ROWS_MAX 1000000 /* of one request */

static const struct body *body_of(const char *path)
{
    char parameter[ROUTE_PARAMETER_MAX + 1], allow[32];
    struct problem problem = {0};
    const struct route *route = route_find("POST", path, parameter, &problem, allow);

    assert(route != NULL && route->about.body != NULL);
    return route->about.body;
}

static struct cJSON *run(struct selftest *selftest, struct work *work, struct error *error)
{
    const struct answer *answer;

    if (!selftest_engine_run(selftest, work_request(work), error))
        return NULL;
    answer = work_answer(work);
    return selftest_read_answer(answer->status, (const char *)answer->body.data, answer->body.size,
                                error);
}

static struct cJSON *refuse(const struct problem *problem, struct error *error)
{
    struct answer answer = {0};
    struct cJSON *parsed;

    answer_problem(&answer, problem, ID);
    parsed = selftest_read_answer(answer.status, (const char *)answer.body.data, answer.body.size,
                                  error);
    answer_finish(&answer);
    return parsed;
}

static struct cJSON *own_post(struct selftest *selftest, const char *path, struct buffer *body,
                              struct error *error)
{
    const struct work_context context = {.catalog = &selftest->catalog,
                                         .engine = selftest->engine,
                                         .limits = {.image_n = ROWS_MAX,
                                                    .point_n = ROWS_MAX,
                                                    .seconds = (double)INFINITY,
                                                    .bytes = UINT64_MAX},
                                         .contract = "",
                                         .backend = ""};
    struct problem problem = {0};
    struct work *work = work_parse(body_of(path), body, NULL, ID, &context, &problem);
    struct cJSON *parsed = work != NULL ? run(selftest, work, error) : refuse(&problem, error);

    work_destroy(work);
    return parsed;
}

void selftest_points_json(struct buffer *out, const char *key, const float *x, size_t n)
{
    json_key(out, key);
    json_open(out, '[');
    for (size_t i = 0; i < n; i++) {
        json_open(out, '[');
        json_float(out, x[2 * i]);
        json_float(out, x[2 * i + 1]);
        json_close(out, ']');
    }
    json_close(out, ']');
}

const struct cJSON *selftest_list(const struct cJSON *object, const char *key, size_t count,
                                  struct error *error)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, key);

    if (cJSON_IsArray(found) && (size_t)cJSON_GetArraySize(found) == count)
        return found;
    error_write(error, ERROR_IO, "the answer has no %s of %zu", key, count);
    return NULL;
}

struct cJSON *selftest_post(struct selftest *selftest, const char *path, struct buffer *body,
                            struct error *error)
{
    return selftest->is_remote ? selftest_remote_post(selftest, path, body, error)
                               : own_post(selftest, path, body, error);
}
