/* cost.h - how long a model's steps take, as measured at start and learnt while serving.
 *
 * A step of p places takes scale * (fixed + p * place) seconds: fixed and place come from the
 * calibration, scale follows the ticks. The engine's thread writes; any thread reads. */
#ifndef COST_H
#define COST_H

#include "core/engine/engine.h"

struct cost {
    struct engine_calibration calibration;
    double fixed_seconds, place_seconds;
    _Atomic double scale;
};

/* From the calibration. */
void cost_init(struct cost *cost, const struct engine_calibration *calibration);

/* A tick of `places` places took `seconds`. */
void cost_learn(struct cost *cost, size_t places, double seconds);

/* Predicted seconds of one step. */
double cost_step(const struct cost *cost, size_t places);

#endif
