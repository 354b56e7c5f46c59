/* drain.h - how the daemon comes to a stop when it is asked to.
 *
 * SIGTERM: not ready at once, still accepting for --drain-delay (an orchestrator needs that long
 * to send its traffic elsewhere), then no new work until what is in flight has ended or
 * --drain-timeout is over. SIGINT: the same without the delay. A second signal: now. Loop's
 * thread. */
#ifndef DRAIN_H
#define DRAIN_H

#include "server/http.h"
#include "server/listen.h"
#include "server/notify.h"

struct drain {
    struct http *http;
    struct service *service;
    struct listener *listener;
    const struct notify *notify;
    void (*stop)(void *context, bool at_once); /* called once, at the end */
    void *stop_context;
    bool (*is_busy)(void *context); /* is there something beside HTTP to wait for? */
    uv_signal_t terminate, interrupt;
    uv_timer_t timer;
    uint64_t deadline_ns; /* of the work in flight; 0: still accepting */
    bool is_stopped;
};

/* http, service, listener, notify and the callbacks are set. */
void drain_start(struct drain *drain, uv_loop_t *loop);

/* Closes the handles; the loop must run on until they are closed. */
void drain_finish(struct drain *drain);

#endif
