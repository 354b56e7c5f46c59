/* batch.h - the rows of one model that are in flight, and the requests that they belong to.
 *
 * Slots are taken from the engine's arena once; a row that starts fills one, and leaves it for the
 * next. One that was never used has not been written to, and so takes no memory yet. The engine's
 * thread owns all of it, except places_left, which the submitter adds to. */
#ifndef BATCH_H
#define BATCH_H

#include "core/base/arena.h"
#include "core/engine/cost.h"
#include "core/engine/counters.h"

struct slot {
    struct request *request;
    size_t index;         /* of the row in its request */
    float *output;        /* output_dim; a guided row's second answer follows it */
    size_t place;         /* index of the first of its places */
    size_t place_count;   /* 1, or 2 for a guided row: its label, then the null label */
    enum advance outcome; /* of its last step; ADVANCE_EVALUATE: in flight */
    size_t evaluations;   /* answered so far, whatever the sampler counts */
    size_t whole_steps;   /* made so far */
    bool is_between;      /* the step in progress has had an evaluation */
    struct row row;
};

struct batch {
    const struct model *model;
    struct slot *slots;
    size_t slot_count;
    struct slot **running, **idle; /* idle: NULL for a slot that has not been used yet */
    float *floats, *states;        /* what slots are laid out in when they are first used */
    size_t running_count, idle_count;
    struct place *places; /* of the running rows, in their order */
    size_t place_count;
    size_t horizon;    /* steps until a running row may be done; 0: it is not known */
    bool moved;        /* rows joined or left: `places` must be laid out again */
    atomic_bool ended; /* some running row is done or has failed */

    struct request *requests, **requests_end; /* taken and not ended, linked by `next` */
    struct request *waiting, **waiting_end;   /* those with rows to start; the first is next */
    size_t waiting_count;
    size_t large_running; /* rows in flight of requests with more rows than there are slots */

    atomic_ullong places_left; /* of everything accepted: the backlog */
    struct cost cost;
    struct model_counters counters;
};

/* Hands out pieces of an arena, or only adds up what they need when there is none. */
struct room {
    struct arena *arena;
    size_t bytes;
};
void *room_take(struct room *room, size_t count, size_t size);

/* Called twice, first with a room without an arena. */
void batch_init(struct batch *batch, const struct model *model, size_t slot_count,
                struct room *room);

/* Places that a row of the request takes in a step. */
size_t batch_row_places(const struct request *request, size_t row);

/* Takes a request in: its rows wait. */
void batch_add(struct batch *batch, struct request *request);

/* Fills free slots with waiting rows, one request after the other, a row each: a small request does
 * not wait for a large one. Returns how many started: the last ones of `running`. */
size_t batch_join(struct batch *batch, struct counters *counters);

/* Lays out `places` for the running rows, after they have begun, and looks how far they go. */
void batch_place(struct batch *batch);

/* Fails the requests that were cancelled, or all of them. True when there was one. */
bool batch_cancel(struct batch *batch, bool all, struct counters *counters);

/* Clears away rows that are done, and all rows of requests that failed; returns the requests that
 * have none left, linked by `next`. */
struct request *batch_settle(struct batch *batch, struct counters *counters);

#endif
