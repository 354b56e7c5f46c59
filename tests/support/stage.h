/* stage.h - all that an engine has but its thread: who joins at which tick, and whose turn it is,
 * is the test's to say, and so is the same every time. One thread. */
#ifndef STAGE_H
#define STAGE_H

#include "core/engine/engine.h"

struct stage;

/* Every model of the catalog has so many slots. */
struct stage *stage_create(const struct catalog *catalog, unsigned threads, size_t slots);
void stage_destroy(struct stage *stage);

/* As engine_submit, admission apart; it is in from the next tick of its model on. */
void stage_join(struct stage *stage, struct request *request);

/* One of the catalog's `model`-th; nothing when it has nothing to do. The requests that ended. */
size_t stage_tick(struct stage *stage, size_t model);

/* The most in one batch so far: different samplers, places. */
size_t stage_samplers_met(const struct stage *stage);
size_t stage_places_met(const struct stage *stage);

#endif
