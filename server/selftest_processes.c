/* Beta schedules that no shipped model has, ladders of noise levels, processes in continuous time:
 * what no request asks. */
#include "server/selftest.h"

#include "core/diffusion/schedule.h"
#include "core/diffusion/sigmas.h"

#include <math.h>
#include <stdio.h>

#define EXACT     1e-9 /* relative */
#define ROUNDING  1e-6 /* how far the table as diffusers rounds it may be from the one in double */
#define TIMESTEPS 1000

/* --- tables --- */

struct table {
    enum beta_schedule schedule;
    const char *name;
    bool is_rescaled; /* to zero terminal SNR */
    double half, end; /* alpha_bar at t = 500 and 1000, NAN: not known */
};

static const struct table tables[] = {
    {BETA_LINEAR, "linear", false, .07858724288, 4.035829765e-5},
    {BETA_SCALED_LINEAR, "scaled_linear", false, .3331877674, 7.334124596e-4},
    {BETA_SQUAREDCOS_CAP_V2, "squaredcos_cap_v2", false, .4938435904, 2.428766907e-9},
    {BETA_SIGMOID, "sigmoid", false, .3019310566, 3.968181991e-5},
    {BETA_CONST, "const", false, 4.102398515e-5, 1.682967357e-9},
    {BETA_JSD, "jsd", false, .5, 0},
    {BETA_LAPLACE, "laplace", false, .7074601578, .0316227766},
    {BETA_EXP, "exp", false, .002478752177, (double)NAN},
    {BETA_LINEAR, "linear at zero SNR", true, .07602875055, 0},
};

static void check_alpha_bar(struct selftest *selftest, const struct table *table,
                            const struct schedule *schedule, size_t t)
{
    const double expected = t == TIMESTEPS ? table->end : table->half;
    char what[80];

    if (isnan(expected))
        return;
    (void)snprintf(what, sizeof what, "alpha_bar of %s, T = %d, t = %zu", table->name, TIMESTEPS,
                   t);
    selftest_report_number(selftest, "A1", what,
                           (double[]){schedule->alpha_bar[t - 1], expected, EXACT * expected});
}

static void check_rounding(struct selftest *selftest, const struct table *table,
                           const struct schedule *schedule)
{
    double distance = 0.0;
    char what[80];

    for (size_t i = 0; i < TIMESTEPS; i++)
        distance = fmax(distance, fabs(schedule->alpha_bar[i] - schedule->alpha_bar_parity[i]));
    (void)snprintf(what, sizeof what, "alpha_bar of %s: farthest from the rounded one",
                   table->name);
    selftest_report_number(selftest, "A1", what, (double[]){distance, 0.0, ROUNDING});
}

static void check_table(struct selftest *selftest, const struct table *table)
{
    struct schedule_config config = schedule_config_default();
    struct schedule schedule;
    struct error error;

    config.beta_schedule = table->schedule;
    config.timesteps = TIMESTEPS;
    config.head = HEAD_V; /* where alpha_bar ends at 0 epsilon says nothing */
    config.rescale_betas_zero_snr = table->is_rescaled;
    if (!schedule_init(&schedule, &config, &error)) {
        selftest_report_failure(selftest, "A1", table->name, &error);
        return;
    }
    check_alpha_bar(selftest, table, &schedule, TIMESTEPS / 2);
    check_alpha_bar(selftest, table, &schedule, TIMESTEPS);
    check_rounding(selftest, table, &schedule);
    schedule_finish(&schedule);
}

/* --- ladders --- */

#define LADDER_MAX 16

struct ladder_row {
    const char *what;
    size_t n, i; /* of n levels, from 0 */
    double max, min;
    bool is_karras; /* rho 7; else geometric */
    double expected;
};

#define LINEAR_MAX 157.4072808
#define LINEAR_MIN .01000050004

static const struct ladder_row ladders[] = {
    {"ve .01..50 in ten levels, the sixth", 10, 4, 50, .01, false, 1.134967265},
    {"NCSN 10...001 in ten levels, the second", 10, 1, 10, .001, false, 3.593813664},
    {"NCSN 10...001 in ten levels, the ninth", 10, 8, 10, .001, false, .002782559402},
    {"Karras of the linear table, five levels, the second", 5, 1, LINEAR_MAX, LINEAR_MIN, true,
     36.90895161},
    {"Karras of the linear table, five levels, the third", 5, 2, LINEAR_MAX, LINEAR_MIN, true,
     5.911208765},
    {"Karras of the linear table, five levels, the fourth", 5, 3, LINEAR_MAX, LINEAR_MIN, true,
     .4913011708},
};

static void check_ladder(struct selftest *selftest, const struct ladder_row *row)
{
    double sigma[LADDER_MAX];

    if (row->is_karras)
        sigmas_karras(sigma, row->n, row->max, row->min, 7.0);
    else
        sigmas_exponential(sigma, row->n, row->max, row->min);
    selftest_report_number(selftest, "A1", row->what,
                           (double[]){sigma[row->i], row->expected, EXACT * row->expected});
}

/* --- processes in continuous time --- */

struct moment {
    enum process_type type;
    const char *what;
    double t;
    double alpha, sigma; /* NAN: not known */
};

/* A square of alpha is given where it is known as one. */
static const struct moment moments[] = {
    {PROCESS_VE, "ve .01..50", .5, 1.0, .7071067812},
    {PROCESS_VP, "vp", .5, .28118288080, (double)NAN},
    {PROCESS_VP, "vp", 1.0, .006571586495, (double)NAN},
    {PROCESS_SUB_VP, "sub_vp", .5, (double)NAN, .9209361875},
    {PROCESS_OU_FINITE, "ou_finite", .5, .5, .8660254038},
    {PROCESS_FLOW, "flow", .25, .75, .25},
};

static void check_number(struct selftest *selftest, const struct moment *moment, const char *name,
                         double value, double expected)
{
    char what[80];

    (void)snprintf(what, sizeof what, "%s of %s, t = %g", name, moment->what, moment->t);
    if (!isnan(expected))
        selftest_report_number(selftest, "A1", what,
                               (double[]){value, expected, EXACT * fabs(expected)});
}

static void check_moment(struct selftest *selftest, const struct moment *moment)
{
    struct process_config config = process_config_default(moment->type);
    struct process process;
    struct level level;
    struct error error;

    if (moment->type == PROCESS_VE) {
        config.sigma_min = .01;
        config.sigma_max = 50.0;
    }
    if (!process_init(&process, &config, &error)) {
        selftest_report_failure(selftest, "A1", moment->what, &error);
        return;
    }
    level = process_level(&process, moment->t);
    check_number(selftest, moment, "alpha", level.alpha, moment->alpha);
    check_number(selftest, moment, "sigma", level.sigma, moment->sigma);
    process_finish(&process);
}

void selftest_processes(struct selftest *selftest)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        check_table(selftest, &tables[i]);
    for (size_t i = 0; i < sizeof ladders / sizeof ladders[0]; i++)
        check_ladder(selftest, &ladders[i]);
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++)
        check_moment(selftest, &moments[i]);
}
