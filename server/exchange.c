#include "server/exchange.h"

#include "core/base/clock.h"
#include "server/connection.h"
#include "server/exchange_log.h"
#include "server/exchange_read.h"
#include "server/exchange_wait.h"
#include "server/reply.h"
#include "server/target.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define DISCARD_MAX ((size_t)1024 * 1024)

static void drop_body(struct exchange *exchange)
{
    exchange->http->service->body_bytes -= exchange->body.size;
    buffer_finish(&exchange->body);
}

void exchange_release(struct exchange *exchange)
{
    assert(exchange->holders > 0);
    if (--exchange->holders > 0)
        return;
    drop_body(exchange);
    buffer_finish(&exchange->accept);
    if (exchange->work != NULL)
        exchange->http->service->result_bytes -= work_bytes(exchange->work);
    work_destroy(exchange->work);
    free(exchange->raw_target);
    free(exchange);
}

/* Where the library would close the connection without a word. */
static void refuse_past_library(struct exchange *exchange)
{
    struct answer answer = {0};

    metrics_rejected(&exchange->http->service->metrics, exchange->problem.code);
    answer_problem(&answer, &exchange->problem, exchange->id);
    answer_header(&answer, "Cache-Control", "no-store");
    reply_past_library(exchange->connection->descriptor, &answer, exchange->id);
    exchange->status = answer.status;
    exchange->answer_bytes = answer.body.size;
    exchange->is_gone = true;
    answer_finish(&answer);
}

void exchange_late(struct exchange *exchange)
{
    if (exchange->is_gone)
        return;
    if (exchange->problem.code == PROBLEM_NONE)
        (void)problem_set(&exchange->problem, PROBLEM_REQUEST_TIMEOUT,
                          "the request came too slowly");
    refuse_past_library(exchange);
}

/* Of connections whose answers are not on their way, only that which the library works on. */
static bool has_unseen_head(const struct exchange *exchange)
{
    return exchange != NULL && exchange->stage == EXCHANGE_NEW && !exchange->is_gone &&
           MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) != NULL;
}

void exchange_complaint(struct http *http, unsigned status)
{
    for (const struct connection *at = http->connections; at != NULL; at = at->next) {
        struct exchange *exchange = at->exchange;

        if (!has_unseen_head(exchange))
            continue;
        if (status == 413)
            (void)problem_set(&exchange->problem, PROBLEM_BODY_TOO_LARGE,
                              "Content-Length is above all limits");
        else
            (void)problem_set(&exchange->problem, PROBLEM_BAD_REQUEST,
                              "a header field is malformed");
        refuse_past_library(exchange);
        (void)shutdown(at->descriptor, SHUT_WR);
    }
}

void *exchange_open(void *context, const char *raw_target, struct MHD_Connection *mhd)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (exchange == NULL)
        return NULL;
    exchange->http = context;
    exchange->mhd = mhd;
    exchange->connection = connection_of(mhd);
    exchange->holders = 1;
    exchange->began_ns = clock_now_ns();
    exchange->raw_target = raw_target != NULL ? strdup(raw_target) : NULL;
    exchange->route_index = route_count();
    exchange->call.service = exchange->http->service;
    request_id_make(exchange->id);
    if (exchange->connection == NULL)
        return exchange;
    exchange->connection->exchange = exchange;
    if (exchange->connection->phase == CONNECTION_IDLE)
        connection_enter(exchange->connection, CONNECTION_HEAD);
    /* The library has no memory for so many. */
    if (!target_few_parameters(raw_target, TARGET_PARAMETERS_MAX, &exchange->problem))
        refuse_past_library(exchange);
    return exchange;
}

/* --- answering */

static enum MHD_Result send_answer(struct exchange *exchange, struct answer *answer, bool closes)
{
    exchange->stage = EXCHANGE_ANSWERED;
    exchange->status = answer->status;
    exchange->answer_bytes = answer->body.size;
    connection_enter(exchange->connection, CONNECTION_SENDING);
    return reply_send(exchange->mhd, answer, exchange->id,
                      closes || exchange->http->service->is_refusing);
}

static enum MHD_Result send_problem(struct exchange *exchange, bool closes)
{
    struct answer answer = {0};
    enum MHD_Result result;

    metrics_rejected(&exchange->http->service->metrics, exchange->problem.code);
    answer_problem(&answer, &exchange->problem, exchange->id);
    answer_header(&answer, "Cache-Control", "no-store");
    if (exchange->allow[0] != '\0')
        answer_header(&answer, "Allow", "%s", exchange->allow);
    result = send_answer(exchange, &answer, closes);
    answer_finish(&answer);
    return result;
}

/* --- the head */

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    head_add(context, name, name_size, value, value_size);
    return MHD_YES;
}

static enum MHD_Result join_accept(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct buffer *list = context;

    (void)kind;
    if (strcasecmp(name, "Accept") == 0 && value != NULL)
        buffer_printf(list, "%s%s", list->size == 0 ? "" : ",", value);
    return MHD_YES;
}

/* RFC 9110, 5.3: lines of one name are one list. */
static void join_accepts(struct exchange *exchange)
{
    struct buffer *list = &exchange->accept;

    (void)MHD_get_connection_values(exchange->mhd, MHD_HEADER_KIND, join_accept, list);
    buffer_append(list, "", 1);
    if (buffer_ok(list))
        exchange->head.accept = (const char *)list->data;
}

static bool find_route(struct exchange *exchange, const struct target *target)
{
    exchange->route = route_find(exchange->head.method, target->path, exchange->call.parameter,
                                 &exchange->problem, exchange->allow);
    if (exchange->route == NULL)
        return false;
    exchange->route_index = (size_t)(exchange->route - route_at(0));
    return true;
}

/* Limits and state that are known before the body. */
static bool may_begin(struct exchange *exchange)
{
    const struct service *service = exchange->http->service;
    struct problem *problem = &exchange->problem;

    if (exchange->head.declared > exchange->route->body_max)
        return problem_set(problem, PROBLEM_BODY_TOO_LARGE, "the body may have %zu bytes",
                           exchange->route->body_max);
    if (exchange->route->needs_models && !health_loaded(&service->health)) {
        problem->retry_after = 1;
        return problem_set(problem, PROBLEM_LOADING, "the models are being loaded");
    }
    if (exchange->route->about.body == NULL)
        return true;
    if (service->is_refusing) {
        problem->retry_after = 5;
        return problem_set(problem, PROBLEM_DRAINING, "the daemon is stopping");
    }
    if (!health_live(&service->health)) {
        problem->retry_after = 30;
        return problem_set(problem, PROBLEM_WORKER_STALLED,
                           "what is being sampled takes far longer than it should");
    }
    if (service->body_bytes + exchange->head.declared > service->options->body_bytes) {
        problem->retry_after = 1;
        return problem_set(problem, PROBLEM_QUEUE_FULL, "too many request bodies at once");
    }
    return true;
}

static bool check_head(struct exchange *exchange)
{
    const struct text_list *names = &exchange->http->service->options->host_name;
    const struct request_head *head = &exchange->head;
    struct problem *problem = &exchange->problem;
    struct target target;

    return target_read(&target, exchange->raw_target, problem) &&
           guard_host(head, names, problem) && find_route(exchange, &target) &&
           guard_origin(head, problem) &&
           (exchange->route->about.body == NULL || guard_media(head, problem)) &&
           may_begin(exchange) && target_no_query(&target, problem);
}

/* The first call: headers only. A refusal here closes the connection, so when there is no body to
 * be left unread it waits for the last call. */
static enum MHD_Result begin(struct exchange *exchange, const char *method, const char *version)
{
    struct request_head *head = &exchange->head;

    exchange->stage = EXCHANGE_BODY;
    head->method = method;
    head->version = version;
    (void)snprintf(exchange->method, sizeof exchange->method, "%s", method);
    (void)MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, add_header, head);
    if (head->accept_count > 1)
        join_accepts(exchange);
    if (!guard_framing(head, &exchange->problem) || !guard_version(head, &exchange->problem))
        return send_problem(exchange, true);
    if (!check_head(exchange) && head_has_body(head))
        return send_problem(exchange, true);
    connection_enter(exchange->connection, CONNECTION_BODY);
    return MHD_YES;
}

/* --- the body */

/* No room for the bodies of all: this one's is given up, and what still comes of it is read and
 * dropped, so that the answer finds a listener. */
static void give_up_body(struct exchange *exchange)
{
    exchange->http->service->body_bytes -= exchange->body.size;
    exchange->discarded = exchange->body.size;
    buffer_finish(&exchange->body);
    exchange->problem.retry_after = 1;
    (void)problem_set(&exchange->problem, PROBLEM_QUEUE_FULL, "too many request bodies at once");
}

static bool has_room(const struct exchange *exchange, size_t size)
{
    const struct service *service = exchange->http->service;

    return service->body_bytes + size <= service->options->body_bytes;
}

static enum MHD_Result take_body(struct exchange *exchange, const char *bytes, size_t *size)
{
    const size_t limit = exchange->route != NULL ? exchange->route->body_max : 0;
    size_t dropped_max = DISCARD_MAX;

    exchange->connection->body_bytes += *size;
    if (exchange->problem.code == PROBLEM_NONE && exchange->discarded == 0 &&
        !has_room(exchange, *size))
        give_up_body(exchange);
    if (exchange->problem.code == PROBLEM_QUEUE_FULL)
        dropped_max += limit;
    if (exchange->body.size + *size > limit || exchange->discarded > 0 ||
        exchange->problem.code != PROBLEM_NONE) {
        exchange->discarded += *size;
        if (exchange->discarded > dropped_max)
            return MHD_NO;
    } else {
        const size_t before = exchange->body.size;

        buffer_append(&exchange->body, bytes, *size);
        exchange->http->service->body_bytes += exchange->body.size - before;
    }
    *size = 0;
    return MHD_YES;
}

/* --- the last call */

void exchange_problem_stopped(struct exchange *exchange)
{
    exchange->problem.retry_after = 5;
    (void)problem_set(&exchange->problem, PROBLEM_DRAINING,
                      "the daemon stopped before this was done");
}

static enum MHD_Result answer_sample(struct exchange *exchange)
{
    if (exchange->work != NULL && work_request(exchange->work)->error.code == ERROR_CANCELLED)
        exchange_problem_stopped(exchange);
    if (exchange->problem.code != PROBLEM_NONE)
        return send_problem(exchange, exchange->problem.code == PROBLEM_DRAINING);
    return send_answer(exchange, work_answer(exchange->work), false);
}

static enum MHD_Result answer_at_once(struct exchange *exchange)
{
    struct answer answer = {0};
    enum MHD_Result result;

    if (exchange->route->answer(&exchange->call, &answer, &exchange->problem))
        result = send_answer(exchange, &answer, false);
    else
        result = send_problem(exchange, false);
    answer_finish(&answer);
    return result;
}

static enum MHD_Result end(struct exchange *exchange)
{
    if (exchange->problem.code != PROBLEM_NONE)
        return send_problem(exchange, false);
    if (exchange->discarded > 0) {
        (void)problem_set(&exchange->problem, PROBLEM_BODY_TOO_LARGE, "the body may have %zu bytes",
                          exchange->route->body_max);
        return send_problem(exchange, true);
    }
    if (exchange->route->about.body == NULL)
        return answer_at_once(exchange);
    return exchange_read(exchange) ? MHD_YES : send_problem(exchange, false);
}

enum MHD_Result exchange_handle(void *http, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **context)
{
    struct exchange *exchange = *context;

    (void)http;
    (void)mhd;
    (void)url;
    if (exchange == NULL || exchange->connection == NULL || exchange->is_gone)
        return MHD_NO;
    if (exchange->stage == EXCHANGE_NEW)
        return begin(exchange, method, version);
    if (*upload_size > 0)
        return take_body(exchange, upload, upload_size);
    if (exchange->stage == EXCHANGE_READY)
        return answer_sample(exchange);
    return exchange->stage == EXCHANGE_BODY ? end(exchange) : MHD_YES;
}

static void complete(struct exchange *exchange, bool is_good)
{
    if (exchange->connection != NULL) {
        exchange->connection->exchange = NULL;
        connection_enter(exchange->connection, CONNECTION_IDLE);
    }
    exchange->connection = NULL;
    exchange->mhd = NULL;
    exchange_unwatch(exchange);
    if (exchange->stage == EXCHANGE_READING)
        exchange_forget_reading(exchange);
    if (exchange->stage == EXCHANGE_WAITING)
        atomic_store(&work_request(exchange->work)->cancelled, true);
    exchange_log(exchange, is_good);
    exchange_release(exchange);
}

void exchange_completed(void *http, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *context;

    (void)http;
    (void)mhd;
    *context = NULL;
    if (exchange != NULL)
        complete(exchange, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

void exchange_abandon(struct exchange *exchange)
{
    complete(exchange, false);
}
