/* Heun's method on a flow: evenly, or as diffusers' FlowMatchHeunDiscreteScheduler, whose last step
 * is Euler's. */
#include "core/diffusion/flow.h"
#include "core/diffusion/ode.h"

#include <math.h>

static bool flow_heun_plan(struct plan *plan, struct error *error)
{
    const enum spacing spacing = (enum spacing)plan->options.value[OPTION_SPACING];
    const struct ode_path path = {.time = flow_time,
                                  .method = &ode_heun,
                                  .last = spacing == SPACING_UNIFORM ? &ode_heun : &ode_euler};

    return flow_check_spacing(plan, error) && ode_plan(plan, &path, error);
}

/* To the data as the model's own row of times would go there. */
static bool flow_heun_plan_step(struct plan *plan, const struct step_times *times,
                                struct error *error)
{
    const bool is_uniform = (enum spacing)plan->options.value[OPTION_SPACING] == SPACING_UNIFORM;

    return ode_plan_step(plan, is_uniform || !isnan(times->to) ? &ode_heun : &ode_euler, times,
                         error);
}

const struct sampler sampler_flow_heun = {
    .name = "flow_heun",
    .title = "Heun's method along a flow: two evaluations a step",
    .options = {OPTION_SPACING, OPTION_SHIFT},
    .option_count = 2,
    .spacings = FLOW_SPACINGS,
    .runs_on = RUNS_ON_FLOW,
    .needs = "a flow",
    .option_default = flow_default,
    .plan = flow_heun_plan,
    .plan_step = flow_heun_plan_step,
    .begin = steps_begin,
    .advance = ode_advance,
};
