/* The forward process: x_t and the noise in it, in one shot and step by step. */
#include "server/selftest_ask.h"

#include "core/diffusion/probe_noise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE       "exact-mixture"
#define SHOTS       20000
#define SHOTS_FULL  100000
#define CHAINS      4000 /* of a thousand steps each */
#define IDENTITY    1e-6
#define EXACT       1e-12
#define CHECKED     100 /* rows of which the identity is looked at */
#define ERRORS      3.0 /* standard errors that a mean or a variance may be off */
#define FIELDS_SIZE 120

static const float x_0[] = {3.5F, -2.0F};

static const struct noising {
    uint32_t seed; /* of the first row; no two share a draw */
    const char *model;
    double t;
    bool walks;            /* whether the chain is looked at, too */
    double mean, variance; /* of x_t, of an x_0 of 1; NAN: not known */
} noisings[] = {
    {100000, TABLE, 499, false, (double)NAN, .92141275712},
    {200000, TABLE, 999, true, .006352817931, .9999596417},
    {300000, "exact-vp", .5, false, .28118288080, .92093618755},
    {400000, "exact-sub-vp", .5, false, .28118288080, .84812346},
    {1100000, "exact-ve", .5, false, 1, .5},
    {600000, "exact-ve-linear", .36, true, 1, 36},
    {700000, "exact-ou", .69314718056, true, .5, .75},
    {800000, "exact-flow", .25, true, .75, .0625},
    {900000, "exact-flow-annulus", .25, false, .75, (double)NAN},
    {1000000, "exact-consistency", 2, false, 1, 4},
};

/* What many rows with the same x_0 became. */
struct noised {
    size_t n;
    float *x;
    double *x_t, *eps; /* n points */
    double alpha, sigma;
};

static bool noised_init(struct noised *noised, size_t n, struct error *error)
{
    *noised = (struct noised){.n = n};
    noised->x = malloc(2 * n * sizeof *noised->x);
    noised->x_t = malloc(4 * n * sizeof *noised->x_t);
    if (noised->x == NULL || noised->x_t == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu points", n);
    noised->eps = noised->x_t + 2 * n;
    for (size_t i = 0; i < n; i++)
        memcpy(noised->x + 2 * i, x_0, sizeof x_0);
    return true;
}

static void noised_finish(struct noised *noised)
{
    free(noised->x);
    free(noised->x_t);
}

static bool take(struct selftest *selftest, const struct noising *noising, bool is_chain,
                 struct noised *noised, struct error *error)
{
    char fields[FIELDS_SIZE];
    const struct selftest_question question = {
        .path = "/noise", .rows = "x_0", .fields = fields, .has_seed = true, .seed = noising->seed};
    const struct selftest_points_asked points = {.x = noised->x,
                                                 .n = noised->n,
                                                 .columns = {{"x_t", 2, noised->x_t},
                                                             {"eps", 2, noised->eps},
                                                             {"alpha", 0, &noised->alpha},
                                                             {"sigma", 0, &noised->sigma}}};

    (void)snprintf(fields, sizeof fields, "\"model\":\"%s\",\"t\":%.12g%s", noising->model,
                   noising->t, is_chain ? ",\"chain\":true" : "");
    return selftest_ask(selftest, &question, &points, error);
}

/* --- A3: what x_t is made of --- */

static double distance_from_identity(const struct noised *noised)
{
    double farthest = 0.0;

    for (size_t i = 0; i < 2 * (size_t)CHECKED; i++) {
        const double x = noised->alpha * (double)noised->x[i] + noised->sigma * noised->eps[i];

        farthest = fmax(farthest, fabs(noised->x_t[i] - x) / fmax(1.0, fabs(x)));
    }
    return farthest;
}

static void report_identity(struct selftest *selftest, const struct noising *noising, bool is_chain,
                            const struct noised *noised)
{
    char what[100];

    (void)snprintf(what, sizeof what, "%s, t = %g%s: farthest of x_t from its parts",
                   noising->model, noising->t, is_chain ? ", step by step" : "");
    selftest_report_number(selftest, is_chain ? "A4" : "A3", what,
                           (double[]){distance_from_identity(noised), 0.0, IDENTITY});
}

/* --- A3, A4: where many rows are --- */

/* The farthest of both means, both variances and the covariance, in standard errors. */
static double standard_errors(const struct noised *noised, double mean, double variance)
{
    const double n = (double)noised->n;
    double sum[2] = {0.0, 0.0}, square[2] = {0.0, 0.0}, product = 0.0, farthest;

    for (size_t i = 0; i < noised->n; i++) {
        const double x = noised->x_t[2 * i] - mean * (double)x_0[0];
        const double y = noised->x_t[2 * i + 1] - mean * (double)x_0[1];

        sum[0] += x / n;
        sum[1] += y / n;
        square[0] += x * x / n;
        square[1] += y * y / n;
        product += x * y / n;
    }
    farthest = fabs(product) / variance * sqrt(n);
    for (size_t i = 0; i < 2; i++) {
        farthest = fmax(farthest, fabs(sum[i]) / sqrt(variance / n));
        farthest = fmax(farthest, fabs(square[i] / variance - 1.0) / sqrt(2.0 / n));
    }
    return farthest;
}

static void report_moments(struct selftest *selftest, const struct noising *noising, bool is_chain,
                           const struct noised *noised)
{
    const double mean = isnan(noising->mean) ? noised->alpha : noising->mean;
    char what[100];

    if (isnan(noising->variance))
        return;
    (void)snprintf(what, sizeof what, "%s, t = %g%s: means, covariances, in standard errors",
                   noising->model, noising->t, is_chain ? ", step by step" : "");
    selftest_report_number(
        selftest, is_chain ? "A4" : "A3", what,
        (double[]){standard_errors(noised, mean, noising->variance), 0.0, ERRORS});
}

static void check(struct selftest *selftest, const struct noising *noising, bool is_chain)
{
    const size_t shots = selftest->is_full ? SHOTS_FULL : SHOTS;
    const size_t n = is_chain && !selftest->is_full ? CHAINS : shots;
    struct noised noised;
    struct error error;

    if (noised_init(&noised, n, &error) && take(selftest, noising, is_chain, &noised, &error)) {
        report_identity(selftest, noising, is_chain, &noised);
        report_moments(selftest, noising, is_chain, &noised);
    } else {
        selftest_report_failure(selftest, is_chain ? "A4" : "A3", noising->model, &error);
    }
    noised_finish(&noised);
}

/* --- A3: given noise --- */

static bool ask_given(struct selftest *selftest, const double *eps, double *x_t,
                      struct error *error)
{
    char fields[FIELDS_SIZE];
    const struct selftest_question question = {.path = "/noise", .rows = "x_0", .fields = fields};
    const struct selftest_points_asked points = {
        .x = x_0, .n = 1, .columns = {{"x_t", 2, x_t}, {.name = NULL}}};

    (void)snprintf(fields, sizeof fields, "\"model\":\"" TABLE "\",\"t\":499,\"eps\":[[%.9g,%.9g]]",
                   eps[0], eps[1]);
    return selftest_ask(selftest, &question, &points, error);
}

/* How many values differ between an eps that is drawn and the same eps given back, twice. */
static bool given_noise(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct noising noising = {.seed = 1000, .model = TABLE, .t = 499};
    struct noised noised;
    double x_t[2][2];
    bool is_good = noised_init(&noised, 1, error) &&
                   take(selftest, &noising, false, &noised, error) &&
                   ask_given(selftest, noised.eps, x_t[0], error) &&
                   ask_given(selftest, noised.eps, x_t[1], error);

    for (size_t i = 0; is_good && i < 2; i++)
        numbers[0] += (x_t[0][i] != noised.x_t[i]) + (x_t[1][i] != noised.x_t[i]);
    noised_finish(&noised);
    return is_good;
}

/* --- A4: a process that no shipped model has --- */

static bool finite_level(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct process_config config = process_config_default(PROCESS_OU_FINITE);
    struct process process;
    struct plan *plan;

    (void)selftest;
    if (!process_init(&process, &config, error))
        return false;
    plan = noise_plan(
        &(struct noise_question){
            .process = &process, .dim = 2, .output_dim = 2, .t = .5, .is_chain = true},
        error);
    if (plan != NULL) {
        const struct level level = noise_level(plan);

        numbers[0] = fabs(level.alpha - .5) + fabs(level.sigma * level.sigma - .75);
        numbers[2] = EXACT;
    }
    plan_destroy(plan);
    process_finish(&process);
    return plan != NULL;
}

static const struct selftest_rule rules[] = {
    {"A3", "an eps that was drawn, given twice: values of x_t that differ", given_noise,
     SELFTEST_ALWAYS},
    {"A4", "ou_finite, t' = 0.5: mean .5 and variance .75, difference", finite_level,
     SELFTEST_LOCAL},
};

void selftest_noise(struct selftest *selftest)
{
    for (size_t i = 0; i < sizeof noisings / sizeof noisings[0]; i++) {
        check(selftest, &noisings[i], false);
        if (noisings[i].walks)
            check(selftest, &noisings[i], true);
    }
    selftest_judge_all(selftest, rules, sizeof rules / sizeof rules[0]);
}
