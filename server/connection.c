#include "server/connection.h"

#include "core/base/clock.h"
#include "server/exchange.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define RATE_GRACE_MS      5000u
#define CHECK_MS           1000u
#define RATE_BYTES_PER_SEC 1024u
#define BODY_MS            30000u
#define HEAD_MS            10000u

/* Until the first look; 0: no deadline. */
static const uint64_t DEADLINE_MS[] = {
    [CONNECTION_IDLE] = 30000, [CONNECTION_HEAD] = CHECK_MS, [CONNECTION_BODY] = CHECK_MS,
    [CONNECTION_WORKING] = 0,  [CONNECTION_SENDING] = 60000,
};

static uint64_t phase_ms(const struct connection *connection)
{
    return (clock_now_ns() - connection->phase_began_ns) / 1000000u;
}

/* The library reads that a client has left in mid-head or mid-body, and goes on waiting for the
 * rest. */
static bool has_left(const struct connection *connection)
{
    char byte;

    return recv(connection->descriptor, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool body_is_slow(const struct connection *connection, uint64_t ms)
{
    return ms >= RATE_GRACE_MS &&
           connection->body_bytes * 1000u < (ms - RATE_GRACE_MS + CHECK_MS) * RATE_BYTES_PER_SEC;
}

/* A body is late when its time is over, or when it comes too slowly. */
static bool body_is_late(const struct connection *connection)
{
    const uint64_t ms = phase_ms(connection);

    return ms >= BODY_MS || body_is_slow(connection, ms) || has_left(connection);
}

static bool head_is_late(const struct connection *connection)
{
    return phase_ms(connection) >= HEAD_MS || has_left(connection);
}

static bool is_late(const struct connection *connection)
{
    if (connection->phase == CONNECTION_BODY)
        return body_is_late(connection);
    return connection->phase != CONNECTION_HEAD || head_is_late(connection);
}

static bool is_reading(const struct connection *connection)
{
    return connection->phase == CONNECTION_HEAD || connection->phase == CONNECTION_BODY;
}

static void on_deadline(uv_timer_t *timer)
{
    struct connection *connection = timer->data;

    if (!is_late(connection)) {
        (void)uv_timer_start(timer, on_deadline, CHECK_MS, 0);
        return;
    }
    if (connection->exchange != NULL && is_reading(connection) && !has_left(connection))
        exchange_late(connection->exchange);
    (void)shutdown(connection->descriptor, SHUT_RDWR);
}

void connection_enter(struct connection *connection, enum connection_phase phase)
{
    connection->phase = phase;
    connection->phase_began_ns = clock_now_ns();
    connection->body_bytes = 0;
    if (DEADLINE_MS[phase] == 0) {
        (void)uv_timer_stop(&connection->timer);
        return;
    }
    uv_update_time(connection->http->loop);
    (void)uv_timer_start(&connection->timer, on_deadline, DEADLINE_MS[phase], 0);
}

struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* A peer that has vanished without a word is noticed in half a minute. */
static void watch_peer(int descriptor)
{
    const int on = 1, idle_seconds = 10, interval_seconds = 5;
    const unsigned timeout_ms = 20000;

    (void)setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds,
                     sizeof interval_seconds);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static void open_connection(struct http *http, struct MHD_Connection *mhd, void **socket_context)
{
    struct connection *connection = calloc(1, sizeof *connection);
    socklen_t size = sizeof connection->address;

    *socket_context = connection;
    if (connection == NULL)
        return;
    connection->http = http;
    connection->descriptor =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    (void)getpeername(connection->descriptor, (struct sockaddr *)&connection->address, &size);
    if (connection->address.ss_family != AF_UNIX)
        watch_peer(connection->descriptor);
    (void)uv_timer_init(http->loop, &connection->timer);
    connection->timer.data = connection;
    connection->next = http->connections;
    if (http->connections != NULL)
        http->connections->previous = connection;
    http->connections = connection;
    connection_enter(connection, CONNECTION_HEAD);
}

static void free_connection(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_connection(struct connection *connection)
{
    struct http *http = connection->http;

    if (connection->exchange != NULL)
        exchange_abandon(connection->exchange);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        http->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    uv_close((uv_handle_t *)&connection->timer, free_connection);
}

void connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        (void)atomic_fetch_add(&http->service->metrics.connections, 1);
        open_connection(http, mhd, socket_context);
        return;
    }
    (void)atomic_fetch_sub(&http->service->metrics.connections, 1);
    http->closed++;
    if (*socket_context != NULL)
        close_connection(*socket_context);
    *socket_context = NULL;
}

/* The bytes of an address that say who it is; NULL for those that are never limited. */
static const void *who(const struct sockaddr *address, size_t *size)
{
    if (address->sa_family == AF_INET) {
        const struct in_addr *v4 = &((const struct sockaddr_in *)(const void *)address)->sin_addr;

        *size = sizeof *v4;
        return (ntohl(v4->s_addr) >> 24) == 127 ? NULL : v4;
    }
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *v6 =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

        *size = sizeof *v6;
        if (IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127))
            return NULL;
        return v6;
    }
    return NULL;
}

enum MHD_Result connection_admit(void *context, const struct sockaddr *address, socklen_t size)
{
    const struct http *http = context;
    const size_t limit = http->service->options->connections_per_ip;
    size_t bytes = 0, other_bytes = 0, count = 0;
    const void *client = limit > 0 ? who(address, &bytes) : NULL;

    (void)size;
    if (client == NULL)
        return MHD_YES;
    for (const struct connection *at = http->connections; at != NULL; at = at->next) {
        const void *other = who((const struct sockaddr *)&at->address, &other_bytes);

        count += other != NULL && other_bytes == bytes && memcmp(client, other, bytes) == 0;
    }
    return count < limit ? MHD_YES : MHD_NO;
}
