#include "core/diffusion/trajectory.h"

#include "core/base/math.h"

#include <assert.h>
#include <string.h>

size_t trajectory_frames(const struct plan *plan, size_t every)
{
    assert(every > 0 && !plan->is_adaptive);
    return (plan_whole_steps(plan) + every - 1) / every + 1;
}

float *trajectory_values(const struct trajectory *trajectory, size_t dim, size_t index,
                         size_t frame)
{
    return trajectory->values + (index * trajectory->frames + frame) * 2 * dim;
}

bool trajectory_record(const struct recording *recording, const struct plan *plan,
                       const struct row *row, const float *output)
{
    const struct trajectory *trajectory = recording->trajectory;
    const size_t frame = recording->step / trajectory->every;
    float *x_t;

    if (recording->step % trajectory->every != 0 || frame + 1 >= trajectory->frames)
        return true;
    x_t = trajectory_values(trajectory, plan->dim, recording->index, frame);
    memcpy(x_t, row->x, plan->dim * sizeof *x_t);
    plan_predicted_x0(plan, row, output, x_t + plan->dim);
    if (recording->index == 0)
        trajectory->frame[frame] = (struct trajectory_frame){
            .time = row->time, .scale = plan->step[row->step].input_scale};
    return math_all_finite(x_t + plan->dim, plan->dim);
}

void trajectory_end(const struct recording *recording, const struct row *row, size_t dim)
{
    const struct trajectory *trajectory = recording->trajectory;
    float *x_t = trajectory_values(trajectory, dim, recording->index, trajectory->frames - 1);

    memcpy(x_t, row->x, dim * sizeof *x_t);
    memcpy(x_t + dim, row->x, dim * sizeof *x_t);
}
