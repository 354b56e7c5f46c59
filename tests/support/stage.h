/* stage.h - all that an engine has but its thread: who joins at which tick, and whose turn it is,
 * is the test's to say, and how many steps it makes, and so is the same every time. One thread. */
#ifndef STAGE_H
#define STAGE_H

#include "core/engine/engine.h"

struct stage;

/* Every model of the catalog has so many slots. A tick is one step. */
struct stage *stage_create(const struct catalog *catalog, unsigned threads, size_t slots);
void stage_destroy(struct stage *stage);

/* As engine_submit, admission apart; it is in from the next tick of its model on. */
void stage_join(struct stage *stage, struct request *request);

/* From now on a tick of points makes so many steps, where no row may be done before. */
void stage_stretch(struct stage *stage, size_t steps);

/* One of the catalog's `model`-th; nothing when it has nothing to do. The requests that ended. */
size_t stage_tick(struct stage *stage, size_t model);

/* The most in one batch so far: different samplers, places. */
size_t stage_samplers_met(const struct stage *stage);
size_t stage_places_met(const struct stage *stage);

/* As the engine's. */
void stage_stats(const struct stage *stage, struct engine_stats *stats);
void stage_model_stats(const struct stage *stage, size_t model, struct engine_model_stats *stats);
uint64_t stage_places_left(const struct stage *stage, size_t model);

#endif
