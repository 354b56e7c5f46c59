/* trajectory.h - the record of a request's way from noise to data: x_t before every k-th step and
 * the x_0 predicted from it, and last the sample as both.
 *
 * The submitter owns the arrays; rows write their own parts, from any worker. Not for samplers that
 * need a number of evaluations of their own for each row. */
#ifndef TRAJECTORY_H
#define TRAJECTORY_H

#include "core/diffusion/sampler.h"

/* Where a frame stands; the first row writes it. The last one is the sample's: not used. */
struct trajectory_frame {
    double time;  /* as the model counts it */
    double scale; /* what the model saw was scale * x */
};

struct trajectory {
    size_t every;                   /* k; 0: nothing is recorded */
    size_t frames;                  /* trajectory_frames() */
    struct trajectory_frame *frame; /* frames */
    float *values;                  /* [row][frame][2][dim]: x_t, x_0; C,H,W */
};

/* How many frames there are: of steps 0, k, 2k ... and of the sample. */
size_t trajectory_frames(const struct plan *plan, size_t every);

/* x_t of a row in a frame, dim floats; the x_0 predicted from it follows. */
float *trajectory_values(const struct trajectory *trajectory, size_t dim, size_t index,
                         size_t frame);

/* A row's place in the record. */
struct recording {
    const struct trajectory *trajectory;
    size_t index; /* of the row in its request */
    size_t step;  /* whole steps it has made */
};

/* The row stands before a whole step, the model's answer at hand: recorded when it is one of the
 * k-th. False when the x_0 it predicts is not finite. */
MUST_CHECK bool trajectory_record(const struct recording *recording, const struct plan *plan,
                                  const struct row *row, const float *output);

/* The row is done. */
void trajectory_end(const struct recording *recording, const struct row *row, size_t dim);

#endif
