/* http.h - libmicrohttpd inside the libuv loop: the main listener.
 *
 * The library polls nothing itself: it owns an epoll set, whose descriptor and timeout the loop
 * watches. Everything here is called on the loop's thread, and nothing from inside one of the
 * library's callbacks except where it says so. A suspended connection leaves the epoll set, so who
 * resumes one calls http_turn afterwards: a resume alone wakes nobody. */
#ifndef HTTP_H
#define HTTP_H

#include "server/service.h"

#include <microhttpd.h>
#include <uv.h>

struct connection;
struct exchange;

struct http {
    struct service *service;
    uv_loop_t *loop;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_async_t doorbell;
    size_t closed;                           /* connections closed in this turn */
    bool has_complained;                     /* in this turn: the library, in its log */
    struct connection *connections;          /* all that are open */
    struct exchange *waiting, *waiting_last; /* all whose request the engine has, oldest first */
};

/* Starts the library on a listening socket, which stays the caller's. IO. */
MUST_CHECK bool http_start(struct http *http, uv_loop_t *loop, struct service *service,
                           int descriptor, struct error *error);

/* Lets the library work, until it has nothing to do. */
void http_turn(struct http *http);

/* Rings from any thread: the loop then answers what the engine has finished. */
void http_ring(void *http);

/* No new connections; those that are open go on. */
void http_quiesce(struct http *http);

/* True while a request is being read, worked on or answered. */
bool http_is_busy(const struct http *http);

/* The engine has stopped: answers what it gives back, then closes every connection and handle. */
void http_stop(struct http *http);

#endif
