/* cost.h - how long a model's steps take, as measured at start and learnt while serving.
 *
 * A step of p places takes scale * (fixed + p * place) seconds: fixed and place come from the
 * calibration, or place from a guess; scale follows the ticks. The engine's thread writes; any
 * thread reads. */
#ifndef COST_H
#define COST_H

#include "core/engine/engine.h"

struct cost {
    struct engine_calibration calibration;
    double fixed_seconds, place_seconds;
    bool is_guess; /* the engine's thread: the first tick is believed at once */
    _Atomic double scale;
};

/* From the calibration. */
void cost_init(struct cost *cost, const struct engine_calibration *calibration);

/* Nothing was measured: what a place might take, for now. */
void cost_guess(struct cost *cost, double place_seconds);

/* The steps of a tick, of `places` places each, took `seconds` each. */
void cost_learn(struct cost *cost, size_t places, double seconds);

/* Predicted seconds of one step. */
double cost_step(const struct cost *cost, size_t places);

#endif
