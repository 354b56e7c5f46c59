/* train_progress.h - how a training is doing, on standard error: a bar that moves on a terminal,
 * else a line a second. */
#ifndef TRAIN_PROGRESS_H
#define TRAIN_PROGRESS_H

#include "core/train/train.h"

struct progress_view {
    bool is_terminal;
    uint64_t iterations, first; /* of the training; done when the view began */
    uint64_t began_ns, shown_ns;
};

void progress_begin(struct progress_view *view, const struct train *train, uint64_t iterations);
/* After each step; mostly does nothing. */
void progress_show(struct progress_view *view, const struct train *train);
/* Before a line of something else: no bar stands there. */
void progress_clear(const struct progress_view *view);
/* The last of it, whenever the last one was. */
void progress_end(struct progress_view *view, const struct train *train);

#endif
