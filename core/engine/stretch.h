/* stretch.h - how the running rows of a batch go on, spread over the gang: by a stretch of one step
 * or more, between two looks of the engine at what came, what was cancelled and whose turn it is.
 *
 * Pictures: one step. The gang shares the evaluation of all rows, then each row advances.
 *
 * Points: as many steps as fit into a moment. Neighbours go on in ranges; a worker takes a range
 * through all steps by itself, with the model's weights and the rows in its caches, and waits for
 * nobody. No row depends on another, so no bit of one tells how long stretches were or who went
 * with whom.
 *
 * A stretch ends where the first row may be done, and is a single step where that is not known: an
 * adaptive row is among them. A row that fails on the way keeps its places to the end: so every
 * running row was evaluated as often as the stretch has steps. */
#ifndef STRETCH_H
#define STRETCH_H

#include "core/engine/tick.h"

/* Begins the last `count` of the running rows. */
void stretch_begin(const struct tick *tick, struct batch *batch, size_t count);

/* Their places are laid out. Returns how many steps were made. */
size_t stretch_run(const struct tick *tick, struct batch *batch);

#endif
