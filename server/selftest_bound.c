/* The variational bound beside the entropy of the data, what is predicted on its way, and the two
 * probabilities that it is made of. */
#include "server/selftest.h"

#include "core/base/math.h"
#include "core/base/rng.h"
#include "core/diffusion/decoder.h"
#include "core/diffusion/gaussian_kl.h"
#include "proto/json_write.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#define TABLE     "exact-mixture"
#define DATA_SEED 3000000
#define ROWS_FULL 10000 /* what a daemon takes of one request */
#define ROWS      4000
#define TIMESTEPS 1000

/* --- asking --- */

/* n points; `fields` are those that the question has beside. */
static cJSON *ask(struct selftest *selftest, const char *fields, const float *x, size_t n,
                  struct error *error)
{
    struct buffer body = {.size = 0};
    cJSON *answer = NULL;

    buffer_text(&body, "{\"model\":\"" TABLE "\",\"method\":\"elbo\",\"seed\":0");
    buffer_text(&body, fields);
    selftest_points_json(&body, "x_0", x, n);
    json_close(&body, '}');
    if (buffer_ok(&body))
        answer = selftest_post(selftest, "/likelihood", &body, error);
    else
        error_write(error, ERROR_NO_MEMORY, "no memory for a request");
    buffer_finish(&body);
    return answer;
}

static float *draw(size_t n, struct error *error)
{
    float *x = malloc(2 * n * sizeof *x);

    if (x == NULL)
        error_write(error, ERROR_NO_MEMORY, "no memory for %zu points", n);
    else
        selftest_draw_data(x, n, DATA_SEED);
    return x;
}

/* --- the gap --- */

/* Its mean, and three of its standard errors as the tolerance. */
static bool mean_gap(const cJSON *nats, const float *x, size_t n, double numbers[3])
{
    double sum = 0.0, squares = 0.0;
    const cJSON *bound;

    cJSON_ArrayForEach(bound, nats)
    {
        const double gap = cJSON_GetNumberValue(bound) - selftest_data_nats(x);

        sum += gap;
        squares += gap * gap;
        x += 2;
    }
    numbers[0] = sum / (double)n;
    numbers[2] = 3.0 * sqrt((squares / (double)n - numbers[0] * numbers[0]) / (double)n);
    return true;
}

static bool gap(struct selftest *selftest, const char *fields, double numbers[3],
                struct error *error)
{
    const size_t n = selftest->is_full ? ROWS_FULL : ROWS;
    float *x = draw(n, error);
    cJSON *answer = x == NULL ? NULL : ask(selftest, fields, x, n, error);
    const cJSON *nats = answer == NULL ? NULL : selftest_list(answer, "nats", n, error);
    const bool good = nats != NULL && mean_gap(nats, x, n, numbers);

    cJSON_Delete(answer);
    free(x);
    return good;
}

static bool gap_large(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = .0023;
    return gap(selftest,
               ",\"terms\":false,\"variance_type\":\"fixed_large\",\"decoder_variance\":\"beta\"",
               numbers, error);
}

static bool gap_small(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = 1.16;
    return gap(selftest, ",\"terms\":false", numbers, error);
}

/* --- x_0 as it is predicted on the way --- */

#define WAY_ROWS    100
#define WAY_WINDOW  100
#define WAY_WINDOWS (TIMESTEPS / WAY_WINDOW)

/* Root mean squares of x_0-hat - x_0 over rows and timesteps of a window, the last one's end
 * first; and at timestep 0. */
struct way {
    double window[WAY_WINDOWS], last;
};

static double square(double value)
{
    return value * value;
}

static bool read_way(const cJSON *terms, struct way *way, struct error *error)
{
    const cJSON *row, *value;

    cJSON_ArrayForEach(row, terms)
    {
        const cJSON *errors = selftest_list(row, "rmse", TIMESTEPS, error);
        size_t t = 0;

        if (errors == NULL)
            return false;
        way->last += square(cJSON_GetNumberValue(errors->child)) / WAY_ROWS;
        cJSON_ArrayForEach(value, errors) way->window[t++ / WAY_WINDOW] +=
            square(cJSON_GetNumberValue(value)) / (WAY_WINDOW * WAY_ROWS);
    }
    for (size_t i = 0; i < WAY_WINDOWS; i++)
        way->window[i] = sqrt(way->window[i]);
    way->last = sqrt(way->last);
    return true;
}

static bool take_way(struct selftest *selftest, struct way *way, struct error *error)
{
    float *x = draw(WAY_ROWS, error);
    cJSON *answer = x == NULL ? NULL : ask(selftest, "", x, WAY_ROWS, error);
    const cJSON *terms = answer == NULL ? NULL : selftest_list(answer, "terms", WAY_ROWS, error);
    const bool good = terms != NULL && read_way(terms, way, error);

    cJSON_Delete(answer);
    free(x);
    return good;
}

/* Where the data are no nearer than a window before. The first two windows know nothing yet: what
 * they predict is the mean of the data. */
static bool way_rises(struct selftest *selftest, double numbers[3], struct error *error)
{
    struct way way = {.last = 0.0};

    if (!take_way(selftest, &way, error))
        return false;
    for (size_t i = 0; i + 3 < WAY_WINDOWS; i++)
        numbers[0] += way.window[i] >= way.window[i + 1];
    return true;
}

static bool way_ends(struct selftest *selftest, double numbers[3], struct error *error)
{
    struct way way = {.last = 0.0};

    numbers[2] = .02;
    if (!take_way(selftest, &way, error))
        return false;
    numbers[0] = way.last;
    return true;
}

/* --- the decoder --- */

static bool bins(struct selftest *selftest, double numbers[3], struct error *error)
{
    static const double means[] = {-1.7, -1.0, .19, 1.0}, deviations[] = {1e-6, .01, .3, 20.0};

    (void)selftest;
    (void)error;
    numbers[2] = 1e-6;
    for (size_t i = 0; i < 16; i++) {
        double sum = -1.0;

        for (int byte = 0; byte < DECODER_BINS; byte++)
            sum += math_exp(
                decoder_log_probability(decoder_value(byte), means[i % 4], deviations[i / 4]));
        numbers[0] = fmax(numbers[0], fabs(sum));
    }
    return true;
}

static bool bin(struct selftest *selftest, double numbers[3], struct error *error)
{
    (void)selftest;
    (void)error;
    numbers[0] = math_exp(decoder_log_probability(.2, .19, .01));
    numbers[1] = .18970831;
    numbers[2] = 5e-9;
    return true;
}

/* --- Gaussians --- */

#define KL_SAMPLES 1000000

static const double zero[] = {0.0}, one[] = {1.0}, four[] = {4.0};
static const struct gaussian wide = {.mean = one, .covariance = four};
static const struct gaussian normal = {.mean = zero, .covariance = one};

static bool kl(struct selftest *selftest, double numbers[3], struct error *error)
{
    (void)selftest;
    numbers[1] = 1.306853;
    numbers[2] = 5e-7;
    return gaussian_kl(&wide, &normal, 1, &numbers[0], error);
}

/* E ln p(x)/q(x) under p: x = 1 + 2 z. */
static bool kl_by_samples(struct selftest *selftest, double numbers[3], struct error *error)
{
    struct rng rng;

    (void)selftest;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < KL_SAMPLES; i++) {
        double x;
        float z;

        rng_randn(&rng, &z, 1);
        x = 1.0 + 2.0 * (double)z;
        numbers[0] += (x * x / 2.0 - (double)z * (double)z / 2.0 - math_log(2.0)) / KL_SAMPLES;
    }
    if (!gaussian_kl(&wide, &normal, 1, &numbers[1], error))
        return false;
    numbers[2] = .01 * numbers[1];
    return true;
}

static const struct selftest_rule rules[] = {
    {"F2", "elbo minus -ln p: variances beta, nats", gap_large, SELFTEST_ALWAYS},
    {"F2", "elbo minus -ln p: variances of the posterior, nats", gap_small, SELFTEST_ALWAYS},
    {"F2", "x_0 predicted on the way: hundreds of timesteps in which it comes no nearer", way_rises,
     SELFTEST_ALWAYS},
    {"F2", "x_0 predicted at the last timestep: root mean square error", way_ends, SELFTEST_ALWAYS},
    {"F2", "the 256 bins of a byte: sum of probabilities less 1, at most", bins, SELFTEST_LOCAL},
    {"F2", "the bin of x = .2 under N(.19, .01^2)", bin, SELFTEST_LOCAL},
    {"F2", "KL of N(1, 4) to N(0, 1), nats", kl, SELFTEST_LOCAL},
    {"F2", "the same as a mean over 1,000,000 samples", kl_by_samples, SELFTEST_LOCAL},
};

void selftest_bound(struct selftest *selftest)
{
    selftest_judge_all(selftest, rules, sizeof rules / sizeof rules[0]);
}
