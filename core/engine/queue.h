/* queue.h - the way of a request into the engine: what was submitted and not yet taken.
 *
 * Any thread pushes and closes; the engine's thread takes, all at once, and sleeps here when it has
 * nothing else to do. How many may be in it is the engine's to say, not the queue's. */
#ifndef QUEUE_H
#define QUEUE_H

#include "core/engine/engine.h"

#include <pthread.h>

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct request *first, **end;
    atomic_bool pending; /* there is something to take, or the queue was closed */
    bool closed;
};

void queue_init(struct queue *queue);
void queue_finish(struct queue *queue);

void queue_push(struct queue *queue, struct request *request);

/* Wakes the taker; nothing is pushed after it. */
void queue_close(struct queue *queue);

/* All that was pushed since the last call, oldest first, linked by `next`, into `taken` (NULL:
 * nothing). Waits for something if `wait`. False once closed, with the last of it. */
bool queue_take(struct queue *queue, bool wait, struct request **taken);

#endif
