/* mailbox.h - the way of a request out of the engine: what ended and was not yet collected.
 *
 * The engine's thread posts, the submitter collects everything at once. */
#ifndef MAILBOX_H
#define MAILBOX_H

#include "core/engine/engine.h"

#include <pthread.h>

struct mailbox {
    pthread_mutex_t mutex;
    struct request *first, **end;
};

void mailbox_init(struct mailbox *mailbox);
void mailbox_finish(struct mailbox *mailbox);

/* A list linked by `next`, of one or more. */
void mailbox_post(struct mailbox *mailbox, struct request *ended);

struct request *mailbox_collect(struct mailbox *mailbox);

#endif
