/* E4 and 10.6: how likely points of the two Gaussians are by the probability flow, beside their
 * own density. */
#include "server/selftest.h"

#include "proto/json_write.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

#define PATH         "/likelihood"
#define POINTS       1000
#define SEED_OF_DATA 4000000
#define MEAN_NATS    .005 /* tolerance of a mean over POINTS */
#define POINT_NATS   1e-3
#define NFE_SHARE    .25 /* a served model answers in float32, and the steps feel it */

struct flow {
    const char *model, *solver;
    size_t steps;  /* 0: the solver's own */
    size_t probes; /* 0: the trace is exact */
};

/* A number a point. */
struct said {
    double nats[POINTS], standard_error[POINTS], nfe[POINTS];
};

/* --- asking ----------------------------------------------------------------------------------- */

static void named_string(struct buffer *out, const char *key, const char *value)
{
    json_key(out, key);
    json_string(out, value);
}

static void named_integer(struct buffer *out, const char *key, size_t value)
{
    json_key(out, key);
    json_integer(out, (int64_t)value);
}

static void question(struct buffer *out, const struct flow *flow, const float *x, size_t n)
{
    json_open(out, '{');
    named_string(out, "model", flow->model);
    named_string(out, "method", "pf_ode");
    named_string(out, "solver", flow->solver);
    named_string(out, "trace", flow->probes > 0 ? "hutchinson" : "exact");
    if (flow->steps > 0)
        named_integer(out, "steps", flow->steps);
    if (flow->probes > 0) {
        named_integer(out, "probes", flow->probes);
        named_integer(out, "seed", 0);
    }
    selftest_points_json(out, "x_0", x, n);
    json_close(out, '}');
}

/* null: NaN. */
static bool read_numbers(const cJSON *answer, const char *key, size_t n, double *numbers)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, key), *number;

    if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != n)
        return false;
    cJSON_ArrayForEach(number, list) *numbers++ = cJSON_GetNumberValue(number);
    return true;
}

static bool ask(struct selftest *selftest, const struct flow *flow, const float *x, size_t n,
                struct said *said, struct error *error)
{
    struct buffer body = {.size = 0};
    cJSON *answer = NULL;
    bool good;

    question(&body, flow, x, n);
    if (buffer_ok(&body))
        answer = selftest_post(selftest, PATH, &body, error);
    else
        error_write(error, ERROR_NO_MEMORY, "no memory for a request");
    buffer_finish(&body);
    if (answer == NULL)
        return false;
    good = read_numbers(answer, "nats", n, said->nats) &&
           read_numbers(answer, "standard_error", n, said->standard_error) &&
           read_numbers(answer, "nfe", n, said->nfe);
    cJSON_Delete(answer);
    return good || error_set(error, ERROR_IO, "the answer is not what was asked for");
}

/* --- means over data -------------------------------------------------------------------------- */

static double mean(const double *values, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

/* Of the mean of what has these standard errors. */
static double error_of_mean(const double *errors, size_t n)
{
    double square = 0.0;

    for (size_t i = 0; i < n; i++)
        square += errors[i] * errors[i];
    return sqrt(square) / (double)n;
}

static double mean_data_nats(const float *x)
{
    double sum = 0.0;

    for (size_t i = 0; i < POINTS; i++)
        sum += selftest_data_nats(x + 2 * i);
    return sum / POINTS;
}

static const struct mean_row {
    struct flow flow;
    double tolerance; /* 0: three standard errors of the mean */
} mean_rows[] = {
    {{"exact-vp", "rk45", 0, 0}, MEAN_NATS},
    {{"exact-vp", "rk4", 20, 0}, MEAN_NATS},
    {{"exact-vp", "rk4", 50, 0}, MEAN_NATS},
    {{"exact-vp", "rk45", 0, 64}, 0.0},
    {{"exact-mixture", "rk45", 0, 0}, MEAN_NATS},
    {{"exact-mixture", "heun", 50, 64}, 0.0},
    {{"exact-sub-vp", "rk45", 0, 0}, MEAN_NATS},
    {{"exact-ou", "rk45", 0, 0}, MEAN_NATS},
    {{"exact-flow", "rk45", 0, 0}, MEAN_NATS},
    {{"mixture", "rk4", 50, 0}, .02}, /* it learnt the density: this is how well */
};

static void describe(const struct flow *flow, const char *suffix, char *text, size_t size)
{
    char steps[48] = "", probes[48] = "";

    if (flow->steps > 0)
        (void)snprintf(steps, sizeof steps, ", %zu steps", flow->steps);
    if (flow->probes > 0)
        (void)snprintf(probes, sizeof probes, ", hutchinson, %zu probes", flow->probes);
    (void)snprintf(text, size, "likelihood by %s on %s%s%s%s", flow->solver, flow->model, steps,
                   probes, suffix);
}

static void check_mean(struct selftest *selftest, const struct mean_row *row, const float *x)
{
    static struct said said;
    struct error error;
    double tolerance = row->tolerance;
    char what[120];

    describe(&row->flow, ": mean nats of 1000 points", what, sizeof what);
    if (!ask(selftest, &row->flow, x, POINTS, &said, &error)) {
        selftest_report_failure(selftest, "E4", what, &error);
        return;
    }
    if (tolerance == 0.0)
        tolerance = 3.0 * error_of_mean(said.standard_error, POINTS);
    selftest_report_number(selftest, "E4", what,
                           (double[]){mean(said.nats, POINTS), mean_data_nats(x), tolerance});
}

/* --- two points ------------------------------------------------------------------------------- */

static const float points[] = {3.2F, 2.9F, -2.5F, -3.5F};

static void check_points(struct selftest *selftest)
{
    static const struct flow flow = {.model = "exact-vp", .solver = "rk45"};
    static const double nats[] = {3.450655, 2.314922}, nfe[] = {86, 62};
    static struct said said;
    struct error error;
    char what[120];

    describe(&flow, "", what, sizeof what);
    if (!ask(selftest, &flow, points, 2, &said, &error)) {
        selftest_report_failure(selftest, "10.6", what, &error);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        char suffix[40];

        (void)snprintf(suffix, sizeof suffix, ": nats of (%g, %g)", (double)points[2 * i],
                       (double)points[2 * i + 1]);
        describe(&flow, suffix, what, sizeof what);
        selftest_report_number(selftest, "10.6", what,
                               (double[]){said.nats[i], nats[i], POINT_NATS});
        selftest_report_number(selftest, "10.6", "  evaluations",
                               (double[]){said.nfe[i], nfe[i], NFE_SHARE * nfe[i]});
    }
}

void selftest_likelihood(struct selftest *selftest)
{
    static float x[2 * POINTS];

    selftest_draw_data(x, POINTS, SEED_OF_DATA);
    check_points(selftest);
    for (size_t i = 0; i < sizeof mean_rows / sizeof mean_rows[0]; i++)
        check_mean(selftest, &mean_rows[i], x);
}
