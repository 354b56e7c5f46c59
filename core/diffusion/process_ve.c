/* VE, whose sigma rises geometrically (Song & Ermon 2019; Song et al. 2021, eq. 30-31), and VE
 * whose variance rises linearly (Nakkiran et al. 2024, section 2). alpha is 1. */
#include "core/base/math.h"
#include "core/diffusion/process.h"

#include <math.h>

static double log_ratio(const struct process *process)
{
    return math_log(process->config.sigma_max / process->config.sigma_min);
}

/* From the nearer end, so that both ends are exactly the config's. */
static struct level ve_level(const struct process *process, double t)
{
    const struct process_config *config = &process->config;
    const double sigma = t < .5 ? config->sigma_min * math_exp(log_ratio(process) * t)
                                : config->sigma_max * math_exp(log_ratio(process) * (t - 1.0));

    return (struct level){.alpha = 1.0, .sigma = sigma};
}

static struct level ve_slope(const struct process *process, double t, struct level here)
{
    (void)t;
    return (struct level){.alpha = 0.0, .sigma = here.sigma * log_ratio(process)};
}

static struct drift ve_drift(const struct process *process, double t)
{
    const double sigma = ve_level(process, t).sigma;

    return (struct drift){.f = 0.0, .g2 = 2.0 * sigma * sigma * log_ratio(process)};
}

static double ve_time(const struct process *process, double sigma)
{
    return math_log(sigma / process->config.sigma_min) / log_ratio(process);
}

static struct level linear_level(const struct process *process, double t)
{
    return (struct level){.alpha = 1.0, .sigma = process->config.sigma_q * sqrt(t)};
}

static struct level linear_slope(const struct process *process, double t, struct level here)
{
    (void)here;
    return (struct level){.alpha = 0.0, .sigma = process->config.sigma_q / (2.0 * sqrt(t))};
}

static struct drift linear_drift(const struct process *process, double t)
{
    (void)t;
    return (struct drift){.f = 0.0, .g2 = process->config.sigma_q * process->config.sigma_q};
}

static double linear_time(const struct process *process, double sigma)
{
    const double root = sigma / process->config.sigma_q;

    return root * root;
}

static bool check_levels(const struct process_config *config, struct error *error)
{
    if (config->level_count < 2 || config->level_count > PROCESS_LEVELS_MAX)
        return error_set(error, ERROR_INVALID, "levels must be 2..%d numbers", PROCESS_LEVELS_MAX);
    for (size_t i = 0; i < config->level_count; i++)
        if (!(config->levels[i] > 0.0) || (i > 0 && !(config->levels[i] < config->levels[i - 1])))
            return error_set(error, ERROR_INVALID,
                             "levels must be numbers above 0 that fall: levels[%zu] is %g", i,
                             config->levels[i]);
    return true;
}

static bool ve_check(const struct process_config *config, struct error *error)
{
    if (config->levels != NULL)
        return check_levels(config, error);
    return process_check_range("sigma_min", (const double[]){config->sigma_min, config->sigma_max},
                               1e5, error);
}

static bool linear_check(const struct process_config *config, struct error *error)
{
    return (config->sigma_q > 0.0 && config->sigma_q <= 1e4) ||
           error_set(error, ERROR_INVALID, "sigma_q must be above 0, at most 1e4, got %g",
                     config->sigma_q);
}

const struct process_kind process_ve_kind = {.check = ve_check,
                                             .name = "ve",
                                             .title = "ve",
                                             .level = ve_level,
                                             .slope = ve_slope,
                                             .drift = ve_drift,
                                             .time = ve_time,
                                             .sampling_eps = 1e-5,
                                             .heads = HEAD_BIT(EPSILON) | HEAD_BIT(SAMPLE) |
                                                      HEAD_BIT(SCORE)};

const struct process_kind process_ve_linear_kind = {.check = linear_check,
                                                    .name = "ve_linear",
                                                    .title = "ve_linear",
                                                    .level = linear_level,
                                                    .slope = linear_slope,
                                                    .drift = linear_drift,
                                                    .time = linear_time,
                                                    .sampling_eps = 1e-6,
                                                    .heads = HEAD_BIT(EPSILON) | HEAD_BIT(SAMPLE) |
                                                             HEAD_BIT(SCORE)};
