/* calibrate.h - measures models' forwards before the first request: by the engine's thread, with
 * places of its own, so that a model that is never asked for leaves its slots untouched. It also
 * runs every worker once through the model's code.
 *
 * The daemon is ready when this is over, so it has a bound: a forward that looks longer than a
 * second is not made. Its time is estimated from the arithmetic in it, and the first tick corrects
 * the estimate (cost.h). */
#ifndef CALIBRATE_H
#define CALIBRATE_H

#include "core/engine/tick.h"

/* Multiply-adds a second of the whole gang: assumed, until a network was measured that says more.
 */
struct pace {
    double work_per_second;
};
extern const struct pace PACE_ASSUMED;

/* The lightest first: it tells the pace of the others. */
void calibrate(struct tick *tick, struct batch *batches, size_t count);

/* One model; the pace is used and learnt. */
void calibrate_one(struct tick *tick, struct batch *batch, struct pace *pace);

#endif
