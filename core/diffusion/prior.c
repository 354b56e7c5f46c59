#include "core/diffusion/prior.h"

#include "core/base/math.h"

#include <stdio.h>

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
