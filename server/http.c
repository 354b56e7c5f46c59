#include "server/http.h"

#include "server/connection.h"
#include "server/exchange.h"
#include "server/exchange_read.h"
#include "server/exchange_wait.h"
#include "server/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SILENCE_SECONDS 30u

static void on_library_log(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void on_library_log(void *context, const char *format, va_list arguments)
{
    struct http *http = context;
    unsigned status;
    char text[256];

    http->has_complained = true;
    (void)vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    if (sscanf(text, "Error processing request (HTTP response code is %u", &status) == 1)
        exchange_complaint(http, status);
    /* What it says when a handler answers MHD_NO, which is how we let a client go. */
    if (strstr(text, "Application reported internal error") == NULL)
        log_event("info", "http", "text", text);
}

static void run(struct http *http)
{
    do {
        http->closed = 0;
        (void)MHD_run(http->daemon);
    } while (http->closed > 0);
}

/* A connection that the library gives up with a complaint is closed at its next run only. Once: it
 * may complain at every run, of too many open files for one. */
void http_turn(struct http *http)
{
    http->has_complained = false;
    run(http);
    if (http->has_complained)
        run(http);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    http_turn(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
    http_turn(timer->data);
}

/* Before each block of the loop: the library's timeout is a duty, not a hint. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct http *http = prepare->data;
    MHD_UNSIGNED_LONG_LONG ms;

    health_beat(&http->service->health);
    if (MHD_get_timeout(http->daemon, &ms) == MHD_YES)
        (void)uv_timer_start(&http->timer, on_timer, ms, 0);
    else
        (void)uv_timer_stop(&http->timer);
}

static void on_doorbell(uv_async_t *doorbell)
{
    struct http *http = doorbell->data;

    if (!health_loaded(&http->service->health))
        return;
    exchange_collect(http);
    http_turn(http);
}

void http_ring(void *context)
{
    struct http *http = context;

    (void)uv_async_send(&http->doorbell);
}

static struct MHD_Daemon *start_daemon(struct http *http, int descriptor)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, connection_admit, http,
        exchange_handle, http, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, http,
        MHD_OPTION_LISTEN_SOCKET, descriptor, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)http->service->options->connections, MHD_OPTION_CONNECTION_TIMEOUT,
        SILENCE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_open, http, MHD_OPTION_NOTIFY_CONNECTION,
        connection_notify, http, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, http,
        MHD_OPTION_END);
}

bool http_start(struct http *http, uv_loop_t *loop, struct service *service, int descriptor,
                struct error *error)
{
    *http = (struct http){.service = service, .loop = loop};
    http->daemon = start_daemon(http, descriptor);
    if (http->daemon == NULL)
        return error_set(error, ERROR_IO, "libmicrohttpd could not be started");
    (void)uv_async_init(loop, &http->doorbell, on_doorbell);
    (void)uv_timer_init(loop, &http->timer);
    (void)uv_prepare_init(loop, &http->prepare);
    (void)uv_poll_init(loop, &http->poll,
                       MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    http->doorbell.data = http->timer.data = http->prepare.data = http->poll.data = http;
    (void)uv_prepare_start(&http->prepare, on_prepare);
    (void)uv_poll_start(&http->poll, UV_READABLE, on_poll);
    return true;
}

void http_quiesce(struct http *http)
{
    (void)MHD_quiesce_daemon(http->daemon);
    http_turn(http);
}

bool http_is_busy(const struct http *http)
{
    for (const struct connection *at = http->connections; at != NULL; at = at->next)
        if (at->phase != CONNECTION_IDLE && at->phase != CONNECTION_HEAD)
            return true;
    return false;
}

void http_stop(struct http *http)
{
    /* Stopping the library with a connection suspended would abort the process. */
    if (health_loaded(&http->service->health))
        exchange_collect(http);
    assert(http->waiting == NULL);
    exchange_interrupt_readings(http);
    http_turn(http);
    (void)uv_poll_stop(&http->poll);
    (void)uv_prepare_stop(&http->prepare);
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
    uv_close((uv_handle_t *)&http->poll, NULL);
    uv_close((uv_handle_t *)&http->prepare, NULL);
    uv_close((uv_handle_t *)&http->timer, NULL);
    uv_close((uv_handle_t *)&http->doorbell, NULL);
}
