/* predict_inside.h - what a model says at points, and over a grid of the plane.
 *
 * For the files predict_*.c only. */
#ifndef PREDICT_INSIDE_H
#define PREDICT_INSIDE_H

#include "proto/work_inside.h"

/* Formats of work_kind.encode. */
MUST_CHECK bool predict_json(struct work *work, struct error *error);
MUST_CHECK bool predict_npy(struct work *work, struct error *error);
MUST_CHECK bool predict_png(struct work *work, struct error *error);

static inline bool has_grid(const struct body_question *question)
{
    return question->grid.size[0] > 0;
}

/* predict_grid.c: the field, to be read behind x_t. */
extern const struct body_field FIELD_GRID;

#endif
