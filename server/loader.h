/* loader.h - loads the models and starts the engine on a thread of its own, so that the loop
 * answers probes meanwhile.
 *
 * The thread fills catalog, engine and context of the service; the service may be read by others
 * once it has sent `done`, and only if it went well. */
#ifndef LOADER_H
#define LOADER_H

#include "server/service.h"

#include <pthread.h>
#include <uv.h>

struct loader {
    struct service *service;
    void (*doorbell)(void *context); /* for the engine */
    void *doorbell_context;
    uv_async_t *done; /* sent once, as the thread's last act */
    pthread_t thread;
    bool is_running;    /* started and not joined yet */
    atomic_bool ended;  /* the thread has done its work */
    bool is_good;       /* valid once ended */
    struct error error; /* likewise */
};

/* service, doorbell, doorbell_context and done are set. IO. */
MUST_CHECK bool loader_start(struct loader *loader, struct error *error);

/* Waits for the thread. Does nothing when it was not started. */
void loader_join(struct loader *loader);

#endif
