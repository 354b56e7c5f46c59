#include "server/exchange_wait.h"

#include "server/connection.h"
#include "server/exchange_read.h"

#include <assert.h>

static void append(struct http *http, struct exchange *exchange)
{
    exchange->next = NULL;
    if (http->waiting == NULL)
        http->waiting = exchange;
    else
        http->waiting_last->next = exchange;
    http->waiting_last = exchange;
}

/* Requests end about in the order they came, so the one looked for stands near the list's start;
 * the list holds at most --max-queue-requests. */
static struct exchange *take(struct http *http, const struct work *work)
{
    struct exchange *before = NULL, *at = http->waiting;

    assert(at != NULL);
    while (at->work != work) {
        before = at;
        at = at->next;
        assert(at != NULL);
    }
    if (before == NULL)
        http->waiting = at->next;
    else
        before->next = at->next;
    if (http->waiting_last == at)
        http->waiting_last = before;
    return at;
}

static void on_watch_closed(uv_handle_t *handle)
{
    exchange_release(handle->data);
}

void exchange_unwatch(struct exchange *exchange)
{
    if (!exchange->is_watching)
        return;
    exchange->is_watching = false;
    (void)uv_poll_stop(&exchange->watch);
    uv_close((uv_handle_t *)&exchange->watch, on_watch_closed);
}

static void on_gone(uv_poll_t *watch, int status, int events)
{
    struct exchange *exchange = watch->data;
    struct http *http = exchange->http;

    if (status == 0 && (events & UV_DISCONNECT) == 0)
        return;
    exchange->is_gone = true;
    if (exchange->stage == EXCHANGE_WAITING)
        atomic_store(&work_request(exchange->work)->cancelled, true);
    if (exchange->stage == EXCHANGE_READING)
        exchange_forget_reading(exchange);
    exchange_unwatch(exchange);
    MHD_resume_connection(exchange->mhd);
    http_turn(http);
}

static void watch(struct exchange *exchange)
{
    struct http *http = exchange->http;

    if (!http->service->options->abort_on_disconnect ||
        uv_poll_init(http->loop, &exchange->watch, exchange->connection->descriptor) != 0)
        return;
    exchange->watch.data = exchange;
    exchange->is_watching = true;
    exchange->holders++;
    if (uv_poll_start(&exchange->watch, UV_DISCONNECT, on_gone) != 0)
        exchange_unwatch(exchange);
}

void exchange_suspend(struct exchange *exchange)
{
    connection_enter(exchange->connection, CONNECTION_WORKING);
    MHD_suspend_connection(exchange->mhd);
    watch(exchange);
}

void exchange_wait(struct exchange *exchange)
{
    exchange->stage = EXCHANGE_WAITING;
    exchange->holders++;
    append(exchange->http, exchange);
}

void exchange_resume(struct exchange *exchange)
{
    exchange->stage = EXCHANGE_READY;
    exchange_unwatch(exchange);
    MHD_resume_connection(exchange->mhd);
}

static void collected(struct exchange *exchange)
{
    const struct request *request = work_request(exchange->work);

    if (exchange->connection != NULL && !exchange->is_gone)
        exchange_resume(exchange);
    if (request->error.code == ERROR_NONE)
        metrics_encode(&exchange->http->service->metrics, work_answer(exchange->work)->media_type,
                       request->finished_ns - request->sampled_ns);
    exchange_release(exchange);
}

void exchange_collect(struct http *http)
{
    struct request *request = engine_collect(http->service->engine);

    while (request != NULL) {
        struct request *next = request->next;

        collected(take(http, work_of(request)));
        request = next;
    }
}
