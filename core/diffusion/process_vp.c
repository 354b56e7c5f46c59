/* VP and sub-VP (Song et al. 2021, eq. 32-33 and 35): beta rises linearly from beta_min to beta_max
 * over t in 0..1, and alpha is the same in both. */
#include "core/base/math.h"
#include "core/diffusion/process.h"

#include <math.h>

static double beta(const struct process *process, double t)
{
    const struct process_config *config = &process->config;

    return config->beta_min + (config->beta_max - config->beta_min) * t;
}

static double log_alpha(const struct process *process, double t)
{
    const struct process_config *config = &process->config;

    return -(config->beta_max - config->beta_min) * t * t / 4.0 - config->beta_min * t / 2.0;
}

/* t at which alpha^2 = exp(-spent). */
static double time_of(const struct process *process, double spent)
{
    const struct process_config *config = &process->config;
    const double range = config->beta_max - config->beta_min;
    const double root = sqrt(config->beta_min * config->beta_min + 2.0 * range * spent);

    return 2.0 * spent / (root + config->beta_min); /* (root - beta_min) / range */
}

static struct level vp_level(const struct process *process, double t)
{
    const double log = log_alpha(process, t);

    return (struct level){.alpha = math_exp(log), .sigma = sqrt(-math_expm1(2.0 * log))};
}

static struct level vp_slope(const struct process *process, double t, struct level here)
{
    const double b = beta(process, t);

    return (struct level){.alpha = -b * here.alpha / 2.0,
                          .sigma = b * here.alpha * here.alpha / (2.0 * here.sigma)};
}

static struct drift vp_drift(const struct process *process, double t)
{
    const double b = beta(process, t);

    return (struct drift){.f = -b / 2.0, .g2 = b};
}

static double vp_time(const struct process *process, double sigma)
{
    return time_of(process, math_log1p(sigma * sigma));
}

static struct level sub_vp_level(const struct process *process, double t)
{
    const double log = log_alpha(process, t);

    return (struct level){.alpha = math_exp(log), .sigma = -math_expm1(2.0 * log)};
}

static struct level sub_vp_slope(const struct process *process, double t, struct level here)
{
    const double b = beta(process, t);

    return (struct level){.alpha = -b * here.alpha / 2.0, .sigma = b * here.alpha * here.alpha};
}

static struct drift sub_vp_drift(const struct process *process, double t)
{
    const double b = beta(process, t);

    return (struct drift){.f = -b / 2.0, .g2 = -b * math_expm1(4.0 * log_alpha(process, t))};
}

/* sigma = (1 - a^2) / a, so a = (sqrt(sigma^2 + 4) - sigma) / 2 = 2 / (sqrt(sigma^2 + 4) + sigma),
 * and -ln a^2 = 2 asinh(sigma / 2). */
static double sub_vp_time(const struct process *process, double sigma)
{
    const double half = sigma / 2.0;
    const double root = half * half / (sqrt(half * half + 1.0) + 1.0); /* sqrt(1 + h^2) - 1 */

    return time_of(process, 2.0 * math_log1p(half + root));
}

static bool check(const struct process_config *config, struct error *error)
{
    return process_check_range("beta_min", (const double[]){config->beta_min, config->beta_max},
                               1000.0, error);
}

const struct process_kind process_vp_kind = {.check = check,
                                             .name = "vp",
                                             .title = "vp",
                                             .level = vp_level,
                                             .slope = vp_slope,
                                             .drift = vp_drift,
                                             .time = vp_time,
                                             .sampling_eps = 1e-3,
                                             .heads = HEAD_BIT(EPSILON) | HEAD_BIT(SAMPLE) |
                                                      HEAD_BIT(SCORE) | HEAD_BIT(V)};

const struct process_kind process_sub_vp_kind = {.check = check,
                                                 .name = "sub_vp",
                                                 .title = "sub_vp",
                                                 .level = sub_vp_level,
                                                 .slope = sub_vp_slope,
                                                 .drift = sub_vp_drift,
                                                 .time = sub_vp_time,
                                                 .sampling_eps = 1e-3,
                                                 .heads = HEAD_BIT(EPSILON) | HEAD_BIT(SAMPLE) |
                                                          HEAD_BIT(SCORE)};
