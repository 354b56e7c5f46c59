/* prediction.h - what a network's raw output says about x_0 and the noise.
 *
 * x = alpha x_0 + sigma epsilon. Every head is linear in x and in the output o, so a conversion
 * is four numbers, each straight from the head, never one through the other: then alpha may be 0
 * (zero terminal SNR, the start of a flow) for the heads that allow it. Salimans & Ho 2022 for v,
 * Lipman et al. 2022 for velocity, noise minus data as diffusers has it. Doubles. */
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
    X(V, "v_prediction")                                                                           \
    X(SCORE, "score")                                                                              \
    X(VELOCITY, "velocity")

enum head {
#define HEAD_ENUM(code, name) HEAD_##code,
    HEADS(HEAD_ENUM)
#undef HEAD_ENUM
};

/* x_0 = x0_x * x + x0_o * o;  epsilon = epsilon_x * x + epsilon_o * o. */
struct conversion {
    double x0_x, x0_o, epsilon_x, epsilon_o;
};

/* A value that is x * its x and o * the output. */
struct linear {
    double x, o;
};

/* What a head cannot say at a level: no x_0 from epsilon or score where alpha is 0, no epsilon from
 * sample where sigma is 0. A sampler that would ask is refused by its plan. */
bool prediction_has_x0(enum head head, struct level level);
bool prediction_has_epsilon(enum head head, struct level level);

/* NaN stands for what the head cannot say there. */
struct conversion prediction_conversion(enum head head, struct level level);

/* The score of x's density, -epsilon / sigma. Where sigma is 0 only the head score has it. */
struct linear prediction_score(enum head head, struct level level);

/* The raw output that says x_0 and epsilon at this level: an exact model answers with it. Of score
 * sigma must be above 0. */
double prediction_output(enum head head, struct level level, double x_0, double epsilon);

/* Its name in the config. */
const char *head_name(enum head head);

#endif
