/* Ornstein-Uhlenbeck, dx = -x dt + sqrt(2) dw, in its own time and in t' = 1 - exp(-t), where it
 * ends at 1. */
#include "core/base/math.h"
#include "core/diffusion/process.h"

#include <math.h>

static struct level ou_level(const struct process *process, double t)
{
    (void)process;
    return (struct level){.alpha = math_exp(-t), .sigma = sqrt(-math_expm1(-2.0 * t))};
}

static struct level ou_slope(const struct process *process, double t, struct level here)
{
    (void)process;
    (void)t;
    return (struct level){.alpha = -here.alpha, .sigma = here.alpha * here.alpha / here.sigma};
}

static struct drift ou_drift(const struct process *process, double t)
{
    (void)process;
    (void)t;
    return (struct drift){.f = -1.0, .g2 = 2.0};
}

static double ou_time(const struct process *process, double sigma)
{
    (void)process;
    return math_log1p(sigma * sigma) / 2.0;
}

static struct level finite_level(const struct process *process, double t)
{
    (void)process;
    return (struct level){.alpha = 1.0 - t, .sigma = sqrt(t * (2.0 - t))};
}

static struct level finite_slope(const struct process *process, double t, struct level here)
{
    (void)process;
    return (struct level){.alpha = -1.0, .sigma = (1.0 - t) / here.sigma};
}

static struct drift finite_drift(const struct process *process, double t)
{
    (void)process;
    return (struct drift){.f = -1.0 / (1.0 - t), .g2 = 2.0 / (1.0 - t)};
}

static double finite_time(const struct process *process, double sigma)
{
    (void)process;
    return 1.0 - 1.0 / sqrt(1.0 + sigma * sigma);
}

static bool ou_check(const struct process_config *config, struct error *error)
{
    return (config->t_max >= .5 && config->t_max <= 20.0) ||
           error_set(error, ERROR_INVALID, "t_max must be 0.5..20, got %g", config->t_max);
}

const struct process_kind process_ou_kind = {.check = ou_check,
                                             .name = "ou",
                                             .title = "ou",
                                             .level = ou_level,
                                             .slope = ou_slope,
                                             .drift = ou_drift,
                                             .time = ou_time,
                                             .sampling_eps = 1e-4,
                                             .heads = HEAD_BIT(EPSILON) | HEAD_BIT(SAMPLE) |
                                                      HEAD_BIT(SCORE) | HEAD_BIT(V)};

const struct process_kind process_ou_finite_kind = {.name = "ou_finite",
                                                    .title = "ou_finite",
                                                    .level = finite_level,
                                                    .slope = finite_slope,
                                                    .drift = finite_drift,
                                                    .time = finite_time,
                                                    .sampling_eps = 1e-4,
                                                    .heads = HEAD_BIT(EPSILON) | HEAD_BIT(SAMPLE) |
                                                             HEAD_BIT(SCORE) | HEAD_BIT(V)};
