/* Flow matching on straight paths: x_t = (1 - t) x_0 + t x_1 (Lipman et al. 2022, Liu et al. 2022;
 * time as diffusers has it, 0 at the data). Its drift is that of the SDE with the same marginals
 * when x_1 is N(0, I). */
#include "core/diffusion/process.h"

static struct level level(const struct process *process, double t)
{
    (void)process;
    return (struct level){.alpha = 1.0 - t, .sigma = t};
}

static struct level slope(const struct process *process, double t, struct level here)
{
    (void)process;
    (void)t;
    (void)here;
    return (struct level){.alpha = -1.0, .sigma = 1.0};
}

static struct drift drift(const struct process *process, double t)
{
    (void)process;
    return (struct drift){.f = -1.0 / (1.0 - t), .g2 = 2.0 * t / (1.0 - t)};
}

static double time_of(const struct process *process, double sigma)
{
    (void)process;
    return sigma / (1.0 + sigma);
}

static bool check(const struct process_config *config, struct error *error)
{
    const bool is_annulus = config->base == FLOW_BASE_ANNULUS;
    const double low = config->base_low, high = config->base_high;

    if (config->base == FLOW_BASE_GAUSSIAN)
        return true;
    return (low >= (is_annulus ? 0.0 : -1e6) && low < high && high <= 1e6) ||
           error_set(error, ERROR_INVALID,
                     "base: its two numbers must rise within %s..1e6: got %g and %g",
                     is_annulus ? "0" : "-1e6", low, high);
}

const struct process_kind process_flow_kind = {.check = check,
                                               .name = "flow",
                                               .title = "a flow",
                                               .level = level,
                                               .slope = slope,
                                               .drift = drift,
                                               .time = time_of,
                                               .sampling_eps = 0.0,
                                               .heads = HEAD_BIT(VELOCITY) | HEAD_BIT(SAMPLE)};
