#include "core/diffusion/flow.h"

#include <string.h>

double flow_default(const struct process *process, enum sampler_option option)
{
    const bool is_diffusers = strncmp(process->config.schedule.class_name, "FlowMatch", 9) == 0;

    if (option == OPTION_SPACING)
        return (double)(is_diffusers ? SPACING_LINSPACE : SPACING_UNIFORM);
    return option == OPTION_SHIFT ? 1.0 : 0.0;
}

static bool is_uniform(const struct plan *plan)
{
    return (enum spacing)plan->options.value[OPTION_SPACING] == SPACING_UNIFORM;
}

bool flow_check_spacing(struct plan *plan, struct error *error)
{
    if (!is_uniform(plan))
        return true;
    if (plan->asked[OPTION_SHIFT])
        return error_set(error, ERROR_INVALID, "shift is of spacing linspace, not of uniform");
    plan->options.given[OPTION_SHIFT] = false;
    return true;
}

static double shifted(double shift, double t)
{
    return shift * t / (1.0 + (shift - 1.0) * t);
}

/* The i-th of n times from 1 to `last`: spread as the network counts, where whole ones are exact.
 */
static double linspace(double timesteps, double last, size_t n, size_t i)
{
    const double range = timesteps * last - timesteps;

    if (n > 1 && i == n - 1)
        return last;
    return i == 0 ? 1.0 : (timesteps + (double)i * range / (double)(n - 1)) / timesteps;
}

double flow_time_uniform(const struct plan *plan, size_t i)
{
    return (double)(plan->steps - i) / (double)plan->steps;
}

double flow_time(const struct plan *plan, size_t i)
{
    const double shift = plan->options.value[OPTION_SHIFT];
    const double timesteps = (double)plan->process->config.schedule.timesteps;

    if (is_uniform(plan))
        return flow_time_uniform(plan, i);
    if (i == plan->steps)
        return 0.0;
    return shifted(shift, linspace(timesteps, shifted(shift, 1.0 / timesteps), plan->steps, i));
}
