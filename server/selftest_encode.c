/* From data to noise and back, and between the noise of two seeds, asked as anybody would. */
#include "server/selftest.h"

#include "core/base/math.h"
#include "proto/json_write.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TABLE "exact-mixture"
/* What POST says to `fields` and, where there are any, n points of `key`. */
static cJSON *ask(struct selftest *selftest, const char *path, const char *fields, const float *x,
                  size_t n, struct error *error)
{
    const char *key = strcmp(path, "/encode") == 0 ? "x_0" : "x_T";
    struct buffer body = {.size = 0};
    cJSON *answer = NULL;

    json_open(&body, '{');
    buffer_text(&body, fields);
    if (n > 0)
        selftest_points_json(&body, key, x, n);
    json_close(&body, '}');
    if (buffer_ok(&body))
        answer = selftest_post(selftest, path, &body, error);
    else
        error_write(error, ERROR_NO_MEMORY, "no memory for a request");
    buffer_finish(&body);
    return answer;
}

/* Both coordinates of a row of `key`. */
static bool read_point(const cJSON *answer, const char *key, size_t rows, size_t row,
                       double point[2], struct error *error)
{
    const cJSON *list = selftest_list(answer, key, rows, error);
    const cJSON *found = cJSON_GetArrayItem(list, (int)row);

    if (list == NULL)
        return false;
    for (int i = 0; i < 2; i++)
        point[i] = cJSON_GetNumberValue(cJSON_GetArrayItem(found, i));
    return true;
}

/* --- round trips --- */

/* The two Gaussians in the axes u along their centres and v across: in v all is linear, so that one
 * row at v = 1 stands for the mean over v, and in u the mean is a sum over even cells. Random
 * points would not do: a few of thousands, near where the ways part, make most of it. */
enum { CELLS = 1000 };
#define REACH 11.0 /* of u */

static double cell_middle(size_t i)
{
    return REACH * ((2.0 * (double)i + 1.0) / CELLS - 1.0);
}

static double cell_weight(size_t i)
{
    static const double CENTRE = 3.0 * 1.41421356237309504880, ROOT_2PI = 2.50662827463100050242;
    const double there = cell_middle(i) - CENTRE, here = cell_middle(i) + CENTRE;

    return (.2 * math_exp(-there * there / 2.0) + .8 * math_exp(-here * here / 2.0)) *
           (2.0 * REACH / CELLS) / ROOT_2PI;
}

static void fill_cells(float *x)
{
    static const double ROOT_HALF = 0.70710678118654752440;

    for (size_t i = 0; i < CELLS; i++) {
        x[2 * i] = (float)(ROOT_HALF * (cell_middle(i) + 1.0));
        x[2 * i + 1] = (float)(ROOT_HALF * (cell_middle(i) - 1.0));
    }
}

/* Mean over the data of what /encode says of each row: the square per dimension. */
static bool trip_error(struct selftest *selftest, const char *fields, double *mean,
                       struct error *error)
{
    const cJSON *list = NULL, *entry;
    float x[2 * CELLS];
    cJSON *answer;
    size_t i = 0;

    fill_cells(x);
    answer = ask(selftest, "/encode", fields, x, CELLS, error);
    if (answer != NULL)
        list = selftest_list(answer, "error", CELLS, error);
    *mean = 0.0;
    cJSON_ArrayForEach(entry, list)
    {
        *mean += cell_weight(i++) * cJSON_GetNumberValue(entry);
    }
    cJSON_Delete(answer);
    return list != NULL;
}

/* B7: of growing numbers of steps; 0: not known. */
#define LENGTHS 5
static const struct {
    const char *variant;
    double expected[LENGTHS];
} TRIPS[] = {{"diffusers", {.638, 0.0, 0.0, .0333, .00097}},
             {"paper", {1.13, 0.0, 0.0, .0288, .00074}}};

static bool trip(struct selftest *selftest, size_t trip, double errors[LENGTHS],
                 struct error *error)
{
    static const int STEPS[LENGTHS] = {10, 20, 50, 100, 1000};
    const char *variant = TRIPS[trip].variant;
    char what[96], fields[160];

    for (size_t i = 0; i < LENGTHS; i++) {
        const double expected = TRIPS[trip].expected[i];

        (void)snprintf(fields, sizeof fields,
                       "\"model\":\"" TABLE "\",\"sampler\":\"ddim_inverse\",\"spacing\":"
                       "\"trailing\",\"roundtrip\":true,\"steps\":%d,\"variant\":\"%s\"",
                       STEPS[i], variant);
        (void)snprintf(what, sizeof what,
                       "encode as %s and decode, %d steps: mean square per dimension", variant,
                       STEPS[i]);
        if (!trip_error(selftest, fields, &errors[i], error))
            return false;
        if (expected > 0.0)
            selftest_report_number(selftest, "B7", what,
                                   (double[]){errors[i], expected, .3 * expected});
    }
    return true;
}

/* How often more steps come back nearer: each time. */
static void check_trip(struct selftest *selftest, size_t index)
{
    double errors[LENGTHS] = {0.0}, falls = 0.0;
    struct error error = {.code = ERROR_NO_MEMORY, .text = "no memory"};
    char what[96];

    (void)snprintf(what, sizeof what,
                   "encode as %s and decode: falls of the error over 10, 20, 50, 100, 1000",
                   TRIPS[index].variant);
    if (!trip(selftest, index, errors, &error)) {
        selftest_report_failure(selftest, "B7", what, &error);
        return;
    }
    for (size_t i = 1; i < LENGTHS; i++)
        falls += errors[i] < errors[i - 1];
    selftest_report_number(selftest, "B7", what, (double[]){falls, LENGTHS - 1, 0.0});
}

static bool flow_trip(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[2] = 1e-6;
    return trip_error(selftest,
                      "\"model\":\"exact-vp\",\"sampler\":\"pf_ode\",\"method\":\"rk4\",\"steps\":"
                      "50,\"roundtrip\":true",
                      &numbers[0], error);
}

/* --- 10.2: one point, encoded, and its x_T given to /sample --- */

static bool invert(struct selftest *selftest, double value[4], struct error *error)
{
    static const float POINT[2] = {3.2F, 2.9F};
    cJSON *answer =
        ask(selftest, "/encode",
            "\"model\":\"" TABLE "\",\"sampler\":\"ddim_inverse\",\"steps\":10", POINT, 1, error);
    float noise[2];
    bool good = answer != NULL && read_point(answer, "x_T", 1, 0, value, error);

    cJSON_Delete(answer);
    if (!good)
        return false;
    noise[0] = (float)value[0];
    noise[1] = (float)value[1];
    answer = ask(selftest, "/sample", "\"model\":\"" TABLE "\",\"sampler\":\"ddim\",\"steps\":10",
                 noise, 1, error);
    good = answer != NULL && read_point(answer, "points", 1, 0, value + 2, error);
    cJSON_Delete(answer);
    return good;
}

static void check_inversion(struct selftest *selftest)
{
    struct selftest_result result = {.id = "10.2",
                                     .what = "ddim_inverse of (3.2, 2.9), 10 steps, and decoded",
                                     .count = 4,
                                     .expected = {1.588706, 1.242430, 3.679699, 3.391702},
                                     .tolerance = 1e-4};
    struct error error;

    if (invert(selftest, result.value, &error))
        selftest_report(selftest, &result);
    else
        selftest_report_failure(selftest, result.id, result.what, &error);
}

/* --- B8: between two seeds --- */

enum { FRAMES = 9, FROM = 5, TO = 70 };

/* Adds what the ends of a way are away from the samples of its seeds. */
static bool ends(struct selftest *selftest, const struct selftest_run *plain, double *distance,
                 struct error *error)
{
    struct selftest_run run = *plain;
    char fields[192];
    cJSON *answer;
    bool good;

    (void)snprintf(fields, sizeof fields,
                   "\"model\":\"%s\",\"sampler\":\"%s\",\"steps\":%zu,\"interpolate\":{\"from\":%d,"
                   "\"to\":%d,\"frames\":%d}",
                   run.model, run.sampler, run.steps, FROM, TO, FRAMES);
    answer = ask(selftest, "/sample", fields, NULL, 0, error);
    good = answer != NULL;
    for (size_t i = 0; good && i < 2; i++) {
        double end[2];
        float x[2];

        run.seed = i == 0 ? FROM : TO;
        good = read_point(answer, "points", FRAMES, i * (FRAMES - 1), end, error) &&
               selftest_sample(selftest, &run, 1, x, error);
        for (size_t k = 0; good && k < 2; k++)
            *distance = fmax(*distance, fabs((double)(float)end[k] - (double)x[k]));
    }
    cJSON_Delete(answer);
    return good;
}

static bool ends_are_plain(struct selftest *selftest, double numbers[3], struct error *error)
{
    static const struct selftest_run RUNS[] = {
        {.model = TABLE, .sampler = "ddim", .steps = 50, .options = ""},
        {.model = TABLE, .sampler = "heun", .steps = 20, .options = ""},
        {.model = "exact-flow", .sampler = "flow_euler", .steps = 20, .options = ""}};

    for (size_t i = 0; i < sizeof RUNS / sizeof RUNS[0]; i++)
        if (!ends(selftest, &RUNS[i], &numbers[0], error))
            return false;
    return true;
}

static const struct selftest_rule rules[] = {
    {"E3", "pf_ode by rk4, 50 steps there and 50 back: mean square per dimension", flow_trip,
     SELFTEST_ALWAYS},
    {"B8", "interpolate: largest distance of an end from the sample of its seed", ends_are_plain,
     SELFTEST_ALWAYS},
};

void selftest_encode(struct selftest *selftest)
{
    check_inversion(selftest);
    for (size_t i = 0; i < sizeof TRIPS / sizeof TRIPS[0]; i++)
        check_trip(selftest, i);
    selftest_judge_all(selftest, rules, sizeof rules / sizeof rules[0]);
}
