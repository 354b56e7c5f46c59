#include "core/engine/queue.h"

void queue_init(struct queue *queue)
{
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->changed, NULL);
    queue->first = NULL;
    queue->end = &queue->first;
    atomic_init(&queue->pending, false);
    queue->closed = false;
}

void queue_finish(struct queue *queue)
{
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
}

/* With the mutex held. */
static void queue_wake(struct queue *queue)
{
    atomic_store_explicit(&queue->pending, true, memory_order_release);
    pthread_cond_signal(&queue->changed);
}

void queue_push(struct queue *queue, struct request *request)
{
    request->next = NULL;
    pthread_mutex_lock(&queue->mutex);
    *queue->end = request;
    queue->end = &request->next;
    queue_wake(queue);
    pthread_mutex_unlock(&queue->mutex);
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    queue_wake(queue);
    pthread_mutex_unlock(&queue->mutex);
}

bool queue_take(struct queue *queue, bool wait, struct request **taken)
{
    bool closed;

    *taken = NULL;
    /* Between two ticks: no lock as long as nobody came. */
    if (!wait && !atomic_load_explicit(&queue->pending, memory_order_acquire))
        return true;
    pthread_mutex_lock(&queue->mutex);
    while (wait && queue->first == NULL && !queue->closed)
        pthread_cond_wait(&queue->changed, &queue->mutex);
    *taken = queue->first;
    queue->first = NULL;
    queue->end = &queue->first;
    atomic_store_explicit(&queue->pending, false, memory_order_relaxed);
    closed = queue->closed;
    pthread_mutex_unlock(&queue->mutex);
    return !closed;
}
