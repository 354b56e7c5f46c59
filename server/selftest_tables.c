/* Rows without a chain: tables of noise, the distance of their end from the prior, the exact answer
 * of a mixture at one point. */
#include "server/selftest.h"

#include "core/diffusion/prior.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXACT 1e-9 /* relative, of the table in double */

struct entry {
    enum beta_schedule schedule;
    const char *name;
    size_t timesteps, t; /* t from 1 */
    double beta, alpha_bar;
};

/* beta 0: not said. */
static const struct entry entries[] = {
    {BETA_LINEAR, "linear", 1000, 1, .0001, .9999},
    {BETA_LINEAR, "linear", 1000, 2, .0001199199199, .9997800921},
    {BETA_LINEAR, "linear", 1000, 100, .002072072072, .8970181457},
    {BETA_LINEAR, "linear", 1000, 500, .01004004004, .07858724288},
    {BETA_LINEAR, "linear", 1000, 1000, .02, 4.035829765e-5},
    {BETA_LINEAR, "linear", 100, 100, .02, .3635632481},
    {BETA_SCALED_LINEAR, "scaled_linear", 1000, 500, 0, .3331877674},
    {BETA_SCALED_LINEAR, "scaled_linear", 1000, 1000, 0, 7.334124596e-4},
    {BETA_SQUAREDCOS_CAP_V2, "squaredcos_cap_v2", 1000, 500, 0, .4938435904},
    {BETA_SQUAREDCOS_CAP_V2, "squaredcos_cap_v2", 1000, 1000, 0, 2.428766907e-9},
    {BETA_SIGMOID, "sigmoid", 1000, 500, 0, .3019310566},
    {BETA_SIGMOID, "sigmoid", 1000, 1000, 0, 3.968181991e-5},
    {BETA_CONST, "const", 1000, 500, 0, 4.102398515e-5},
    {BETA_CONST, "const", 1000, 1000, 0, 1.682967357e-9},
    {BETA_JSD, "jsd", 1000, 500, 0, .5},
    {BETA_LAPLACE, "laplace", 1000, 500, 0, .7074601578},
    {BETA_LAPLACE, "laplace", 1000, 1000, 0, .0316227766},
    {BETA_EXP, "exp", 1000, 500, 0, .002478752177},
};

static void check_entry(struct selftest *selftest, const struct entry *entry)
{
    struct schedule_config config = schedule_config_default();
    struct schedule schedule;
    struct error error;
    char what[80];

    config.beta_schedule = entry->schedule;
    config.timesteps = entry->timesteps;
    config.head = HEAD_V; /* jsd ends at 0, where epsilon says nothing */
    (void)snprintf(what, sizeof what, "alpha_bar of %s, T = %zu, t = %zu", entry->name,
                   entry->timesteps, entry->t);
    if (!schedule_init(&schedule, &config, &error)) {
        selftest_report_failure(selftest, "A1", what, &error);
        return;
    }
    selftest_report_number(
        selftest, "A1", what,
        (double[]){schedule.alpha_bar[entry->t - 1], entry->alpha_bar, EXACT * entry->alpha_bar});
    if (entry->beta != 0.0) {
        (void)snprintf(what, sizeof what, "beta of %s, t = %zu", entry->name, entry->t);
        selftest_report_number(
            selftest, "A1", what,
            (double[]){schedule.beta[entry->t - 1], entry->beta, EXACT * entry->beta});
    }
    schedule_finish(&schedule);
}

/* How far the end is from N(0, I), and whether loading warned of it. */
struct prior {
    const char *model;
    double nats, tolerance;
    size_t warnings;
};

static const struct prior priors[] = {
    {"exact-mixture", 4.03584e-4, 1e-8, 0},
    {"two-gaussians-demo", 3.72394, 1e-5, 1},
};

static void check_prior(struct selftest *selftest, const struct prior *prior)
{
    const struct model *model;
    struct error error;
    char what[80];
    double nats;

    (void)snprintf(what, sizeof what, "nats from the prior, %s", prior->model);
    model = selftest_model(selftest, prior->model, &error);
    if (model == NULL || !prior_kl(&model->process, model->shape.dim, model->energy, &nats)) {
        selftest_report_failure(selftest, "A2", what, &error);
        return;
    }
    selftest_report_number(selftest, "A2", what, (double[]){nats, prior->nats, prior->tolerance});
    (void)snprintf(what, sizeof what, "warnings when it was loaded, %s", prior->model);
    selftest_report_number(selftest, "A2", what,
                           (double[]){(double)model->warning_count, (double)prior->warnings, 0});
}

/* The exact epsilon and x_0 of the two Gaussians, of both coordinates alike. */
struct point {
    double t; /* from 1 */
    float x;
    double epsilon, x_0;
};

static const struct point points[] = {
    {250, 0.0F, .898955, -.856646}, {250, 1.0F, -.806372, 2.149755},
    {250, .25F, -.387487, .714584}, {500, 0.0F, .484368, -1.658543},
    {500, 1.0F, .348892, 2.372517},
};

#define POINT_TOLERANCE 1e-5

static void check_point(struct selftest *selftest, const struct model *model,
                        const struct point *point, struct gang *gang, void *workspace)
{
    const double alpha_bar = model->process.schedule.alpha_bar[(size_t)point->t - 1];
    const struct level level = {.alpha = sqrt(alpha_bar), .sigma = sqrt(1.0 - alpha_bar)};
    const struct conversion conversion = prediction_conversion(HEAD_EPSILON, level);
    const float x[2] = {point->x, point->x};
    float output[2];
    const struct place place = {
        .x = x, .output = output, .time = point->t - 1.0, .label = -1, .level = level};
    char what[80];

    model->family->evaluate(model, &place, 1, gang, workspace);
    (void)snprintf(what, sizeof what, "exact epsilon, t = %g, x = (%g, %g)", point->t,
                   (double)point->x, (double)point->x);
    selftest_report_number(selftest, "10.1", what,
                           (double[]){(double)output[0], point->epsilon, POINT_TOLERANCE});
    (void)snprintf(what, sizeof what, "exact x_0, t = %g, x = (%g, %g)", point->t, (double)point->x,
                   (double)point->x);
    selftest_report_number(
        selftest, "10.1", what,
        (double[]){conversion.x0_x * (double)x[0] + conversion.x0_o * (double)output[0], point->x_0,
                   POINT_TOLERANCE});
}

static void check_points(struct selftest *selftest)
{
    struct error error = {.code = ERROR_NO_MEMORY, .text = "no memory for a workspace"};
    const struct model *model = selftest_model(selftest, "exact-mixture", &error);
    struct gang *gang = model != NULL ? gang_create(1, &error) : NULL;
    void *workspace = NULL;

    if (gang != NULL &&
        posix_memalign(&workspace, 64, model->family->workspace_bytes(model, 1)) == 0)
        for (size_t i = 0; i < sizeof points / sizeof points[0]; i++)
            check_point(selftest, model, &points[i], gang, workspace);
    else
        selftest_report_failure(selftest, "10.1", "exact answers", &error);
    free(workspace);
    gang_destroy(gang);
}

void selftest_tables(struct selftest *selftest)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        check_entry(selftest, &entries[i]);
    for (size_t i = 0; i < sizeof priors / sizeof priors[0]; i++)
        check_prior(selftest, &priors[i]);
    check_points(selftest);
}
