#include "core/engine/mailbox.h"

void mailbox_init(struct mailbox *mailbox)
{
    pthread_mutex_init(&mailbox->mutex, NULL);
    mailbox->first = NULL;
    mailbox->end = &mailbox->first;
}

void mailbox_finish(struct mailbox *mailbox)
{
    pthread_mutex_destroy(&mailbox->mutex);
}

void mailbox_post(struct mailbox *mailbox, struct request *ended)
{
    struct request *last = ended;

    while (last->next != NULL)
        last = last->next;
    pthread_mutex_lock(&mailbox->mutex);
    *mailbox->end = ended;
    mailbox->end = &last->next;
    pthread_mutex_unlock(&mailbox->mutex);
}

struct request *mailbox_collect(struct mailbox *mailbox)
{
    struct request *collected;

    pthread_mutex_lock(&mailbox->mutex);
    collected = mailbox->first;
    mailbox->first = NULL;
    mailbox->end = &mailbox->first;
    pthread_mutex_unlock(&mailbox->mutex);
    return collected;
}
