/* update.h - the step that samplers on a beta table take: one linear combination per value.
 *
 *   x' = x0 * clip(x_0) + x * x + output * o + noise * z
 *
 * where o is the model's raw output, x_0 what it predicts, and the four coefficients are the
 * plan_step's. Computed in double, rounded once; no branch per value. */
#ifndef UPDATE_H
#define UPDATE_H

#include "core/diffusion/clip.h"
#include "core/diffusion/sampler.h"

/* Indices of plan_step.coefficient. A sampler whose noise depends on the output uses the rest. */
enum update_coefficient { UPDATE_X0, UPDATE_X, UPDATE_OUTPUT, UPDATE_NOISE, UPDATE_COUNT };

/* A step with the clipping of one row's x_0 put in. */
struct update {
    double x0_x, x0_o;
    struct clip clip;
    double x0, x, output, noise;
};

struct update update_for(const struct row *row, const struct plan *plan, const float *output);

/* Without the noise. */
static inline double update_mean(const struct update *update, double x, double output)
{
    const double x_0 = clip_value(&update->clip, update->x0_x * x + update->x0_o * output);

    return update->x0 * x_0 + update->x * x + update->output * output;
}

/* row->x becomes x'; update_with_noise draws z into row->noise. */
void update_without_noise(struct row *row, const struct plan *plan, const float *output);
void update_with_noise(struct row *row, const struct plan *plan, const float *output);

/* --- The plan and the life of a row, the same for these samplers. */

/* Allocates the steps: the model's timesteps at the plan's spacing, `from` and `conversion` filled,
 * one evaluation each. INVALID, NO_MEMORY. */
MUST_CHECK bool update_plan(struct plan *plan, struct error *error);

/* alpha_bar at a timestep, and the level of an alpha_bar. */
double update_alpha_bar(const struct plan *plan, long timestep);
struct level update_level(double alpha_bar);

/* A sampler's begin. */
void update_begin(struct row *row, const struct plan *plan);

/* The end of a sampler's advance: the next step asks for x itself, or the row is done or, when x is
 * no longer finite, has failed. */
enum advance update_end(struct row *row, const struct plan *plan);

#endif
