/* rows.h - what is done row by row, spread over the gang: a row begins, a row advances. */
#ifndef ROWS_H
#define ROWS_H

#include "core/engine/batch.h"

/* Of a worker: as large as the largest x. */
struct scratch {
    float *noise, *values;
};

/* Seeds and begins the last `count` of the running rows. */
void rows_begin(struct batch *batch, size_t count, struct gang *gang,
                const struct scratch *scratch);

/* Every running row, from the model's answer to its next question, which goes to its places; or to
 * an end: a row that is done leaves its x in the request. */
void rows_advance(struct batch *batch, struct gang *gang, const struct scratch *scratch);

#endif
