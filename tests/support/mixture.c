#include "tests/support/mixture.h"
#include "core/base/math.h"

#include <math.h>

static const double weight[] = {.2, .8};
static const double mean[] = {3.0, -3.0}; /* of both coordinates */

/* The share of each mode in x, whose density is N(alpha m, alpha^2 + sigma^2). */
static void find_shares(struct level level, int label, const float *x, double *share)
{
    const double variance = level.alpha * level.alpha + level.sigma * level.sigma;
    /* ln of the ratio of both densities: |x - alpha m|^2 differs by 4 alpha m (x + y). */
    const double sum = (double)x[0] + (double)x[1];
    const double log_ratio = -2.0 * level.alpha * mean[0] * sum / variance;

    share[0] = label == 0 ? 1.0 : 1.0 / (1.0 + weight[1] / weight[0] * math_exp(log_ratio));
    share[1] = 1.0 - share[0];
}

void mixture_output(enum head head, struct level level, int label, const float *x, float *output)
{
    const double variance = level.alpha * level.alpha + level.sigma * level.sigma;
    double share[2];

    find_shares(level, label, x, share);
    for (int i = 0; i < MIXTURE_DIM; i++) {
        double x_0 = 0.0, score = 0.0;

        for (int k = 0; k < 2; k++) {
            const double q = (level.alpha * mean[k] - (double)x[i]) / variance;

            score += share[k] * q;
            x_0 += share[k] * (mean[k] - level.alpha * q);
        }
        output[i] = (float)prediction_output(head, level, x_0, -level.sigma * score);
    }
}

void mixture_score(struct level level, int label, const float *x, float *score)
{
    const double variance = level.alpha * level.alpha + level.sigma * level.sigma;
    double share[2];

    find_shares(level, label, x, share);
    for (int i = 0; i < MIXTURE_DIM; i++) {
        double sum = 0.0;

        for (int k = 0; k < 2; k++)
            sum += share[k] * (level.alpha * mean[k] - (double)x[i]) / variance;
        score[i] = (float)sum;
    }
}

/* Both traces are linear in those of x_0 and of epsilon, as the output is in the two. */
double mixture_divergence(enum head head, struct level level, int label, const float *x)
{
    const double variance = level.alpha * level.alpha + level.sigma * level.sigma;
    double share[2], score[2] = {0.0, 0.0}, square = 0.0, of_score, of_x_0;

    find_shares(level, label, x, share);
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < MIXTURE_DIM; i++) {
            const double q = (level.alpha * mean[k] - (double)x[i]) / variance;

            score[i] += share[k] * q;
            square += share[k] * q * q;
        }
    of_score = square - MIXTURE_DIM / variance - score[0] * score[0] - score[1] * score[1];
    of_x_0 = (MIXTURE_DIM + level.sigma * level.sigma * of_score) / level.alpha; /* Tweedie */
    return prediction_output(head, level, of_x_0, -level.sigma * of_score);
}

double mixture_log_density(struct level level, const float *x)
{
    const double variance = level.alpha * level.alpha + level.sigma * level.sigma;
    double sum = 0.0;

    for (int k = 0; k < 2; k++) {
        const double a = (double)x[0] - level.alpha * mean[k];
        const double b = (double)x[1] - level.alpha * mean[k];

        sum += weight[k] * exp(-(a * a + b * b) / (2.0 * variance));
    }
    return log(sum / (2.0 * acos(-1.0) * variance));
}
