#include "core/diffusion/prior.h"

#include "core/base/math.h"

#include <math.h>
#include <stdio.h>

#define TWO_PI 0x1.921fb54442d18p+2

static double square_norm(const float *x, size_t dim)
{
    double sum = 0.0;

    for (size_t i = 0; i < dim; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static double annulus_log_density(const struct process_config *config, const float *x)
{
    const double inner = config->base_low * config->base_low;
    const double outer = config->base_high * config->base_high;
    const double square = square_norm(x, 2);

    return square < inner || square > outer ? -(double)INFINITY
                                            : -math_log(TWO_PI / 2.0 * (outer - inner));
}

static double uniform_log_density(const struct process_config *config, const float *x, size_t dim)
{
    for (size_t i = 0; i < dim; i++)
        if ((double)x[i] < config->base_low || (double)x[i] > config->base_high)
            return -(double)INFINITY;
    return -(double)dim * math_log(config->base_high - config->base_low);
}

double prior_log_density(const struct process *process, const float *x, size_t dim)
{
    const struct process_config *config = &process->config;
    const double scale = process_start_scale(process), variance = scale * scale;

    if (config->type == PROCESS_FLOW && config->base == FLOW_BASE_ANNULUS)
        return annulus_log_density(config, x);
    if (config->type == PROCESS_FLOW && config->base == FLOW_BASE_UNIFORM)
        return uniform_log_density(config, x, dim);
    return -((double)dim * math_log(TWO_PI * variance) + square_norm(x, dim) / variance) / 2.0;
}

/* KL(N(alpha x_0, sigma^2 I), N(0, s^2 I)) = (D (r - 1 - ln r) + alpha^2 |x_0|^2 / s^2) / 2 with
 * r = sigma^2 / s^2. */
bool prior_kl(const struct process *process, size_t dim, double energy, double *nats)
{
    const double scale = process_start_scale(process);
    struct level level;
    double excess;

    if (process->config.type == PROCESS_FLOW && !process_has_sigma(process))
        return false;
    if (process->config.type == PROCESS_TABLE) {
        *nats = schedule_prior_kl(&process->schedule, dim, energy);
        return true;
    }
    level = process_level(process, process_t_max(process));
    excess = level.sigma * level.sigma / (scale * scale) - 1.0;
    *nats = ((double)dim * (excess - math_log1p(excess)) +
             level.alpha * level.alpha * energy / (scale * scale)) /
            2.0;
    return true;
}

bool prior_warning(const struct process *process, size_t dim, double energy,
                   char text[PRIOR_WARNING_SIZE])
{
    double nats;

    text[0] = '\0';
    if (!prior_kl(process, dim, energy < 0.0 ? 0.0 : energy, &nats) ||
        nats <= PRIOR_KL_MAX * (double)dim)
        return false;
    (void)snprintf(text, PRIOR_WARNING_SIZE,
                   "the end of the noise process is %s%.6g nats from the prior (%.3g a dimension): "
                   "samples that start there are not of the data",
                   energy < 0.0 ? "at least " : "", nats, nats / (double)dim);
    return true;
}
