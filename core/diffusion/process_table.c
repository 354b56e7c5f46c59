/* A beta table in continuous time t = (i + 1) / T, t = 0 being the data: VP whose ln alpha_bar runs
 * through the table as a monotone cubic (PCHIP, Fritsch & Carlson 1980, with slopes that are
 * harmonic means). Straight lines would make beta jump at every entry, and adaptive solvers pay. */
#include "core/base/math.h"
#include "core/diffusion/process.h"

#include <math.h>

/* y and dy/dt at t; dy/dt is -beta. */
static void at(const struct process *process, double t, double *value, double *rate)
{
    const struct curve *curve = &process->curve;
    const size_t last = process->schedule.config.timesteps;
    const double within = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
    const double position = within * (double)last;
    const size_t i = position < (double)last ? (size_t)position : last - 1;
    const double w = position - (double)i;
    const double d = curve->value[i + 1] - curve->value[i];
    const double m = curve->slope[i], square = 3.0 * d - 2.0 * m - curve->slope[i + 1];
    const double cube = m + curve->slope[i + 1] - 2.0 * d;

    *value = curve->value[i] + w * (m + w * (square + w * cube));
    *rate = (double)last * (m + w * (2.0 * square + w * 3.0 * cube));
}

static struct level level(const struct process *process, double t)
{
    double value, rate;

    at(process, t, &value, &rate);
    return (struct level){.alpha = math_exp(value / 2.0), .sigma = sqrt(-math_expm1(value))};
}

static struct level slope(const struct process *process, double t, struct level here)
{
    double value, rate;

    at(process, t, &value, &rate);
    return (struct level){.alpha = here.alpha * rate / 2.0,
                          .sigma = -here.alpha * here.alpha * rate / (2.0 * here.sigma)};
}

static struct drift drift(const struct process *process, double t)
{
    double value, rate;

    at(process, t, &value, &rate);
    return (struct drift){.f = rate / 2.0, .g2 = -rate};
}

const struct process_kind process_table_kind = {.name = "table",
                                                .title = "a beta table",
                                                .level = level,
                                                .slope = slope,
                                                .drift = drift,
                                                .heads = HEAD_BIT(EPSILON) | HEAD_BIT(SAMPLE) |
                                                         HEAD_BIT(SCORE) | HEAD_BIT(V)};
