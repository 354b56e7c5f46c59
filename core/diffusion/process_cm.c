/* The process of consistency models (Song et al. 2023; EDM's, Karras et al. 2022): x_0 + t noise,
 * time is sigma itself, from sigma_min to sigma_max. */
#include "core/diffusion/process.h"

static struct level level(const struct process *process, double t)
{
    (void)process;
    return (struct level){.alpha = 1.0, .sigma = t};
}

static struct level slope(const struct process *process, double t, struct level here)
{
    (void)process;
    (void)t;
    (void)here;
    return (struct level){.alpha = 0.0, .sigma = 1.0};
}

static struct drift drift(const struct process *process, double t)
{
    (void)process;
    return (struct drift){.f = 0.0, .g2 = 2.0 * t};
}

static double time_of(const struct process *process, double sigma)
{
    (void)process;
    return sigma;
}

static bool check(const struct process_config *config, struct error *error)
{
    return process_check_range("sigma_min", (const double[]){config->sigma_min, config->sigma_max},
                               1e5, error);
}

const struct process_kind process_cm_kind = {.check = check,
                                             .name = "cm",
                                             .title = "a consistency model",
                                             .level = level,
                                             .slope = slope,
                                             .drift = drift,
                                             .time = time_of,
                                             .sampling_eps = 0.0};
