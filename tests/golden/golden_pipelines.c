/* The pipelines part: whole pictures by a shipped model, byte for byte beside diffusers'.
 *
 * Every image is a row with its own generator; the images of a case share each evaluation. */
#include "tests/golden/golden.h"

#include "core/base/digest.h"
#include "core/diffusion/sampler.h"
#include "core/image/pixels.h"
#include "core/model/scheduler_config.h"
#include "tests/golden/golden_tensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE          4096
#define TIMESTEP_TOLERANCE 1e-3 /* of the fractional ones; whole ones are then equal */

struct pipeline_case {
    const struct golden_options *options;
    char name[300], path[PATH_SIZE]; /* of the case's files, without suffix */
    const char *model_name;
    cJSON *json;
    const cJSON *images;
    size_t count;
    double guidance;
    uint8_t *pictures; /* expected: count pictures, one after the other */
    size_t picture_bytes;
    char figure[256];
    bool close_enough;
};

/* One run of the case: rows, and the places they ask for. With guidance a row has two, the second
 * without its class. */
struct run {
    struct process process;
    struct plan *plan;
    struct model *model;
    struct golden_team team;
    struct row *rows;
    struct place *places;
    float *block; /* all arrays of rows and places */
};

static const char *text_at(const cJSON *json, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(json, key));

    return text == NULL ? "" : text;
}

static double number_at(const cJSON *json, const char *key, double absent)
{
    const cJSON *item = cJSON_GetObjectItem(json, key);

    return cJSON_IsNumber(item) ? item->valuedouble : absent;
}

/* --- the scheduler ---------------------------------------------------------------------------- */

/* The model's own configuration, the case's class and changes laid over it. */
static cJSON *merged_config(const struct pipeline_case *c)
{
    char path[PATH_SIZE];
    const cJSON *change;
    cJSON *config;

    snprintf(path, sizeof path, "%s/%s/scheduler/scheduler_config.json", c->options->models,
             c->model_name);
    config = golden_read_json(path);
    cJSON_DeleteItemFromObjectCaseSensitive(config, "_class_name");
    (void)cJSON_AddStringToObject(config, "_class_name", text_at(c->json, "scheduler"));
    cJSON_ArrayForEach(change, cJSON_GetObjectItem(c->json, "changes"))
    {
        cJSON_DeleteItemFromObjectCaseSensitive(config, change->string);
        (void)cJSON_AddItemToObject(config, change->string, cJSON_Duplicate(change, true));
    }
    return config;
}

static bool make_schedule(const struct pipeline_case *c, struct run *run, const char **sampler,
                          struct error *error)
{
    cJSON *json = merged_config(c);
    struct process_config config;
    bool good;

    if (json == NULL)
        return error_set(error, ERROR_IO, "the model has no scheduler_config.json");
    good = scheduler_config_parse(json, "scheduler_config.json", &config, error);
    if (good) {
        *sampler = config.schedule.sampler;
        good = process_init(&run->process, &config, error);
        scheduler_config_finish(&config);
    }
    cJSON_Delete(json);
    return good;
}

static bool make_plan(const struct pipeline_case *c, struct run *run, struct error *error)
{
    struct option_values options = {0};
    struct plan_request request = {.process = &run->process,
                                   .steps = (size_t)number_at(c->json, "steps", 1),
                                   .options = &options,
                                   .dim = run->model->shape.dim,
                                   .output_dim = run->model->shape.output_dim};
    const cJSON *timestep, *timesteps = cJSON_GetObjectItem(c->json, "timesteps");
    size_t i = 0;

    if (!make_schedule(c, run, &request.sampler, error))
        return false;
    options.given[OPTION_ETA] = cJSON_HasObjectItem(c->json, "eta");
    options.value[OPTION_ETA] = number_at(c->json, "eta", 0);
    run->plan = plan_create(&request, error);
    if (run->plan == NULL)
        return false;
    if ((size_t)cJSON_GetArraySize(timesteps) != run->plan->step_count)
        return error_set(error, ERROR_INVALID, "the number of timesteps differs");
    cJSON_ArrayForEach(timestep, timesteps)
    {
        if (fabs(timestep->valuedouble - run->plan->step[i++].model_time) > TIMESTEP_TOLERANCE)
            return error_set(error, ERROR_INVALID, "timestep %zu differs", i - 1);
    }
    return true;
}

/* --- the model -------------------------------------------------------------------------------- */

static bool check_weights(const struct pipeline_case *c, struct error *error)
{
    char path[PATH_SIZE], digest[DIGEST_TEXT_SIZE];
    size_t size;
    char *bytes;

    snprintf(path, sizeof path, "%s/%s/unet/diffusion_pytorch_model.safetensors",
             c->options->models, c->model_name);
    bytes = golden_read_file(path, &size);
    if (bytes == NULL)
        return error_set(error, ERROR_IO, "%s cannot be read", path);
    digest_of(bytes, size, digest);
    free(bytes);
    return strcmp(digest, text_at(c->json, "unet_sha256")) == 0 ||
           error_set(error, ERROR_INVALID, "%s is another file than the one that drew the pictures",
                     path);
}

static bool open_model(const struct pipeline_case *c, const struct backend *backend,
                       struct run *run, struct error *error)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", c->options->models, c->model_name);
    run->model = backend->start(error) ? model_open(path, backend, error) : NULL;
    if (run->model == NULL)
        return false;
    if (run->model->shape.dim != c->picture_bytes)
        return error_set(error, ERROR_INVALID, "the model makes pictures of another size");
    return golden_team_start(&run->team, run->model, error);
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool make_rows(const struct pipeline_case *c, struct run *run, struct error *error)
{
    const size_t dim = run->plan->dim, output_dim = run->plan->output_dim;
    const size_t each = 4 * dim + run->plan->state_floats + 2 * output_dim;

    run->rows = calloc(c->count, sizeof *run->rows);
    run->places = calloc(2 * c->count, sizeof *run->places);
    run->block = calloc(c->count * each, sizeof *run->block);
    if (run->rows == NULL || run->places == NULL || run->block == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory");
    for (size_t i = 0; i < c->count; i++) {
        float *block = run->block + i * each;
        run->places[2 * i].output = block;
        run->places[2 * i + 1].output = block + output_dim;
        block += 2 * output_dim;
        run->rows[i] = (struct row){.x = block,
                                    .input = block + dim,
                                    .noise = block + 2 * dim,
                                    .scratch = block + 3 * dim,
                                    .state = block + 4 * dim};
    }
    return true;
}

static void begin_rows(const struct pipeline_case *c, struct run *run)
{
    const struct class_input *input = &run->model->class_input;

    for (size_t i = 0; i < c->count; i++) {
        const cJSON *image = cJSON_GetArrayItem(c->images, (int)i);
        const int32_t null_label = input->has_classes ? input->null_label : -1;
        const double label = number_at(image, "class", null_label);
        struct row *row = &run->rows[i];

        rng_seed(&row->rng, (uint32_t)number_at(image, "seed", 0));
        run->plan->sampler->begin(row, run->plan);
        run->places[2 * i].label = (int32_t)label;
        run->places[2 * i + 1].label = null_label;
    }
}

/* o = o_u + w (o_c - o_u), in float32, on raw outputs. */
static void guide(const struct pipeline_case *c, const struct run *run, struct place *pair)
{
    const float w = (float)c->guidance;
    float *conditional = pair[0].output;

    for (size_t k = 0; k < run->plan->output_dim; k++) {
        const float plain = pair[1].output[k];
        conditional[k] = plain + w * (conditional[k] - plain);
    }
}

/* All rows ask, and finish, at the same evaluations. False when one has failed. */
static bool step_rows(const struct pipeline_case *c, struct run *run, bool *done)
{
    const bool guided = c->guidance != 1;
    struct place places[256];
    size_t count = 0;

    for (size_t i = 0; i < 2 * c->count; i++) {
        const struct row *row = &run->rows[i / 2];
        run->places[i].x = row->input;
        run->places[i].time = row->time;
        run->places[i].level = row->level;
        if (guided || i % 2 == 0)
            places[count++] = run->places[i];
    }
    golden_team_evaluate(&run->team, places, count);
    for (size_t i = 0; i < c->count; i++) {
        enum advance next;
        if (guided)
            guide(c, run, &run->places[2 * i]);
        next = run->plan->sampler->advance(&run->rows[i], run->plan, run->places[2 * i].output);
        if (next == ADVANCE_FAILED)
            return false;
        *done = next == ADVANCE_DONE;
    }
    return true;
}

/* --- pictures --------------------------------------------------------------------------------- */

static void compare(struct pipeline_case *c, const struct run *run, const char *backend)
{
    const struct model_shape *shape = &run->model->shape;
    uint8_t *picture = calloc(c->picture_bytes, 1);
    size_t equal = 0;
    int furthest = picture == NULL ? 255 : 0;

    for (size_t i = 0; picture != NULL && i < c->count; i++) {
        pixels_from_x0(run->rows[i].x, shape->channels, shape->height, shape->width, picture);
        for (size_t k = 0; k < c->picture_bytes; k++) {
            const int difference = abs(picture[k] - c->pictures[i * c->picture_bytes + k]);
            furthest = difference > furthest ? difference : furthest;
            equal += difference == 0;
        }
    }
    free(picture);
    const double share = (double)equal / (double)(c->count * c->picture_bytes);
    const size_t used = strlen(c->figure);
    snprintf(c->figure + used, sizeof c->figure - used, "%s%s %.3f %% equal, furthest %d",
             used > 0 ? "; " : "", backend, 100 * share, furthest);
    c->close_enough = c->close_enough && furthest <= number_at(c->json, "max_difference", 1) &&
                      share >= number_at(c->json, "min_equal", 1);
}

static bool draw(struct pipeline_case *c, const struct backend *backend, struct run *run,
                 struct error *error)
{
    bool done = false;

    if (!open_model(c, backend, run, error) || !make_plan(c, run, error) ||
        !make_rows(c, run, error))
        return false;
    begin_rows(c, run);
    while (!done)
        if (!step_rows(c, run, &done))
            return error_set(error, ERROR_NONFINITE, "%s: a row has failed", backend->name);
    compare(c, run, backend->name);
    return true;
}

static bool run_backend(struct pipeline_case *c, const struct backend *backend, struct error *error)
{
    struct run run = {0};
    const bool good = draw(c, backend, &run, error);

    free(run.rows);
    free(run.places);
    free(run.block);
    plan_destroy(run.plan);
    process_finish(&run.process);
    golden_team_stop(&run.team);
    model_close(run.model);
    return good;
}

/* --- cases ------------------------------------------------------------------------------------ */

static bool read_pictures(struct pipeline_case *c, struct error *error)
{
    char path[PATH_SIZE + 16];
    struct safetensors file;
    const struct tensor *tensor;

    snprintf(path, sizeof path, "%s.safetensors", c->path);
    if (!golden_tensors_open(&file, path, error))
        return false;
    tensor = safetensors_find(&file, "picture");
    if (tensor != NULL && strcmp(tensor->dtype, "U8") == 0 && c->count > 0 &&
        tensor->count % c->count == 0) {
        c->picture_bytes = tensor->count / c->count;
        c->pictures = malloc(tensor->count + 1);
    }
    const bool good = c->pictures != NULL
                          ? safetensors_read_raw(&file, tensor, c->pictures, error)
                          : error_set(error, ERROR_IO, "%s: no picture for each image", path);
    safetensors_close(&file);
    return good;
}

static bool run_case(struct pipeline_case *c, struct error *error)
{
    const struct backend *backend = golden_backend(c->options->backend, 0);

    c->images = cJSON_GetObjectItem(c->json, "images");
    c->count = (size_t)cJSON_GetArraySize(c->images);
    c->guidance = number_at(c->json, "guidance", 1);
    if (c->count > 128)
        return error_set(error, ERROR_INVALID, "more than 128 images");
    if (backend == NULL)
        return error_set(error, ERROR_INVALID, "no backend of that name");
    if (!check_weights(c, error) || !read_pictures(c, error))
        return false;
    for (size_t i = 1; backend != NULL; backend = golden_backend(c->options->backend, i++))
        if (!run_backend(c, backend, error))
            return false;
    return true;
}

/* Not by the class's name alone: the config may choose among several samplers. */
static bool is_built(const struct pipeline_case *c)
{
    cJSON *config = merged_config(c);
    const enum scheduler_class class = scheduler_class_of(config);

    cJSON_Delete(config);
    return class != SCHEDULER_NOT_BUILT;
}

static void report(struct pipeline_case *c)
{
    struct error error;

    if (!is_built(c))
        golden_report(GOLDEN_SKIP, c->name, "%s is not built yet", text_at(c->json, "scheduler"));
    else if (!run_case(c, &error))
        golden_report(GOLDEN_FAIL, c->name, "%s", error.text);
    else
        golden_report(c->close_enough ? GOLDEN_OK : GOLDEN_FAIL, c->name, "%s", c->figure);
}

static void visit_case(const char *directory, const char *name, void *context)
{
    struct pipeline_case c = {.options = context, .close_enough = true};
    char path[PATH_SIZE + 16];
    const char *slash = strrchr(directory, '/');

    snprintf(c.name, sizeof c.name, "pipelines/%s/%s", slash == NULL ? directory : slash + 1, name);
    snprintf(c.path, sizeof c.path, "%s/%s", directory, name);
    snprintf(path, sizeof path, "%s.json", c.path);
    c.json = golden_read_json(path);
    c.model_name = text_at(c.json, "model");
    if (c.json == NULL)
        golden_report(GOLDEN_FAIL, c.name, "the case cannot be read");
    else
        report(&c);
    cJSON_Delete(c.json);
    free(c.pictures);
}

static void visit_model(const char *directory, const char *name, void *context)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    golden_each(path, ".json", visit_case, context);
}

void golden_pipelines(const char *directory, const struct golden_options *options)
{
    struct golden_options copy = *options;

    golden_each(directory, "", visit_model, &copy);
}
