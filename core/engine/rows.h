/* rows.h - what is done row by row: a row begins, a row advances. Any worker, each its own rows. */
#ifndef ROWS_H
#define ROWS_H

#include "core/engine/batch.h"

/* Of a worker: as large as the largest x. */
struct scratch {
    float *noise, *values;
};

/* Neighbours among the running rows, from `first` up to `end`. */
struct range {
    size_t first, end;
};

/* Seeds and begins them. */
void rows_begin(struct batch *batch, struct range range, const struct scratch *scratch);

/* From the model's answer to the next question, which goes to their places; or to an end: a row
 * that is done leaves its x in the request. One that has ended stays as it is. */
void rows_advance(struct batch *batch, struct range range, const struct scratch *scratch);

#endif
