/* sample_trajectory.h - the reverse process as an answer.
 *
 * For the files sample_*.c only. */
#ifndef SAMPLE_TRAJECTORY_H
#define SAMPLE_TRAJECTORY_H

#include "proto/sample_inside.h"

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
MUST_CHECK bool sample_trajectory_json(struct sample *sample, struct error *error);
MUST_CHECK bool sample_trajectory_npy(struct sample *sample, struct error *error);
MUST_CHECK bool sample_trajectory_png(struct sample *sample, struct error *error);
MUST_CHECK bool sample_trajectory_apng(struct sample *sample, struct error *error);

#endif
