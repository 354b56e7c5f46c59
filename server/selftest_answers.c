/* The exact answers of the two Gaussians themselves, and what follows from them by quadrature: the
 * least loss that a network can have, and the entropy of the data. */
#include "server/selftest.h"

#include "core/base/arena.h"
#include "core/base/math.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TABLE          "exact-mixture"
#define DEMO           "two-gaussians-demo"
#define FLOW           "exact-flow"
#define ANSWER         1e-5
#define FLOOR          2e-6
#define ENTROPY        1e-4
#define PI             3.14159265358979323846
#define PLACES         4096
#define MEANS_DISTANCE (3.0 * 1.4142135623730951) /* of either mean from 0 */

/* A model, and what it takes to ask it. */
struct oracle {
    const struct model *model;
    struct gang *gang;
    void *workspace;
};

static bool oracle_open(struct oracle *oracle, const struct selftest *selftest, const char *name,
                        struct error *error)
{
    *oracle = (struct oracle){.model = selftest_model(selftest, name, error)};
    if (oracle->model == NULL)
        return false;
    oracle->gang = gang_create(1, error);
    if (oracle->gang == NULL)
        return false;
    if (posix_memalign(&oracle->workspace, ARENA_ALIGN,
                       oracle->model->family->workspace_bytes(oracle->model, 1)) != 0)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a workspace");
    return true;
}

static void oracle_close(struct oracle *oracle)
{
    free(oracle->workspace);
    gang_destroy(oracle->gang);
}

/* Answers to (x, x), both coordinates alike, of which one is kept. */
static void oracle_ask(const struct oracle *oracle, struct level level, const float *x, size_t n,
                       float *answer)
{
    static float given[PLACES][2], got[PLACES][2];
    static struct place places[PLACES];

    for (size_t i = 0; i < n; i++) {
        given[i][0] = given[i][1] = x[i];
        places[i] = (struct place){.x = given[i], .output = got[i], .label = -1, .level = level};
    }
    oracle->model->family->evaluate(oracle->model, places, n, oracle->gang, oracle->workspace);
    for (size_t i = 0; i < n; i++)
        answer[i] = got[i][0];
}

static struct level level_of(double alpha_bar)
{
    return (struct level){.alpha = sqrt(alpha_bar), .sigma = sqrt(1.0 - alpha_bar)};
}

/* --- single points --- */

struct point {
    double t; /* of the table, from 1 */
    float x;
    double epsilon, x_0;
};

static const struct point points[] = {
    {250, 0.0F, .898955, -.856646}, {250, 1.0F, -.806372, 2.149755},
    {250, .25F, -.387487, .714584}, {500, 0.0F, .484368, -1.658543},
    {500, 1.0F, .348892, 2.372517},
};

static void check_point(struct selftest *selftest, const struct oracle *oracle,
                        const struct point *point)
{
    const struct level level =
        level_of(oracle->model->process.schedule.alpha_bar[(size_t)point->t - 1]);
    const struct conversion conversion = prediction_conversion(HEAD_EPSILON, level);
    float answer;
    char what[80];
    double x_0;

    oracle_ask(oracle, level, &point->x, 1, &answer);
    x_0 = conversion.x0_x * (double)point->x + conversion.x0_o * (double)answer;
    (void)snprintf(what, sizeof what, "epsilon at t = %g, x = (%g, %g)", point->t, (double)point->x,
                   (double)point->x);
    selftest_report_number(selftest, "10.1", what,
                           (double[]){(double)answer, point->epsilon, ANSWER});
    (void)snprintf(what, sizeof what, "x_0 at t = %g, x = (%g, %g)", point->t, (double)point->x,
                   (double)point->x);
    selftest_report_number(selftest, "10.1", what, (double[]){x_0, point->x_0, ANSWER});
}

/* Data minus noise, as tutorials have it: our velocity is noise minus data. */
static void check_velocity(struct selftest *selftest, const struct oracle *oracle, float x,
                           double expected)
{
    char what[80];
    float answer;

    oracle_ask(oracle, (struct level){.alpha = .5, .sigma = .5}, &x, 1, &answer);
    (void)snprintf(what, sizeof what, "flow, x_0 - x_1 at t = 0.5, x = (%g, %g)", (double)x,
                   (double)x);
    selftest_report_number(selftest, "10.1", what, (double[]){-(double)answer, expected, ANSWER});
}

/* --- by quadrature, across the line that separates the two --- */

#define REACH 14.0
#define STEP  0.05
enum { NODES = 561 }; /* 2 REACH / STEP + 1 */

/* E|epsilon - epsilon*|^2 over both dimensions = 2 - E|epsilon*|^2. Along the line through both
 * means x is a mixture of N(+-alpha 3 sqrt 2, 1), as the data have variance 1; across it x is
 * N(0, 1), and epsilon* is sigma x. */
static double least_error(const struct oracle *oracle, struct level level)
{
    const double mean = level.alpha * MEANS_DISTANCE, across = level.sigma * level.sigma;
    float x[NODES], answer[NODES];
    double along = 0.0;

    for (int i = 0; i < NODES; i++)
        x[i] = (float)((STEP * i - REACH) / sqrt(2.0));
    oracle_ask(oracle, level, x, NODES, answer);
    for (int i = 0; i < NODES; i++) {
        const double u = STEP * i - REACH, epsilon = (double)answer[i] * sqrt(2.0);
        const double density = .2 * math_exp(-(u - mean) * (u - mean) / 2.0) +
                               .8 * math_exp(-(u + mean) * (u + mean) / 2.0);

        along += STEP * density / sqrt(2.0 * PI) * epsilon * epsilon;
    }
    return 2.0 - across - along;
}

/* Of L_simple per dimension, mean over all t. */
static void check_floor(struct selftest *selftest, const struct oracle *oracle, double expected)
{
    const struct schedule *schedule = &oracle->model->process.schedule;
    const size_t timesteps = schedule->config.timesteps;
    double sum = 0.0;
    char what[80];

    for (size_t i = 0; i < timesteps; i++)
        sum += least_error(oracle, level_of(schedule->alpha_bar[i])) / 2.0;
    (void)snprintf(what, sizeof what, "least loss that a network can have, T = %zu", timesteps);
    selftest_report_number(selftest, "10.1", what,
                           (double[]){sum / (double)timesteps, expected, FLOOR});
}

#define LOG_SNR_STEP 0.05
enum { LOG_SNR_NODES = 641 }; /* -16..16 */

/* Guo, Shamai, Verdu 2005: nats of x = D/2 ln(2 pi e) - 1/2 integral of D/(1 + snr) - mmse(snr);
 * snr times mmse is the least error of epsilon. */
static void check_entropy(struct selftest *selftest, const struct oracle *oracle)
{
    double nats = math_log(2.0 * PI) + 1.0;

    for (int i = 0; i < LOG_SNR_NODES; i++) {
        const double log_snr = LOG_SNR_STEP * (i - LOG_SNR_NODES / 2);
        const double alpha_bar = 1.0 / (1.0 + math_exp(-log_snr));

        nats -= LOG_SNR_STEP / 2.0 * (2.0 * alpha_bar - least_error(oracle, level_of(alpha_bar)));
    }
    selftest_report_number(selftest, "10.1", "entropy of the data, nats, by their least error",
                           (double[]){nats, 3.33825, ENTROPY});
}

/* --- all of one model --- */

static void check_table(struct selftest *selftest, const struct oracle *oracle)
{
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++)
        check_point(selftest, oracle, &points[i]);
    check_floor(selftest, oracle, .319049);
    check_entropy(selftest, oracle);
}

static void check_demo(struct selftest *selftest, const struct oracle *oracle)
{
    check_floor(selftest, oracle, .745350);
}

static void check_flow(struct selftest *selftest, const struct oracle *oracle)
{
    check_velocity(selftest, oracle, 0.0F, -1.8);
    check_velocity(selftest, oracle, 1.0F, 2.999853);
}

static void check(struct selftest *selftest, const char *model,
                  void (*rows)(struct selftest *selftest, const struct oracle *oracle))
{
    struct oracle oracle;
    struct error error;

    if (oracle_open(&oracle, selftest, model, &error))
        rows(selftest, &oracle);
    else
        selftest_report_failure(selftest, "10.1", model, &error);
    oracle_close(&oracle);
}

void selftest_answers(struct selftest *selftest)
{
    check(selftest, TABLE, check_table);
    check(selftest, DEMO, check_demo);
    check(selftest, FLOW, check_flow);
}
