/* The classical Runge-Kutta method on a flow, in even steps. */
#include "core/diffusion/flow.h"
#include "core/diffusion/ode.h"

static bool flow_rk4_plan(struct plan *plan, struct error *error)
{
    const struct ode_path path = {.time = flow_time_uniform, .method = &ode_rk4, .last = &ode_rk4};

    return ode_plan(plan, &path, error);
}

static bool flow_rk4_plan_step(struct plan *plan, const struct step_times *times,
                               struct error *error)
{
    return ode_plan_step(plan, &ode_rk4, times, error);
}

const struct sampler sampler_flow_rk4 = {
    .name = "flow_rk4",
    .title = "The classical Runge-Kutta method along a flow: four evaluations a step",
    .runs_on = RUNS_ON_FLOW,
    .needs = "a flow",
    .option_default = flow_default,
    .plan = flow_rk4_plan,
    .plan_step = flow_rk4_plan_step,
    .begin = steps_begin,
    .advance = ode_advance,
};
