#include "server/exchange_read.h"

#include "server/connection.h"
#include "server/exchange_wait.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Bytes; up to here a body is read within a millisecond or so, on the loop. */
#define READ_AT_ONCE_MAX ((size_t)16 * 1024)

/* The thread's own copies of all that it needs. */
struct reading {
    uv_work_t task;
    struct exchange *exchange; /* the loop's alone; NULL: nobody waits any more */
    struct service *service;   /* the loop's, but for its context */
    const struct body *kind;
    struct buffer body;
    size_t body_bytes; /* in service->body_bytes */
    char id[REQUEST_ID_SIZE];
    char *accept;
    struct work *work; /* the result, or */
    struct problem problem;
};

static void free_reading(struct reading *reading)
{
    buffer_finish(&reading->body);
    free(reading->accept);
    free(reading);
}

static void on_work(uv_work_t *task)
{
    struct reading *reading = task->data;

    reading->work = work_parse(reading->kind, &reading->body, reading->accept, reading->id,
                               &reading->service->context, &reading->problem);
    buffer_finish(&reading->body);
}

/* False, with the problem, where the engine does not take it. */
static bool submit(struct exchange *exchange)
{
    if (!service_submit(exchange->http->service, exchange->work, &exchange->problem)) {
        work_destroy(exchange->work);
        exchange->work = NULL;
        return false;
    }
    exchange_wait(exchange);
    return true;
}

static void on_worked(uv_work_t *task, int status)
{
    struct reading *reading = task->data;
    struct exchange *exchange = reading->exchange;

    (void)status;
    reading->service->body_bytes -= reading->body_bytes;
    if (exchange == NULL) {
        work_destroy(reading->work);
    } else {
        exchange->reading = NULL;
        exchange->work = reading->work;
        exchange->problem = reading->problem;
        if (exchange->work == NULL || !submit(exchange)) {
            exchange_resume(exchange);
            http_turn(exchange->http);
        }
    }
    free_reading(reading);
}

/* NULL when memory ran out. */
static struct reading *create_reading(struct exchange *exchange)
{
    const char *accept = exchange->head.accept;
    struct reading *reading = calloc(1, sizeof *reading);

    if (reading == NULL || (accept != NULL && (reading->accept = strdup(accept)) == NULL)) {
        free(reading);
        return NULL;
    }
    reading->task.data = reading;
    reading->exchange = exchange;
    reading->service = exchange->http->service;
    reading->kind = exchange->route->about.body;
    reading->body = exchange->body;
    reading->body_bytes = exchange->body.size;
    exchange->body = (struct buffer){0};
    memcpy(reading->id, exchange->id, sizeof reading->id);
    return reading;
}

static bool read_elsewhere(struct exchange *exchange)
{
    struct reading *reading = create_reading(exchange);

    if (reading == NULL)
        return problem_set(&exchange->problem, PROBLEM_INTERNAL, "no memory for the request");
    exchange->reading = reading;
    exchange->stage = EXCHANGE_READING;
    exchange_suspend(exchange);
    (void)uv_queue_work(exchange->http->loop, &reading->task, on_work, on_worked);
    return true;
}

bool exchange_read(struct exchange *exchange)
{
    struct service *service = exchange->http->service;

    if (exchange->body.size > READ_AT_ONCE_MAX)
        return read_elsewhere(exchange);
    service->body_bytes -= exchange->body.size;
    exchange->work = work_parse(exchange->route->about.body, &exchange->body, exchange->head.accept,
                                exchange->id, &service->context, &exchange->problem);
    buffer_finish(&exchange->body);
    if (exchange->work == NULL || !submit(exchange))
        return false;
    exchange_suspend(exchange);
    return true;
}

void exchange_forget_reading(struct exchange *exchange)
{
    assert(exchange->stage == EXCHANGE_READING);
    /* If it has not begun, it never will; on_worked is called in any case. */
    (void)uv_cancel((uv_req_t *)&exchange->reading->task);
    exchange->reading->exchange = NULL;
    exchange->reading = NULL;
    exchange->stage = EXCHANGE_READY;
}

void exchange_interrupt_readings(struct http *http)
{
    for (const struct connection *at = http->connections; at != NULL; at = at->next) {
        struct exchange *exchange = at->exchange;

        if (exchange == NULL || exchange->stage != EXCHANGE_READING)
            continue;
        exchange_forget_reading(exchange);
        exchange_problem_stopped(exchange);
        exchange_resume(exchange);
    }
}
