/* admin.h - the second listener: probes and /metrics on a thread and a connection pool of their
 * own, so that they answer when the main port is full or the loop is busy. Reads atomics only.
 *
 * Started and stopped by the main thread; it stops last. */
#ifndef ADMIN_H
#define ADMIN_H

#include "server/listen.h"
#include "server/service.h"

struct MHD_Daemon;

struct admin {
    const struct service *service;
    struct listener listener;
    struct MHD_Daemon *daemon; /* NULL: there is no second listener */
};

/* `listener` is taken over. IO. */
MUST_CHECK bool admin_start(struct admin *admin, const struct service *service,
                            const struct listener *listener, struct error *error);

/* Does nothing when it was not started. */
void admin_stop(struct admin *admin);

#endif
