/* update.h - the step that samplers on a beta table take: one linear combination per value.
 *
 *   x' = x0 * clip(x_0) + x * x + output * o + noise * z
 *
 * where o is the model's raw output, x_0 what it predicts, and the four coefficients are the
 * plan_step's. Computed in double, rounded once; no branch per value. */
#ifndef UPDATE_H
#define UPDATE_H

#include "core/diffusion/clip.h"
#include "core/diffusion/steps.h"

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

static inline double_pair update_mean_pair(const struct update *update, double_pair x,
                                           double_pair output)
{
    const double_pair x_0 = clip_pair(&update->clip, update->x0_x * x + update->x0_o * output);

    return update->x0 * x_0 + update->x * x + update->output * output;
}

/* row->x becomes x'; update_with_noise draws z into row->noise. */
void update_without_noise(struct row *row, const struct plan *plan, const float *output);
void update_with_noise(struct row *row, const struct plan *plan, const float *output);

/* A step_variance. */
double update_variance(const struct plan *plan, const float *output, size_t i);

/* --- The plan of these samplers. */

/* The plan of a sampler on a table: `fill` is called with room for plan->steps timesteps. */
MUST_CHECK bool with_timesteps(struct plan *plan,
                               bool (*fill)(struct plan *plan, int *timesteps, struct error *error),
                               struct error *error);

/* Allocates the steps: the model's timesteps at the plan's spacing, repeats of quadratic dropped;
 * says where each is asked; one evaluation each. Fills `timesteps`. INVALID, NO_MEMORY. */
MUST_CHECK bool update_plan(struct plan *plan, int *timesteps, struct error *error);

/* row_next, after one of the above: an advance of a sampler that chooses by plan_step.draws. */
enum advance update_advance(struct row *row, const struct plan *plan, const float *output);

#endif
