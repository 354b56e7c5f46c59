#include "server/selftest.h"

#include "core/base/math.h"
#include "core/base/rng.h"
#include "proto/describe.h"
#include "server/log.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_FULL       100000
#define POINTS            20000
#define POINTS_LONG       4000 /* where a row takes EVALUATIONS_LONG or more */
#define EVALUATIONS_LONG  500
#define POINTS_IN_CENTRES 100000.0
#define LOG_2PI           1.83787706640934548356
#define WHAT_WIDTH        92
#define VALUE_WIDTH       36

static void print_heading(const struct selftest *selftest)
{
    (void)printf(
        "Reference numbers beside what %s draws. Data: .2 N((3,3), I) + .8 N((-3,-3), I).\n"
        "A share is of points with x + y > 0, centres and deviations of either side (+, -): of %d "
        "points%s;\ntolerances are as wide as that makes them. A: noise. B: ddpm, ddim, multistep "
        "solvers. C: heads, flows. D: Langevin.\nE: reverse SDEs, probability flow. F: score "
        "field, likelihood. G: training. H: guidance, trajectories.\n10: the reference's further "
        "numbers.\n",
        selftest->is_remote ? "this daemon" : "this build",
        selftest->is_full ? POINTS_FULL : POINTS,
        selftest->is_full ? "" : ", 4000 where a point takes 500 evaluations or more");
}

static const struct {
    const char *title;
    void (*run)(struct selftest *selftest);
    bool is_local; /* of the own engine alone */
} sections[] = {
    {"Tables of noise, as GET /models/NAME/schedule says them", selftest_tables, false},
    {"Noise that no shipped model has, and processes in continuous time", selftest_processes, true},
    {"Exact answers of the two Gaussians", selftest_answers, true},
    {"The forward process: POST /noise", selftest_noise, false},
    {"One evaluation, one reverse step: POST /predict, POST /step", selftest_predict, false},
    {"Chains: where seeds 0 and 1 end, x y x y", selftest_chains, false},
    {"Prediction heads: the same data through each of them", selftest_heads, false},
    {"Judgements of one run", selftest_rules, false},
    {"Runs beside each other", selftest_pairs, false},
    {"Paths: steps whose result is known", selftest_paths, false},
    {"There and back, and in between", selftest_encode, false},
    {"Shares, centres, deviations", selftest_shares, false},
    {"The variational bound, and what it is made of", selftest_bound, false},
    {"Likelihood by the probability flow", selftest_likelihood, false},
    {"The trained network", selftest_trained, false},
    {"Networks that learn here", selftest_learns, true},
};

void selftest_run_all(struct selftest *selftest)
{
    print_heading(selftest);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (sections[i].is_local && selftest->is_remote)
            continue;
        (void)printf("\n      %s\n", sections[i].title);
        sections[i].run(selftest);
    }
    (void)printf("\n");
}

/* --- asking --- */

size_t selftest_dim(const struct selftest_run *run)
{
    return run->dim > 0 ? run->dim : 2;
}

bool selftest_sample(struct selftest *selftest, const struct selftest_run *run, size_t n, float *x,
                     struct error *error)
{
    return selftest->is_remote ? selftest_remote_sample(selftest, run, n, x, error)
                               : selftest_engine_sample(selftest, run, n, x, error);
}

float *selftest_take(struct selftest *selftest, const struct selftest_run *run, size_t n,
                     struct error *error)
{
    float *x = malloc(selftest_dim(run) * n * sizeof *x);

    if (x == NULL)
        error_write(error, ERROR_NO_MEMORY, "no memory for %zu points", n);
    else if (selftest_sample(selftest, run, n, x, error))
        return x;
    free(x);
    return NULL;
}

static struct cJSON *own_schedule(const struct selftest *selftest, const char *name,
                                  struct error *error)
{
    const struct model *model = selftest_model(selftest, name, error);
    struct buffer text = {.size = 0};
    struct cJSON *schedule = NULL;

    if (model == NULL)
        return NULL;
    describe_schedule(model, &text);
    if (buffer_ok(&text))
        schedule = cJSON_ParseWithLength((const char *)text.data, text.size);
    if (schedule == NULL)
        error_write(error, ERROR_NO_MEMORY, "no memory for a schedule");
    buffer_finish(&text);
    return schedule;
}

struct cJSON *selftest_schedule(struct selftest *selftest, const char *model, struct error *error)
{
    return selftest->is_remote ? selftest_remote_schedule(selftest, model, error)
                               : own_schedule(selftest, model, error);
}

/* --- statistics --- */

/* Nearly: whether a run is long is all that is asked. */
static size_t evaluations(const struct selftest_run *run)
{
    static const char levels[] = "steps_per_level=";
    const char *steps_per_level = strstr(run->options, levels);

    return run->steps *
           (steps_per_level != NULL ? strtoul(steps_per_level + sizeof levels - 1, NULL, 10) : 1);
}

size_t selftest_points(const struct selftest *selftest, const struct selftest_run *run)
{
    if (selftest->is_full)
        return POINTS_FULL;
    return evaluations(run) >= EVALUATIONS_LONG ? POINTS_LONG : POINTS;
}

void selftest_draw_data(float *x, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        struct rng rng;
        float centre;

        rng_seed(&rng, seed + (uint32_t)i);
        centre = rng_word(&rng) % 5 == 0 ? 3.0F : -3.0F;
        rng_randn(&rng, x + 2 * i, 2);
        x[2 * i] += centre;
        x[2 * i + 1] += centre;
    }
}

double selftest_data_nats(const float point[2])
{
    const double x = (double)point[0], y = (double)point[1];
    const double there = (x - 3.0) * (x - 3.0) + (y - 3.0) * (y - 3.0);
    const double here = (x + 3.0) * (x + 3.0) + (y + 3.0) * (y + 3.0);

    return LOG_2PI - math_log(.2 * math_exp(-there / 2.0) + .8 * math_exp(-here / 2.0));
}

double selftest_share_tolerance(double share, size_t n)
{
    return 3.0 * sqrt(share * (1.0 - share) / (double)n) + 0.002;
}

double selftest_side_tolerance(double tolerance, double share, size_t n)
{
    const double wider = 3.0 / sqrt(2.0 * share * (double)n);
    const double full = 3.0 / sqrt(2.0 * share * POINTS_IN_CENTRES);

    return tolerance + (wider > full ? wider - full : 0.0);
}

double selftest_tolerance(const struct selftest *selftest, double stated, double usual)
{
    return stated > 0.0 && (selftest->is_full || stated > usual) ? stated : usual;
}

struct selftest_sides selftest_sides(const float *x, size_t n)
{
    double count[2] = {0, 0}, sum[2] = {0, 0}, square[2] = {0, 0};
    struct selftest_sides sides;

    for (size_t i = 0; i < n; i++) {
        const double a = (double)x[2 * i], b = (double)x[2 * i + 1];
        const int side = a + b > 0.0 ? 0 : 1;

        count[side] += 2.0;
        sum[side] += a + b;
        square[side] += a * a + b * b;
    }
    for (int side = 0; side < 2; side++) {
        const double mean = sum[side] / count[side];

        sides.centre[side] = mean;
        sides.deviation[side] = sqrt(square[side] / count[side] - mean * mean);
    }
    sides.share = count[0] / (count[0] + count[1]);
    return sides;
}

/* --- the report --- */

void selftest_describe(const struct selftest_run *run, char *text, size_t size)
{
    char steps[32] = "", guidance[32] = "";

    if (run->steps > 0)
        (void)snprintf(steps, sizeof steps, ", %zu steps", run->steps);
    if (run->has_label)
        (void)snprintf(guidance, sizeof guidance, ", guidance %g", (double)run->guidance);
    (void)snprintf(text, size, "%s on %s%s%s%s%s", run->sampler, run->model, steps,
                   run->options[0] != '\0' ? ", " : "", run->options, guidance);
}

static void print_numbers(const double *numbers, size_t count, int width)
{
    char text[SELFTEST_VALUES * 16];
    size_t length = 0;

    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%.6g", i == 0 ? "" : " ",
                                   numbers[i]);
    (void)printf("%-*s", width, text);
}

void selftest_report(struct selftest *selftest, const struct selftest_result *result)
{
    const int width = result->count > 1 ? VALUE_WIDTH : 12;
    bool good = true;

    for (size_t i = 0; i < result->count; i++)
        good = good && fabs(result->value[i] - result->expected[i]) <= result->tolerance;
    *(good ? &selftest->passed : &selftest->failed) += 1;
    (void)printf("%-4s  %-4s  %-*s  ", good ? "ok" : "FAIL", result->id, WHAT_WIDTH, result->what);
    print_numbers(result->value, result->count, width);
    (void)printf("  expected ");
    print_numbers(result->expected, result->count, width);
    (void)printf("  +- %.3g\n", result->tolerance);
    (void)fflush(stdout);
}

void selftest_report_number(struct selftest *selftest, const char *id, const char *what,
                            const double numbers[3])
{
    const struct selftest_result result = {.id = id,
                                           .what = what,
                                           .count = 1,
                                           .value = {numbers[0]},
                                           .expected = {numbers[1]},
                                           .tolerance = numbers[2]};

    selftest_report(selftest, &result);
}

void selftest_report_failure(struct selftest *selftest, const char *id, const char *what,
                             const struct error *error)
{
    const bool is_absent = selftest->is_remote && error->code == ERROR_NOT_FOUND;
    char reason[sizeof error->text]; /* perhaps a daemon's words, which must not move the cursor */

    *(is_absent ? &selftest->skipped : &selftest->failed) += 1;
    (void)log_escape(error->text, reason, sizeof reason);
    (void)printf("%-4s  %-4s  %-*s  %s\n", is_absent ? "skip" : "FAIL", id, WHAT_WIDTH, what,
                 reason);
    (void)fflush(stdout);
}

void selftest_judge_all(struct selftest *selftest, const struct selftest_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct selftest_rule *rule = &rules[i];
        struct error error = {.code = ERROR_NO_MEMORY, .text = "no memory"};
        double numbers[3] = {0.0, 0.0, 0.0};

        if ((rule->when == SELFTEST_LOCAL && selftest->is_remote) ||
            (rule->when == SELFTEST_FULL && !selftest->is_full))
            continue;
        if (rule->judge(selftest, numbers, &error))
            selftest_report_number(selftest, rule->id, rule->what, numbers);
        else
            selftest_report_failure(selftest, rule->id, rule->what, &error);
    }
}
