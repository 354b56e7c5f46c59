/* sample_inside.h - how samples are answered, and the reverse process that leads to them.
 *
 * For the files sample_*.c, and for bodies whose rows are seen as samples are. */
#ifndef SAMPLE_INSIDE_H
#define SAMPLE_INSIDE_H

#include "proto/work_inside.h"

/* Formats of work_kind.encode. */
MUST_CHECK bool sample_png(struct work *work, struct error *error);
MUST_CHECK bool sample_npy(struct work *work, struct error *error);
MUST_CHECK bool sample_json(struct work *work, struct error *error);

/* A grid of n pictures that would be too large is a fault. */
MUST_CHECK bool sample_check_grid(const struct body_values *fields, const char *pointer,
                                  struct problem *problem);

/* sample_interpolate.c: samples on the way from one seed's to another's. */
extern const struct work_kind sample_interpolation;

/* How long an animation stays at one of its frames. */
unsigned sample_frame_ms(size_t frame, size_t frames);

/* A contact sheet: frames side by side in as many lines as it takes, in each line x_t above the x_0
 * predicted from it. A cell is what /sample would draw of the n samples. */
struct sheet {
    size_t cell_width, cell_height;
    size_t columns, rows; /* of cells */
};
struct sheet sheet_for(const struct model *model, size_t n, size_t frames);

/* Whether it, or an animation of x_t beside x_0, is a picture that may be made. */
bool sheet_fits(const struct sheet *sheet);
bool sheet_animates(const struct sheet *sheet);

/* On a worker: the member "trajectory" of an open object; the whole npy file; pictures. */
MUST_CHECK bool sample_trajectory_json(struct work *work, struct error *error);
MUST_CHECK bool sample_trajectory_npy(struct work *work, struct error *error);
MUST_CHECK bool sample_trajectory_png(struct work *work, struct error *error);
MUST_CHECK bool sample_trajectory_apng(struct work *work, struct error *error);

#endif
