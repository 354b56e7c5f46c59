/* Tables of noise that a daemon says of its models: GET /models/NAME/schedule, in double. */
#include "server/selftest.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

#define EXACT 1e-9 /* relative */
#define DEMO  "two-gaussians-demo"
#define MODEL "exact-mixture"

/* --- linear betas --- */

struct entry {
    const char *model;
    size_t t; /* from 1 */
    double beta, alpha_bar;
    double variance, from_x_0, from_x_t; /* of the posterior: its mean is these times x_0 and x_t */
};

static const struct entry entries[] = {
    {MODEL, 1, .0001, .9999, 0, 1, 0},
    {MODEL, 2, .0001199199199, .9997800921, 5.453187661e-5, .5452914995, .454708499},
    {MODEL, 100, .002072072072, .8970181457, .002034596259, .01907634532, .9808960213},
    {MODEL, 500, .01004004004, .07858724288, .01003135541, .003070071114, .9941066702},
    {MODEL, 1000, .02, 4.035829765e-5, .01999998353, .0001283514872, .9899486783},
};

static double at(const cJSON *schedule, const char *column, size_t t)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(schedule, column);

    return cJSON_GetNumberValue(cJSON_GetArrayItem(list, (int)t - 1)); /* NaN where there is none */
}

static void report(struct selftest *selftest, const struct entry *entry, const char *name,
                   double value, double expected)
{
    char what[80];

    (void)snprintf(what, sizeof what, "%s of %s, t = %zu", name, entry->model, entry->t);
    selftest_report_number(selftest, "A1", what,
                           (double[]){value, expected, EXACT * fabs(expected)});
}

/* Ho et al. 2020, eq. 7, of the table's own numbers: A at 0 is 1. */
static void check_entry(struct selftest *selftest, const cJSON *schedule, const struct entry *entry)
{
    const double beta = at(schedule, "betas", entry->t);
    const double here = at(schedule, "alphas_cumprod", entry->t);
    const double before = entry->t > 1 ? at(schedule, "alphas_cumprod", entry->t - 1) : 1.0;

    report(selftest, entry, "beta", beta, entry->beta);
    report(selftest, entry, "alpha_bar", here, entry->alpha_bar);
    report(selftest, entry, "posterior variance", at(schedule, "posterior_variance", entry->t),
           entry->variance);
    report(selftest, entry, "posterior mean, factor of x_0", sqrt(before) * beta / (1.0 - here),
           entry->from_x_0);
    report(selftest, entry, "posterior mean, factor of x_t",
           sqrt(1.0 - beta) * (1.0 - before) / (1.0 - here), entry->from_x_t);
}

/* --- levels and prior --- */

/* The noise level of a timestep beside its signal: 1 / sqrt(SNR). */
static void check_sigma(struct selftest *selftest, const cJSON *schedule, size_t t, double expected)
{
    const struct entry entry = {.model = MODEL, .t = t};

    report(selftest, &entry, "sigma", 1.0 / sqrt(at(schedule, "snr", t)), expected);
}

static void check_prior(struct selftest *selftest, const cJSON *schedule, const char *model,
                        const double numbers[3]) /* nats, tolerance, warnings */
{
    const cJSON *warning = cJSON_GetObjectItemCaseSensitive(schedule, "warning");
    const double nats =
        cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(schedule, "prior_kl_nats"));
    char what[80];

    (void)snprintf(what, sizeof what, "nats between the end of %s and its prior", model);
    selftest_report_number(selftest, "A2", what, (double[]){nats, numbers[0], numbers[1]});
    (void)snprintf(what, sizeof what, "warnings about that, %s", model);
    selftest_report_number(selftest, "A2", what,
                           (double[]){cJSON_IsString(warning) ? 1.0 : 0.0, numbers[2], 0.0});
}

static void check_model(struct selftest *selftest, const cJSON *schedule)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        check_entry(selftest, schedule, &entries[i]);
    check_sigma(selftest, schedule, 1, .01000050004);
    check_sigma(selftest, schedule, 1000, 157.4072808);
    check_prior(selftest, schedule, MODEL, (double[]){4.03584e-4, 1e-8, 0.0});
}

static void check_demo(struct selftest *selftest, const cJSON *schedule)
{
    const struct entry end = {.model = DEMO, .t = 100};

    report(selftest, &end, "alpha_bar", at(schedule, "alphas_cumprod", end.t), .3635632481);
    check_prior(selftest, schedule, DEMO, (double[]){3.72394, 1e-5, 1.0});
}

static void check(struct selftest *selftest, const char *model,
                  void (*rows)(struct selftest *selftest, const cJSON *schedule))
{
    struct error error;
    cJSON *schedule = selftest_schedule(selftest, model, &error);

    if (schedule != NULL)
        rows(selftest, schedule);
    else
        selftest_report_failure(selftest, "A1", model, &error);
    cJSON_Delete(schedule);
}

void selftest_tables(struct selftest *selftest)
{
    check(selftest, MODEL, check_model);
    check(selftest, DEMO, check_demo);
}
