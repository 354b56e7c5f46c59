/* Euler's method on a flow: evenly (Liu et al. 2022), or as diffusers'
 * FlowMatchEulerDiscreteScheduler; stochastic_sampling goes to x_0 and back up with fresh noise. */
#include "core/diffusion/flow.h"
#include "core/diffusion/ode.h"
#include "core/diffusion/update.h"

#include <math.h>

static bool is_stochastic(const struct plan *plan)
{
    return plan->options.value[OPTION_STOCHASTIC_SAMPLING] != 0.0;
}

/* Euler: x' = x + (t' - t) u. Stochastic: x' = (1 - t') x_0 + t' z. */
static void fill_step(struct plan_step *step, const struct plan *plan, double t, double to)
{
    const struct linear velocity = ode_velocity(plan->process, t);

    step_ask_at_time(step, plan->process, t);
    step->to = process_level(plan->process, to);
    step->draws = is_stochastic(plan);
    if (step->draws) {
        step->coefficient[UPDATE_X0] = step->to.alpha;
        step->coefficient[UPDATE_NOISE] = step->to.sigma;
        return;
    }
    step->coefficient[UPDATE_X] = 1.0 + (to - t) * velocity.x;
    step->coefficient[UPDATE_OUTPUT] = (to - t) * velocity.o;
}

static bool check_base(const struct plan *plan, struct error *error)
{
    return !is_stochastic(plan) || process_has_sigma(plan->process) ||
           error_set(error, ERROR_INVALID,
                     "stochastic_sampling draws N(0, I): this flow has another base");
}

static bool flow_euler_plan(struct plan *plan, struct error *error)
{
    if (!check_base(plan, error) || !flow_check_spacing(plan, error) ||
        !steps_allocate(plan, plan->steps, error))
        return false;
    plan->start_scale = 1.0;
    for (size_t i = 0; i < plan->steps; i++)
        fill_step(&plan->step[i], plan, flow_time(plan, i), flow_time(plan, i + 1));
    return true;
}

static bool flow_euler_plan_step(struct plan *plan, const struct step_times *times,
                                 struct error *error)
{
    if (!check_base(plan, error) || !steps_allocate(plan, 1, error))
        return false;
    fill_step(&plan->step[0], plan, times->from, isnan(times->to) ? 0.0 : times->to);
    return true;
}

const struct sampler sampler_flow_euler = {
    .name = "flow_euler",
    .title = "Euler's method along a flow",
    .options = {OPTION_SPACING, OPTION_SHIFT, OPTION_STOCHASTIC_SAMPLING},
    .option_count = 3,
    .spacings = FLOW_SPACINGS,
    .runs_on = RUNS_ON_FLOW,
    .needs = "a flow",
    .option_default = flow_default,
    .plan = flow_euler_plan,
    .plan_step = flow_euler_plan_step,
    .step_variance = update_variance,
    .begin = steps_begin,
    .advance = update_advance,
};
