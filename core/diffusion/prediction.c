#include "core/diffusion/prediction.h"

#include <math.h>

/* Of the three heads that divide. */
static double over(double numerator, double denominator)
{
    return denominator > 0.0 ? numerator / denominator : (double)NAN;
}

static struct conversion epsilon_conversion(struct level level)
{
    return (struct conversion){.x0_x = over(1.0, level.alpha),
                               .x0_o = over(-level.sigma, level.alpha),
                               .epsilon_x = 0.0,
                               .epsilon_o = 1.0};
}

static struct conversion sample_conversion(struct level level)
{
    return (struct conversion){.x0_x = 0.0,
                               .x0_o = 1.0,
                               .epsilon_x = over(1.0, level.sigma),
                               .epsilon_o = over(-level.alpha, level.sigma)};
}

/* Tweedie: x_0 = (x + sigma^2 score) / alpha. */
static struct conversion score_conversion(struct level level)
{
    return (struct conversion){.x0_x = over(1.0, level.alpha),
                               .x0_o = over(level.sigma * level.sigma, level.alpha),
                               .epsilon_x = 0.0,
                               .epsilon_o = -level.sigma};
}

/* o = epsilon - x_0, and alpha + sigma = 1. */
static struct conversion velocity_conversion(struct level level)
{
    return (struct conversion){
        .x0_x = 1.0, .x0_o = -level.sigma, .epsilon_x = 1.0, .epsilon_o = level.alpha};
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

static double score_output(struct level level, double x_0, double epsilon)
{
    (void)x_0;
    return -epsilon / level.sigma;
}

static double velocity_output(struct level level, double x_0, double epsilon)
{
    (void)level;
    return epsilon - x_0;
}

static const struct {
    struct conversion (*conversion)(struct level level);
    double (*output)(struct level level, double x_0, double epsilon);
} heads[] = {
    [HEAD_EPSILON] = {epsilon_conversion, epsilon_output},
    [HEAD_SAMPLE] = {sample_conversion, sample_output},
    [HEAD_V] = {v_conversion, v_output},
    [HEAD_SCORE] = {score_conversion, score_output},
    [HEAD_VELOCITY] = {velocity_conversion, velocity_output},
};

struct conversion prediction_conversion(enum head head, struct level level)
{
    return heads[head].conversion(level);
}

bool prediction_has_x0(enum head head, struct level level)
{
    return level.alpha > 0.0 || (head != HEAD_EPSILON && head != HEAD_SCORE);
}

bool prediction_has_epsilon(enum head head, struct level level)
{
    return level.sigma > 0.0 || head != HEAD_SAMPLE;
}

struct linear prediction_score(enum head head, struct level level)
{
    const struct conversion conversion = prediction_conversion(head, level);

    if (head == HEAD_SCORE)
        return (struct linear){.x = 0.0, .o = 1.0};
    return (struct linear){.x = over(-conversion.epsilon_x, level.sigma),
                           .o = over(-conversion.epsilon_o, level.sigma)};
}

double prediction_output(enum head head, struct level level, double x_0, double epsilon)
{
    return heads[head].output(level, x_0, epsilon);
}

const char *head_name(enum head head)
{
    static const char *const names[] = {
#define HEAD_NAME(code, name) name,
        HEADS(HEAD_NAME)
#undef HEAD_NAME
    };

    return names[head];
}
