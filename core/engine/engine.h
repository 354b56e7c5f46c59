/* engine.h - runs the reverse process for many requests at once.
 *
 * A request is n rows. Rows of any requests of one model, at any timestep, class, guidance and
 * sampler, go on together: a step evaluates all rows in flight (a guided row takes two places) and
 * advances each by its sampler. A tick picks a model and makes one step, or, of a model for points,
 * a stretch of a few; rows that are done leave and waiting rows join at every tick. A row that
 * starts fills a slot: x, input, state, generator live there. What becomes of it depends on no
 * other row, on no thread and on no stretch's length.
 *
 * Threads: the engine has one thread of its own, which owns the gang. engine_submit and
 * engine_collect are called from one other thread (the loop); the doorbell is rung from the
 * engine's thread whenever engine_collect has something to give. They meet in the queue, the
 * mailbox and a request's atomics, nowhere else; no lock is held across a callback or a kernel. */
#ifndef ENGINE_H
#define ENGINE_H

#include "core/base/error.h"
#include "core/diffusion/conditioning.h"
#include "core/diffusion/sampler.h"
#include "core/diffusion/trajectory.h"
#include "core/model/catalog.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed from the submitter from engine_submit until engine_collect returns it. */
struct request {
    /* Set by the submitter, not changed after engine_submit. */
    const struct model *model;
    const struct plan *plan;
    size_t n;
    const uint32_t *seeds; /* n */
    const int32_t *labels; /* n; -1: no class, answered by class_input.null_label */
    const float *guidance; /* n; 1: one evaluation of the labelled run */
    float *x;              /* n * plan->dim: the results, C,H,W */
    uint32_t *nfe;         /* n: evaluations that each row took, or NULL */
    double *figures;       /* n * plan->figure_count: what rows measured; NULL if that is 0 */
    const struct conditioning *conditioning;  /* NULL: every row begins with a draw */
    struct trajectory trajectory;             /* every = 0: not recorded */
    void (*prepare)(struct request *request); /* on a worker before its first row starts: decodes
                                                 what the rows begin with; may set error. NULL:
                                                 nothing to do */
    void (*finish)(struct request *request);  /* on a worker once all rows are done and error.code
                                                 is ERROR_NONE: encodes; may set error */
    bool finishes_long; /* finish may take a second: it gives way to rows and to shorter ones */

    /* Read and written by both sides. */
    atomic_bool cancelled;          /* set by the submitter: rows leave at the next tick */
    atomic_size_t evaluations_done; /* over all rows: progress */

    /* Set by the engine before the request is collected. */
    struct error error; /* code ERROR_NONE: all rows are done and finish has run */
    uint64_t submitted_ns, started_ns, sampled_ns, finished_ns;
    uint64_t steps, places; /* mean batch = places / steps over the steps it took part in */

    struct request *next; /* of what engine_collect returned */

    /* The engine's own. */
    struct request *next_waiting;
    bool is_prepared;
    size_t rows_started, rows_running, rows_left; /* left: not ended yet, started or not */
    size_t places_running;                        /* that its running rows take in one step */
    uint64_t places_left; /* predicted, until it is done: of an adaptive plan what is expected */
    size_t sampler_number;
    const struct slot *failed; /* the first of its rows that did */
};

/* Of stretch_seconds: who joins, cancels or waits for a turn does not feel it. */
#define ENGINE_STRETCH_SECONDS 100e-6

struct engine_options {
    unsigned threads;                /* workers of the gang, the engine's thread included */
    size_t image_slots;              /* rows of an image model in flight at once */
    size_t point_slots;              /* likewise for point models; at most 4096 */
    size_t queue_requests;           /* waiting and running; more are refused */
    double queue_seconds;            /* predicted backlog: while it is longer, all is refused */
    double stretch_seconds;          /* points: about the longest that several steps are made in
                                        one tick; 0: a tick is one step */
    void (*doorbell)(void *context); /* from the engine's thread; must not block */
    void *doorbell_context;
};

struct engine;

/* Allocates slots and workspaces for the largest batch of every model, starts the threads and
 * measures each model's seconds per step, or estimates them where a forward is long. The catalog
 * must outlive the engine. */
struct engine *engine_create(const struct engine_options *options, const struct catalog *catalog,
                             struct error *error);

/* Cancels what is left (each is collected with CANCELLED by engine_collect afterwards, which stays
 * callable until engine_destroy) and joins the threads. */
void engine_stop(struct engine *engine);
void engine_destroy(struct engine *engine);

/* Takes the request into the queue. QUEUE_FULL: too many, or too much ahead of it. INVALID: its
 * sampler keeps more state than a slot has. CANCELLED: the engine is stopped. Model and plan are of
 * one size, n is 1 or more, and the model is in the catalog: asserted. */
MUST_CHECK bool engine_submit(struct engine *engine, struct request *request, struct error *error);

/* All requests that ended since the last call, linked by `next`, or NULL. */
struct request *engine_collect(struct engine *engine);

/* Predicted seconds of a request of `rows` rows with `evaluations` places each, alone. */
double engine_predict_seconds(const struct engine *engine, const struct model *model, size_t rows,
                              size_t evaluations);

/* Predicted seconds until everything accepted so far is done. Any thread. */
double engine_backlog_seconds(const struct engine *engine);

/* True while no tick has taken longer than max(30 s, 20 x its predicted time). Any thread. */
bool engine_alive(const struct engine *engine);

/* Calibrated at start: milliseconds of one forward of `places` places, and the sizes measured. */
#define ENGINE_CALIBRATIONS 3
struct engine_calibration {
    size_t places[ENGINE_CALIBRATIONS]; /* 1, 4, 16; 0 = not measured */
    double milliseconds[ENGINE_CALIBRATIONS];
};
struct engine_calibration engine_calibration(const struct engine *engine,
                                             const struct model *model);

/* Counters since the start. Any thread; each number is read atomically. A histogram's bucket counts
 * what is above the bound before it, up to its own: not cumulative. */
#define ENGINE_BATCH_BUCKETS 14 /* upper bounds 1 2 4 … 4096 places, last +Inf */
#define ENGINE_TIME_BUCKETS  16 /* upper bounds ENGINE_TIME_BOUNDS, last +Inf */
extern const double ENGINE_TIME_BOUNDS[ENGINE_TIME_BUCKETS - 1]; /* seconds */
struct engine_model_stats {
    uint64_t steps;                                          /* forwards */
    uint64_t row_steps[RUNNER_TOTAL], samples[RUNNER_TOTAL]; /* by sampler_number */
    uint64_t step_buckets[ENGINE_TIME_BUCKETS];
    double step_seconds;
};
struct engine_stats {
    uint64_t batch_buckets[ENGINE_BATCH_BUCKETS], batch_places; /* histogram of places per step */
    uint64_t queue_buckets[ENGINE_TIME_BUCKETS]; /* from submission to the start of a row */
    double queue_seconds;
    size_t rows_waiting, rows_running, requests;
    uint64_t cancelled_queued, cancelled_running; /* requests, by phase */
    uint64_t wasted_row_steps;                    /* done for requests that were then cancelled */
};
void engine_stats(const struct engine *engine, struct engine_stats *stats);
void engine_model_stats(const struct engine *engine, const struct model *model,
                        struct engine_model_stats *stats);

#endif
