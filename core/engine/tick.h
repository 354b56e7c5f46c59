/* tick.h - a turn of one model: rows join, make a stretch of steps (stretch.h), and leave. */
#ifndef TICK_H
#define TICK_H

#include "core/engine/rows.h"

/* What is asked of a model before there are rows: of the largest model. */
#define PROBE_PLACES 16
struct probe {
    struct place *places; /* PROBE_PLACES */
    float *x;             /* zeros, of every place */
    float *output;        /* one a place */
};

/* What the ticks of all models share: room for the largest, one at a time. */
struct tick {
    struct gang *gang;
    struct probe probe; /* for calibrate */
    void *workspace;
    struct scratch *scratch; /* one a worker */
    struct request **group;  /* those that are prepared or finished at once: as many as the largest
                                batch has slots, and as there are workers */
    struct request *ending, **ending_end; /* of all models, oldest first: rows are done, and finish,
                                             which takes long, has not been called */
    uint64_t ending_after_ns;             /* until then it is the rows' turn */
    struct counters *counters;
    double stretch_seconds; /* of a model for points: as in engine_options */
};

/* Bytes of `workspace` for a gang of `threads` that evaluates together, and for its workers where
 * each evaluates by itself. */
size_t tick_workspace_bytes(const struct model *model, unsigned threads);

/* Returns the requests that are finished, linked by `next`; those that end in it and take long may
 * be `ending` yet. Allocates nothing. */
struct request *tick_run(struct tick *tick, struct batch *batch);

/* Between ticks, or where there are none: finishes what is ending, as many at once as there are
 * workers, until that has taken a fiftieth of a second, and then lets rows have as long. */
struct request *tick_finish(struct tick *tick);

/* Ends every request of the batch as cancelled, and those that are ending. */
struct request *tick_abandon(struct tick *tick, struct batch *batch);

#endif
