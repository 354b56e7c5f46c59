/* gang.h - the team of threads that does the arithmetic.
 *
 * One owner thread calls gang_run; it works along as worker 0 and returns when every item is done.
 * Each worker begins with a range of items of its own, always the same of as many items, then helps
 * the others; no order is promised: a task's result must depend on its item only, never on the
 * worker, and then bits do not depend on the number of threads. Workers spin for a fraction of a
 * millisecond, then sleep. Every worker and the owner have FTZ and DAZ set (gang_float_mode).
 * Nothing is allocated after gang_create. */
#ifndef GANG_H
#define GANG_H

#include "core/base/error.h"

#include <stddef.h>

struct gang;

/* `item` is 0..count-1, `worker` 0..threads-1: for scratch memory per worker. */
typedef void gang_task(void *context, size_t item, unsigned worker);

#define GANG_THREADS_MAX 256u

/* Starts threads-1 threads (1 <= threads <= GANG_THREADS_MAX), all signals blocked, named
 * "denoised-N", stacks of 1 MiB or more. NULL on failure: INVALID, NO_MEMORY. */
struct gang *gang_create(unsigned threads, struct error *error);

/* Joins the threads. NULL does nothing. Not while gang_run is in progress. */
void gang_destroy(struct gang *gang);

unsigned gang_threads(const struct gang *gang);

/* A gang of one that is always there, for who is at work already, as one of a gang or by itself:
 * any number of threads may run items with it at once, each its own. Not to be destroyed. */
struct gang *gang_alone(void);

/* Runs the task on every item. Inline, without waking anyone, for count 0 or 1 or one thread. */
void gang_run(struct gang *gang, gang_task *task, void *context, size_t count);

/* Sets flush-to-zero and denormals-are-zero in the calling thread. Every thread that touches
 * tensors calls it first: loader, engine, tests. */
void gang_float_mode(void);

#endif
