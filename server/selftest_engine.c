/* Rows by an engine of the selftest's own: plans made here, models loaded here. */
#include "server/selftest.h"

#include "core/base/gang.h"
#include "server/cpus.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINT_SLOTS       4096
#define IMAGE_SLOTS       1
#define OPTION_TEXT_MAX   64
#define FRAMES_MAX        1024
#define PATH_SIZE         4096
#define MODELS_OF_ITS_OWN "selftest" /* inside the directory of models */

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

/* --- a variance that a mixture does not predict: the same number at every point --- */

#define LEARNED_MODEL    "learned"
#define LEARNED_VARIANCE 0.3F

static void evaluate_with_variance(const struct model *model, const struct place *places,
                                   size_t count, struct gang *gang, void *workspace)
{
    family_gaussian_mixture.evaluate(model, places, count, gang, workspace);
    for (size_t i = 0; i < count; i++)
        for (size_t j = model->shape.dim; j < model->shape.output_dim; j++)
            places[i].output[j] = LEARNED_VARIANCE;
}

/* Before the engine starts: nobody reads the model yet. */
static void learn_variance(const struct catalog *catalog, struct family *family)
{
    for (size_t i = 0; i < catalog->count; i++) {
        struct model *model = catalog->models[i];
        struct option_values *options = &model->process.config.options;

        if (strcmp(model->name, LEARNED_MODEL) != 0 || model->family != &family_gaussian_mixture)
            continue;
        *family = family_gaussian_mixture;
        family->evaluate = evaluate_with_variance;
        model->family = family;
        model->shape.output_dim = 2 * model->shape.dim;
        options->given[OPTION_VARIANCE_TYPE] = true;
        options->value[OPTION_VARIANCE_TYPE] = VARIANCE_LEARNED_RANGE;
    }
}

static bool load(struct selftest *selftest, const char *models, struct error *error)
{
    static struct family with_variance; /* one selftest runs in a process */
    const struct backend *backend = backend_find(NULL);
    struct error absent;
    char own[PATH_SIZE];

    (void)snprintf(own, sizeof own, "%s/" MODELS_OF_ITS_OWN, models);
    if (!backend->start(error) ||
        !catalog_add_directory(&selftest->catalog, models, backend, ignore, NULL, error))
        return false;
    if (!catalog_add_directory(&selftest->catalog, own, backend, ignore, NULL, &absent))
        (void)fprintf(stderr, "denoised: %s: %s\n", own, absent.text);
    learn_variance(&selftest->catalog, &with_variance);
    return true;
}

bool selftest_open(struct selftest *selftest, const char *models, struct error *error)
{
    const struct engine_options options = {.threads = (unsigned)cpus_usable(),
                                           .image_slots = IMAGE_SLOTS,
                                           .point_slots = POINT_SLOTS,
                                           .queue_requests = 1,
                                           .queue_seconds = (double)INFINITY,
                                           .stretch_seconds = ENGINE_STRETCH_SECONDS,
                                           .doorbell = doorbell};

    gang_float_mode();
    if (!load(selftest, models, error))
        return false;
    selftest->engine = engine_create(&options, &selftest->catalog, error);
    return selftest->engine != NULL;
}

void selftest_close(struct selftest *selftest)
{
    engine_destroy(selftest->engine);
    catalog_finish(&selftest->catalog);
}

const struct model *selftest_model(const struct selftest *selftest, const char *name,
                                   struct error *error)
{
    const struct model *model = selftest->is_remote ? NULL : catalog_find(&selftest->catalog, name);

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

/* 22:0 */
static double read_list(struct selftest_options *given, enum sampler_option option,
                        const char *text)
{
    size_t count = 0;

    while (*text != '\0' && count < sizeof given->list / sizeof given->list[0]) {
        given->list[count++] = atoi(text);
        text += strcspn(text, ":");
        text += *text == ':';
    }
    given->values.list[option] = given->list;
    return (double)count;
}

static bool read_option(struct selftest_options *given, char *text, struct error *error)
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

bool selftest_read_options(struct selftest_options *given, const char *options, struct error *error)
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
    struct selftest_options given = {.list = {0}};
    const struct plan_request request = {.process = &model->process,
                                         .sampler = run->sampler,
                                         .steps = run->steps > 0 ? run->steps
                                                                 : model_default_steps(model),
                                         .steps_asked = run->steps > 0,
                                         .strength = 1.0,
                                         .options = &given.values,
                                         .dim = model->shape.dim,
                                         .output_dim = model->shape.output_dim};

    return selftest_read_options(&given, run->options, error) ? plan_create(&request, error) : NULL;
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
        rows->guidance[i] = run->has_label ? run->guidance : 1.0f;
    }
    return true;
}

bool selftest_engine_run(struct selftest *selftest, struct request *request, struct error *error)
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

bool selftest_engine_sample(struct selftest *selftest, const struct selftest_run *run, size_t n,
                            float *x, struct error *error)
{
    const struct conditioning conditioning = {.x_T = run->x_T};
    const struct model *model = selftest_model(selftest, run->model, error);
    struct rows rows = {NULL, NULL, NULL};
    struct request request = {.model = model, .n = n, .x = x, .nfe = run->nfe};
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
        good = selftest_engine_run(selftest, &request, error);
    }
    free(rows.seeds);
    plan_destroy(plan);
    return good;
}
