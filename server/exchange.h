/* exchange.h - one HTTP request, from its first line to its answer.
 *
 * Held by the library (until it says completed), by the engine (from submit to collect) and by the
 * disconnect watch (until its handle is closed); the last one frees it. Loop's thread. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "server/guard.h"
#include "server/http.h"
#include "server/request_id.h"
#include "server/routes.h"

enum exchange_stage {
    EXCHANGE_NEW,     /* the target is known, the headers are not */
    EXCHANGE_BODY,    /* the head is good or its refusal is kept for the last call */
    EXCHANGE_READING, /* suspended: a thread of libuv's reads the body */
    EXCHANGE_WAITING, /* suspended: the engine has the request */
    EXCHANGE_READY,   /* resumed, with a sample that has ended or a problem */
    EXCHANGE_ANSWERED
};

struct exchange {
    struct http *http;
    struct connection *connection; /* NULL once the library has completed it */
    struct MHD_Connection *mhd;
    enum exchange_stage stage;
    unsigned holders;
    char id[REQUEST_ID_SIZE];
    char method[16];
    char *raw_target; /* owned; NULL when memory ran out */
    uint64_t began_ns;
    struct request_head head;
    struct buffer accept; /* of several Accept headers: the list that they are */
    size_t route_index;   /* of route, or route_count() */
    const struct route *route;
    struct call call;
    struct problem problem; /* code PROBLEM_NONE: not refused so far */
    char allow[32];         /* for 405 */
    struct buffer body;
    size_t discarded;        /* body bytes beyond the limit */
    struct reading *reading; /* in EXCHANGE_READING; exchange_read.c's */
    struct work *work;       /* owned; submitted */
    uv_poll_t watch;         /* for the client's leaving, while waiting */
    bool is_watching;
    bool is_gone; /* the client, or all that there is to say to it is said */
    int status;   /* answered; 0: not yet */
    size_t answer_bytes;
    struct exchange *next; /* in http->waiting */
};

/* Callbacks for MHD_start_daemon; `http` is the context. */
void *exchange_open(void *http, const char *raw_target, struct MHD_Connection *mhd);
enum MHD_Result exchange_handle(void *http, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **exchange);
void exchange_completed(void *http, struct MHD_Connection *mhd, void **exchange,
                        enum MHD_RequestTerminationCode code);

/* The connection is closed. The library says completed before, except of a request whose query has
 * more parameters than its memory holds. */
void exchange_abandon(struct exchange *exchange);

/* The library is about to answer `status` by itself, to the one request whose head it has and has
 * not called us with: its page comes with two heads, so ours is sent and the socket is shut. Called
 * from the library's log. */
void exchange_complaint(struct http *http, unsigned status);

/* Its head or body is too late: it is told so, and the connection is to be closed. */
void exchange_late(struct exchange *exchange);

/* The daemon stops before this one is done: the problem that says so. */
void exchange_problem_stopped(struct exchange *exchange);

/* One holder less; the last one frees it. */
void exchange_release(struct exchange *exchange);

#endif
