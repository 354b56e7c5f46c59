/* calibrate.h - measures a model's forwards before the first request: by the engine's thread, with
 * places of its own, so that a model that is never asked for leaves its slots untouched. It also
 * runs every worker once through the model's code. */
#ifndef CALIBRATE_H
#define CALIBRATE_H

#include "core/engine/tick.h"

void calibrate(struct tick *tick, struct batch *batch);

#endif
