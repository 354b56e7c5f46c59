/* mixture.h - a model that knows its data: 1/5 N((3,3), I) + 4/5 N((-3,-3), I), in closed form.
 *
 * Label 0 is the mode at (3,3) alone, -1 both. */
#ifndef MIXTURE_H
#define MIXTURE_H

#include "core/diffusion/prediction.h"

#define MIXTURE_DIM    2
#define MIXTURE_ENERGY 20.0 /* E[x_0.x_0] */

/* The raw output of that head to x at that level, MIXTURE_DIM values. */
void mixture_output(enum head head, struct level level, int label, const float *x, float *output);

/* tr(d output / d x) there. */
double mixture_divergence(enum head head, struct level level, int label, const float *x);

/* ln of its density there. */
double mixture_log_density(struct level level, const float *x);

/* The score of its density there, at sigma 0 too. */
void mixture_score(struct level level, int label, const float *x, float *score);

#endif
