#include "server/selftest.h"

#include "core/base/gang.h"
#include "server/cpus.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_FULL       100000
#define POINTS            20000
#define POINTS_LONG       4000 /* where a row takes EVALUATIONS_LONG or more */
#define EVALUATIONS_LONG  500
#define POINT_SLOTS       4096
#define IMAGE_SLOTS       1
#define OPTION_TEXT_MAX   64
#define LIST_MAX          8
#define FRAMES_MAX        128
#define POINTS_IN_CENTRES 100000.0

/* The engine's thread rings, the selftest waits. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t rung = PTHREAD_COND_INITIALIZER;
static bool has_rung;

static void doorbell(void *context)
{
    (void)context;
    pthread_mutex_lock(&mutex);
    has_rung = true;
    pthread_cond_signal(&rung);
    pthread_mutex_unlock(&mutex);
}

static void wait_for_doorbell(void)
{
    pthread_mutex_lock(&mutex);
    while (!has_rung)
        pthread_cond_wait(&rung, &mutex);
    has_rung = false;
    pthread_mutex_unlock(&mutex);
}

/* Pictures are not needed here: a folder that cannot be read is no fault of a sampler. */
static void ignore(void *context, const char *folder, const struct error *error)
{
    (void)context;
    (void)fprintf(stderr, "denoised: %s was refused: %s\n", folder, error->text);
}

bool selftest_open(struct selftest *selftest, const char *models, struct error *error)
{
    const struct backend *backend = backend_find(NULL);
    const struct engine_options options = {.threads = (unsigned)cpus_usable(),
                                           .image_slots = IMAGE_SLOTS,
                                           .point_slots = POINT_SLOTS,
                                           .queue_requests = 1,
                                           .queue_seconds = (double)INFINITY,
                                           .doorbell = doorbell};

    gang_float_mode();
    if (!backend->start(error) ||
        !catalog_add_directory(&selftest->catalog, models, backend, ignore, NULL, error))
        return false;
    selftest->engine = engine_create(&options, &selftest->catalog, error);
    return selftest->engine != NULL;
}

void selftest_close(struct selftest *selftest)
{
    engine_destroy(selftest->engine);
    catalog_finish(&selftest->catalog);
}

void selftest_run_all(struct selftest *selftest)
{
    selftest_tables(selftest);
    selftest_chains(selftest);
    selftest_rules(selftest);
    selftest_shares(selftest);
}

const struct model *selftest_model(const struct selftest *selftest, const char *name,
                                   struct error *error)
{
    const struct model *model = catalog_find(&selftest->catalog, name);

    if (model == NULL)
        error_write(error, ERROR_NOT_FOUND, "there is no model %s", name);
    return model;
}

/* --- requests --- */

static double read_value(enum sampler_option option, const char *text)
{
    const struct option_description *description = option_describe(option);

    for (size_t i = 0; description->choices != NULL && description->choices[i] != NULL; i++)
        if (strcmp(description->choices[i], text) == 0)
            return (double)i;
    return strcmp(text, "true") == 0 ? 1.0 : strtod(text, NULL);
}

/* What a run says of its options. */
struct given {
    struct option_values values;
    int list[LIST_MAX]; /* of the one option that is a list */
};

/* 22:0 */
static double read_list(struct given *given, enum sampler_option option, const char *text)
{
    size_t count = 0;

    while (*text != '\0' && count < LIST_MAX) {
        given->list[count++] = atoi(text);
        text += strcspn(text, ":");
        text += *text == ':';
    }
    given->values.list[option] = given->list;
    return (double)count;
}

static bool read_option(struct given *given, char *text, struct error *error)
{
    char *equals = strchr(text, '=');
    enum sampler_option option;

    if (equals == NULL)
        return error_set(error, ERROR_INVALID, "%s has no value", text);
    *equals = '\0';
    option = option_find(text);
    if (option == OPTION_COUNT)
        return error_set(error, ERROR_INVALID, "there is no option %s", text);
    given->values.given[option] = true;
    given->values.value[option] = option_describe(option)->type == OPTION_LIST
                                      ? read_list(given, option, equals + 1)
                                      : read_value(option, equals + 1);
    return true;
}

static bool read_options(struct given *given, const char *options, struct error *error)
{
    while (*options != '\0') {
        const size_t size = strcspn(options, ",");
        char text[OPTION_TEXT_MAX];

        (void)snprintf(text, sizeof text, "%.*s", (int)size, options);
        if (!read_option(given, text, error))
            return false;
        options += size + (options[size] == ',');
    }
    return true;
}

static struct plan *make_plan(const struct model *model, const struct selftest_run *run,
                              struct error *error)
{
    struct given given = {.list = {0}};
    const struct plan_request request = {.process = &model->process,
                                         .sampler = run->sampler,
                                         .steps = run->steps > 0 ? run->steps
                                                                 : model_default_steps(model),
                                         .steps_asked = run->steps > 0,
                                         .strength = 1.0,
                                         .options = &given.values,
                                         .dim = model->shape.dim,
                                         .output_dim = model->shape.output_dim};

    return read_options(&given, run->options, error) ? plan_create(&request, error) : NULL;
}

/* Of n rows: what the engine reads for each of them, in one block. */
struct rows {
    uint32_t *seeds;
    int32_t *labels;
    float *guidance;
};

static bool make_rows(struct rows *rows, const struct selftest_run *run, size_t n,
                      struct error *error)
{
    rows->seeds = malloc(n * (sizeof *rows->seeds + sizeof *rows->labels + sizeof *rows->guidance));
    if (rows->seeds == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu rows", n);
    rows->labels = (int32_t *)(rows->seeds + n);
    rows->guidance = (float *)(rows->labels + n);
    for (size_t i = 0; i < n; i++) {
        rows->seeds[i] = run->seed + (uint32_t)i;
        rows->labels[i] = run->has_label ? run->label : -1;
        rows->guidance[i] = run->guidance > 0.0f ? run->guidance : 1.0f;
    }
    return true;
}

static bool run_request(struct selftest *selftest, struct request *request, struct error *error)
{
    if (!engine_submit(selftest->engine, request, error))
        return false;
    while (engine_collect(selftest->engine) == NULL)
        wait_for_doorbell();
    if (request->error.code == ERROR_NONE)
        return true;
    *error = request->error;
    return false;
}

bool selftest_sample(struct selftest *selftest, const struct selftest_run *run, size_t n, float *x,
                     uint32_t *nfe, struct error *error)
{
    const struct conditioning conditioning = {.x_T = run->x_T};
    const struct model *model = selftest_model(selftest, run->model, error);
    struct rows rows = {NULL, NULL, NULL};
    struct request request = {.model = model, .n = n, .x = x, .nfe = nfe};
    struct trajectory_frame frames[FRAMES_MAX];
    struct plan *plan;
    bool good;

    if (model == NULL)
        return false;
    plan = make_plan(model, run, error);
    good = plan != NULL && make_rows(&rows, run, n, error);
    if (good) {
        request.plan = plan;
        request.seeds = rows.seeds;
        request.labels = rows.labels;
        request.guidance = rows.guidance;
        if (run->frames != NULL)
            request.trajectory =
                (struct trajectory){1, trajectory_frames(plan, 1), frames, run->frames};
        request.conditioning = run->x_T != NULL ? &conditioning : NULL;
        good = run_request(selftest, &request, error);
    }
    free(rows.seeds);
    plan_destroy(plan);
    return good;
}

size_t selftest_evaluations(struct selftest *selftest, const struct selftest_run *run)
{
    struct error error;
    const struct model *model = selftest_model(selftest, run->model, &error);
    struct plan *plan = model != NULL ? make_plan(model, run, &error) : NULL;
    const size_t evaluations = plan == NULL ? 0 : plan->is_adaptive ? 1 : plan->evaluations;

    plan_destroy(plan);
    return evaluations;
}

/* --- statistics --- */

size_t selftest_points(const struct selftest *selftest, size_t evaluations)
{
    if (selftest->is_full)
        return POINTS_FULL;
    return evaluations >= EVALUATIONS_LONG ? POINTS_LONG : POINTS;
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

static void print_numbers(const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)printf("%s%.6g", i == 0 ? "" : " ", numbers[i]);
}

void selftest_report(struct selftest *selftest, const struct selftest_result *result)
{
    bool good = true;

    for (size_t i = 0; i < result->count; i++)
        good = good && fabs(result->value[i] - result->expected[i]) <= result->tolerance;
    *(good ? &selftest->passed : &selftest->failed) += 1;
    (void)printf("%-4s  %-5s %-58s ", good ? "ok" : "FAIL", result->id, result->what);
    print_numbers(result->value, result->count);
    (void)printf("  expected ");
    print_numbers(result->expected, result->count);
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
    selftest->failed++;
    (void)printf("FAIL  %-5s %-58s %s\n", id, what, error->text);
}
