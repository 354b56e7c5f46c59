/* prediction.h - what a network's raw output says about x_0 and the noise.
 *
 * x = alpha x_0 + sigma epsilon. Every head is linear in x and in the output o, so a conversion
 * is four numbers, each straight from the head, never one through the other: then alpha may be 0
 * (zero terminal SNR) for the heads that allow it. Salimans & Ho 2022 for v. Doubles. */
#ifndef PREDICTION_H
#define PREDICTION_H

#include <stdbool.h>

/* How much signal and noise x holds. */
struct level {
    double alpha, sigma;
};

/* Each head once: constant, its name in scheduler_config.json. */
#define HEADS(X)                                                                                   \
    X(EPSILON, "epsilon")                                                                          \
    X(SAMPLE, "sample")                                                                            \
    X(V, "v_prediction")

enum head {
#define HEAD_ENUM(code, name) HEAD_##code,
    HEADS(HEAD_ENUM)
#undef HEAD_ENUM
};

/* x_0 = x0_x * x + x0_o * o;  epsilon = epsilon_x * x + epsilon_o * o. */
struct conversion {
    double x0_x, x0_o, epsilon_x, epsilon_o;
};

struct conversion prediction_conversion(enum head head, struct level level);

/* The raw output that says x_0 and epsilon at this level: an exact model answers with it. */
double prediction_output(enum head head, struct level level, double x_0, double epsilon);

#endif
