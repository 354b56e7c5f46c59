/* One evaluation and one reverse step: the posterior's numbers, the score field, Tweedie. */
#include "server/selftest_ask.h"

#include "core/diffusion/posterior.h"
#include "core/diffusion/probe_one_step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TABLE       "exact-mixture"
#define FLOW        "exact-flow"
#define EXACT       1e-9 /* relative */
#define ANSWER      1e-5
#define ROUNDED     2e-6 /* of a step, by the table as diffusers rounds it */
#define DATA        4000 /* points of which Tweedie's mean square is taken */
#define FIELDS_SIZE 160

/* --- A5: the posterior by the library --- */

static const struct entry {
    size_t t; /* from 1 */
    double variance, c0, ct;
} entries[] = {
    {1, 0, 1, 0},
    {2, 5.453187661e-5, .5452914995, .454708499},
    {100, .002034596259, .01907634532, .9808960213},
    {500, .01003135541, .003070071114, .9941066702},
    {1000, .01999998353, .0001283514872, .9899486783},
};

static void report_factor(struct selftest *selftest, const char *name, size_t t, double value,
                          double expected)
{
    char what[80];

    (void)snprintf(what, sizeof what, "%s of " TABLE ", t = %zu", name, t);
    selftest_report_number(selftest, "A5", what,
                           (double[]){value, expected, EXACT * fabs(expected)});
}

/* A variance that is in print, with the root in its denominator, must not pass for it. */
static void report_wrong(struct selftest *selftest, const struct schedule *schedule,
                         const struct entry *entry)
{
    const double before = schedule->alpha_bar[entry->t - 2];
    const double wrong = schedule->beta[entry->t - 1] * (1.0 - before) /
                         sqrt(1.0 - schedule->alpha_bar[entry->t - 1]);
    const bool is_seen = fabs(wrong - entry->variance) > EXACT * entry->variance;
    char what[80];

    (void)snprintf(what, sizeof what, "variance with a root below it fails, t = %zu", entry->t);
    selftest_report_number(selftest, "A5", what, (double[]){is_seen, 1.0, 0.0});
}

static void check_posterior(struct selftest *selftest)
{
    struct error error;
    const struct model *model = selftest_model(selftest, TABLE, &error);

    if (model == NULL) {
        selftest_report_failure(selftest, "A5", TABLE, &error);
        return;
    }
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        const struct entry *entry = &entries[i];
        const struct posterior posterior = posterior_at(&model->process.schedule, entry->t - 1);

        report_factor(selftest, "c0", entry->t, posterior.c0, entry->c0);
        report_factor(selftest, "ct", entry->t, posterior.ct, entry->ct);
        report_factor(selftest, "beta-tilde", entry->t, posterior.variance, entry->variance);
        if (entry->t > 1)
            report_wrong(selftest, &model->process.schedule, entry);
    }
}

/* --- asking about points --- */

static bool predict(struct selftest *selftest, const char *fields,
                    const struct selftest_points_asked *points, struct error *error)
{
    const struct selftest_question question = {.path = "/predict", .rows = "x_t", .fields = fields};

    return selftest_ask(selftest, &question, points, error);
}

/* Of one point whose coordinates are alike. */
static bool predict_at(struct selftest *selftest, const char *fields, float x, double *value,
                       struct error *error)
{
    const float point[] = {x, x};
    double values[2];
    const struct selftest_points_asked points = {
        .x = point, .n = 1, .columns = {{"values", 2, values}, {.name = NULL}}};

    if (!predict(selftest, fields, &points, error))
        return false;
    *value = values[0];
    return true;
}

/* --- A5: a step --- */

/* At t = 0 nothing is drawn, and there is no seed. */
static bool step(struct selftest *selftest, uint32_t seed, double t, double answer[5],
                 struct error *error)
{
    static const float x_t[] = {.5F, .5F};
    char fields[FIELDS_SIZE];
    const struct selftest_question question = {
        .path = "/step", .rows = "x_t", .fields = fields, .has_seed = t > 0.0, .seed = seed};
    const struct selftest_points_asked points = {.x = x_t,
                                                 .n = 1,
                                                 .columns = {{"mean", 2, answer},
                                                             {"variance", 1, answer + 2},
                                                             {"x_next", 2, answer + 3},
                                                             {.name = NULL}}};
    char next[32] = "";

    if (t > 0.0)
        (void)snprintf(next, sizeof next, ",\"t_next\":%.9g", t - 1.0);
    (void)snprintf(fields, sizeof fields,
                   "\"model\":\"" TABLE "\",\"sampler\":\"ddpm\",\"t\":%.9g%s", t, next);
    return selftest_ask(selftest, &question, &points, error);
}

/* At timestep 499, that is t = 500, x_0 being what the model says. */
static bool step_mean(struct selftest *selftest, double numbers[3], struct error *error)
{
    double answer[5], x_0;

    if (!step(selftest, 0, 499.0, answer, error) ||
        !predict_at(selftest, "\"model\":\"" TABLE "\",\"t\":499,\"as\":\"x0\"", .5F, &x_0, error))
        return false;
    numbers[0] = answer[0];
    numbers[1] = entries[3].c0 * x_0 + entries[3].ct * .5;
    numbers[2] = ROUNDED;
    return true;
}

static bool step_variance(struct selftest *selftest, double numbers[3], struct error *error)
{
    double answer[5];

    if (!step(selftest, 0, 499.0, answer, error))
        return false;
    numbers[0] = answer[2];
    numbers[1] = entries[3].variance;
    numbers[2] = 10.0 * ROUNDED * entries[3].variance;
    return true;
}

/* Values of the last step that are not its mean, and its variance. */
static bool last_step(struct selftest *selftest, double numbers[3], struct error *error)
{
    double answer[5];

    if (!step(selftest, 0, 0.0, answer, error))
        return false;
    numbers[0] = answer[2];
    for (size_t i = 0; i < 2; i++)
        numbers[0] += answer[3 + i] != answer[i];
    return true;
}

/* The same by the own engine, where rows always have a seed. */
static bool run_seeds(struct selftest *selftest, const struct model *model, const struct plan *plan,
                      float x[4], struct error *error)
{
    const float x_t[] = {.5F, .5F, .5F, .5F}, guidance[] = {1.0F, 1.0F};
    const uint32_t seeds[] = {1, 2};
    const int32_t labels[] = {-1, -1};
    const struct conditioning conditioning = {.x_T = x_t};
    double figures[6];
    struct request request = {.n = 2,
                              .model = model,
                              .plan = plan,
                              .seeds = seeds,
                              .labels = labels,
                              .guidance = guidance,
                              .conditioning = &conditioning,
                              .x = x,
                              .figures = figures};

    return selftest_engine_run(selftest, &request, error);
}

static bool last_step_of_seeds(struct selftest *selftest, double numbers[3], struct error *error)
{
    static const struct option_values options = {.given = {false}};
    const struct model *model = selftest_model(selftest, TABLE, error);
    struct one_step_question question = {.dim = 2,
                                         .output_dim = 2,
                                         .sampler = "ddpm",
                                         .options = &options,
                                         .t = 0.0,
                                         .t_next = (double)NAN};
    struct plan *plan = NULL;
    float x[4];
    bool is_good;

    if (model != NULL) {
        question.process = &model->process;
        plan = one_step_plan(&question, error);
    }
    is_good = plan != NULL && run_seeds(selftest, model, plan, x, error);
    for (size_t i = 0; is_good && i < 2; i++)
        numbers[0] += x[i] != x[2 + i];
    plan_destroy(plan);
    return is_good;
}

/* Values that two seeds have alike, elsewhere. */
static bool other_step(struct selftest *selftest, double numbers[3], struct error *error)
{
    double one[5], other[5];

    if (!step(selftest, 1, 499.0, one, error) || !step(selftest, 2, 499.0, other, error))
        return false;
    for (size_t i = 0; i < 2; i++)
        numbers[0] += (one[3 + i] == other[3 + i]) + (one[i] != other[i]);
    return true;
}

/* --- F1 --- */

static const struct point {
    const char *model, *as;
    double t; /* of a table from 0 */
    float x;
    double expected;
} points[] = {
    {TABLE, "eps", 249, 0.0F, .898955},  {TABLE, "eps", 249, 1.0F, -.806372},
    {TABLE, "eps", 249, .25F, -.387487}, {TABLE, "eps", 499, 0.0F, .484368},
    {TABLE, "eps", 499, 1.0F, .348892},  {TABLE, "x0", 249, 0.0F, -.856646},
    {TABLE, "x0", 249, 1.0F, 2.149755},  {TABLE, "x0", 249, .25F, .714584},
    {TABLE, "x0", 499, 0.0F, -1.658543}, {TABLE, "x0", 499, 1.0F, 2.372517},
    {FLOW, "velocity", .5, 0.0F, 1.8},   {FLOW, "velocity", .5, 1.0F, -2.999853},
};

static void check_point(struct selftest *selftest, const struct point *point)
{
    char fields[FIELDS_SIZE], what[80];
    struct error error;
    double value;

    (void)snprintf(fields, sizeof fields, "\"model\":\"%s\",\"t\":%.9g,\"as\":\"%s\"", point->model,
                   point->t, point->as);
    (void)snprintf(what, sizeof what, "%s of %s, t = %g, x = (%g, %g)", point->as, point->model,
                   point->t, (double)point->x, (double)point->x);
    if (predict_at(selftest, fields, point->x, &value, &error))
        selftest_report_number(selftest, "F1", what, (double[]){value, point->expected, ANSWER});
    else
        selftest_report_failure(selftest, "F1", what, &error);
}

/* The score is -eps / sigma there. */
static bool score(struct selftest *selftest, double numbers[3], struct error *error)
{
    const double sigma = sqrt(1.0 - .07858724288);

    numbers[1] = -.348892 / sigma;
    numbers[2] = ANSWER;
    return predict_at(selftest, "\"model\":\"" TABLE "\",\"t\":499,\"as\":\"score\"", 1.0F, numbers,
                      error);
}

/* Data, what became of it, what the model makes of that. */
struct tweedie {
    float data[2 * DATA], x_t[2 * DATA];
    double noised[2 * DATA], x_0[2 * DATA], alpha;
};

static bool take(struct selftest *selftest, struct tweedie *tweedie, struct error *error)
{
    const struct selftest_question noise = {.path = "/noise",
                                            .rows = "x_0",
                                            .fields = "\"model\":\"" TABLE "\",\"t\":299",
                                            .has_seed = true,
                                            .seed = 5000};
    const struct selftest_points_asked data = {
        .x = tweedie->data,
        .n = DATA,
        .columns = {{"x_t", 2, tweedie->noised}, {"alpha", 0, &tweedie->alpha}, {.name = NULL}}};
    const struct selftest_points_asked noised = {
        .x = tweedie->x_t, .n = DATA, .columns = {{"values", 2, tweedie->x_0}, {.name = NULL}}};

    selftest_draw_data(tweedie->data, DATA, 0);
    if (!selftest_ask(selftest, &noise, &data, error))
        return false;
    for (size_t i = 0; i < 2 * (size_t)DATA; i++)
        tweedie->x_t[i] = (float)tweedie->noised[i];
    return predict(selftest, "\"model\":\"" TABLE "\",\"t\":299,\"as\":\"x0\"", &noised, error);
}

/* Mean square of E[x_0 | x_t] - x_0 over that of x_t / alpha - x_0: below 1. */
static bool tweedie_error(struct selftest *selftest, double numbers[3], struct error *error)
{
    struct tweedie *tweedie = malloc(sizeof *tweedie);
    double with = 0.0, without = 0.0;
    bool is_good;

    if (tweedie == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for the points");
    is_good = take(selftest, tweedie, error);
    for (size_t i = 0; is_good && i < 2 * (size_t)DATA; i++) {
        const double x_0 = (double)tweedie->data[i];

        with += (tweedie->x_0[i] - x_0) * (tweedie->x_0[i] - x_0);
        without += (tweedie->noised[i] / tweedie->alpha - x_0) *
                   (tweedie->noised[i] / tweedie->alpha - x_0);
    }
    free(tweedie);
    numbers[0] = with / without;
    numbers[2] = 1.0;
    return is_good;
}

static const struct selftest_rule rules[] = {
    {"A5", "a step of ddpm, t = 500: the mean, beside c0 x_0 + ct x_t", step_mean, SELFTEST_ALWAYS},
    {"A5", "a step of ddpm, t = 500: the variance", step_variance, SELFTEST_ALWAYS},
    {"A5", "a step of ddpm, t = 1: variance, and values beside the mean", last_step,
     SELFTEST_ALWAYS},
    {"A5", "a step of ddpm, t = 1: values that the seed moves", last_step_of_seeds, SELFTEST_LOCAL},
    {"A5", "a step of ddpm, t = 500: values that the seed does not move", other_step,
     SELFTEST_ALWAYS},
    {"F1", "score of " TABLE ", t = 500, x = (1, 1)", score, SELFTEST_ALWAYS},
    {"F1", "Tweedie's mean square error over that of x_t / alpha", tweedie_error, SELFTEST_ALWAYS},
};

void selftest_predict(struct selftest *selftest)
{
    if (!selftest->is_remote)
        check_posterior(selftest);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++)
        check_point(selftest, &points[i]);
    selftest_judge_all(selftest, rules, sizeof rules / sizeof rules[0]);
}
