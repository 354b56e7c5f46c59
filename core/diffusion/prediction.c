#include "core/diffusion/prediction.h"

#include <assert.h>

static struct conversion epsilon_conversion(struct level level)
{
    assert(level.alpha > 0.0);
    return (struct conversion){.x0_x = 1.0 / level.alpha,
                               .x0_o = -level.sigma / level.alpha,
                               .epsilon_x = 0.0,
                               .epsilon_o = 1.0};
}

static struct conversion sample_conversion(struct level level)
{
    assert(level.sigma > 0.0);
    return (struct conversion){.x0_x = 0.0,
                               .x0_o = 1.0,
                               .epsilon_x = 1.0 / level.sigma,
                               .epsilon_o = -level.alpha / level.sigma};
}

/* Salimans & Ho 2022, appendix D; alpha^2 + sigma^2 = 1. */
static struct conversion v_conversion(struct level level)
{
    return (struct conversion){.x0_x = level.alpha,
                               .x0_o = -level.sigma,
                               .epsilon_x = level.sigma,
                               .epsilon_o = level.alpha};
}

static double epsilon_output(struct level level, double x_0, double epsilon)
{
    (void)level;
    (void)x_0;
    return epsilon;
}

static double sample_output(struct level level, double x_0, double epsilon)
{
    (void)level;
    (void)epsilon;
    return x_0;
}

static double v_output(struct level level, double x_0, double epsilon)
{
    return level.alpha * epsilon - level.sigma * x_0;
}

static const struct {
    struct conversion (*conversion)(struct level level);
    double (*output)(struct level level, double x_0, double epsilon);
} heads[] = {
    [HEAD_EPSILON] = {epsilon_conversion, epsilon_output},
    [HEAD_SAMPLE] = {sample_conversion, sample_output},
    [HEAD_V] = {v_conversion, v_output},
};

struct conversion prediction_conversion(enum head head, struct level level)
{
    return heads[head].conversion(level);
}

double prediction_output(enum head head, struct level level, double x_0, double epsilon)
{
    return heads[head].output(level, x_0, epsilon);
}
