#include "core/model/model.h"

#include "core/base/clock.h"
#include "core/diffusion/prior.h"
#include "core/model/card.h"
#include "core/model/folder_open.h"
#include "core/model/scheduler_config.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_STEPS 50

static const struct family *const families[] = {
#define FAMILY_ENTRY(name) &family_##name,
    FAMILIES(FAMILY_ENTRY)
#undef FAMILY_ENTRY
};

static bool find_family(struct model *model, const struct folder *folder, struct error *error)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (strcmp(families[i]->name, folder->class_name) == 0) {
            model->family = families[i];
            return true;
        }
    return error_set(error, ERROR_BAD_MODEL,
                     "%s: _class_name \"%.60s\" is not served; UNet2DModel, PointMLP and "
                     "GaussianMixture are",
                     folder_config_path(folder), folder->class_name);
}

static bool good_name(const char *name)
{
    const size_t size = strlen(name);

    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && (i == 0 || !strchr("._-", name[i])))
            return false;
    return size > 0 && size <= MODEL_NAME_MAX;
}

/* The folder's own name as the path gives it; what "." stands for is asked of the system. */
static bool read_name(struct model *model, const char *path, const char *root, struct error *error)
{
    char copy[PATH_MAX];
    const char *name;
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        size--;
    snprintf(copy, sizeof(copy), "%.*s", (int)(size < PATH_MAX ? size : PATH_MAX - 1), path);
    name = strrchr(copy, '/') ? strrchr(copy, '/') + 1 : copy;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        name = strrchr(root, '/') + 1;
    if (!good_name(name))
        return error_set(error, ERROR_BAD_MODEL,
                         "the folder's name must be 1..%d letters, digits, dots, dashes and "
                         "underscores, the first a letter or digit",
                         MODEL_NAME_MAX);
    memcpy(model->name, name, strlen(name) + 1);
    return true;
}

static bool read_process(struct model *model, struct folder *folder, struct error *error)
{
    const struct folder_file *file = &folder->files[FOLDER_SCHEDULER];
    struct process_config config;
    struct error fault;
    bool good;

    if (!file->json)
        folder_warn(folder, "%s: is missing; DDPMScheduler with its defaults is used", file->path);
    if (!scheduler_config_parse(file->json, file->path, &config, error))
        return false;
    good = process_init(&model->process, &config, &fault);
    scheduler_config_finish(&config);
    return good ||
           error_set(error, fault.code == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : ERROR_BAD_MODEL,
                     "%s: %s", file->path, fault.text);
}

/* What config.json and scheduler_config.json must agree on. */
static bool check_process(const struct model *model, struct folder *folder, struct error *error)
{
    const struct folder_file *file = &folder->files[FOLDER_SCHEDULER];
    const struct process_config *config = &model->process.config;
    const enum variance_type type = (enum variance_type)process_option(
        &model->process, OPTION_VARIANCE_TYPE, (double)VARIANCE_FIXED_SMALL);
    const bool learned = type == VARIANCE_LEARNED || type == VARIANCE_LEARNED_RANGE;
    const bool twice = model->shape.output_dim == 2 * model->shape.dim;

    if (learned && !twice)
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: variance_type %s needs a network with twice as many output as input "
                         "channels",
                         file->path, variance_type_name(type));
    if (twice && !learned)
        folder_warn(folder,
                    "%s: the network answers a variance too, but variance_type is %s: ddpm refuses "
                    "to run",
                    file->path, variance_type_name(type));
    if (config->type == PROCESS_FLOW && config->base == FLOW_BASE_ANNULUS && model->shape.dim != 2)
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: base annulus is for points of 2 coordinates, the model has %zu",
                         file->path, model->shape.dim);
    if (model->shape.is_points && config->type == PROCESS_TABLE &&
        config->schedule.clip_sample == NOT_GIVEN)
        folder_warn(
            folder,
            "%s: clip_sample is absent, so x_0 is clipped to [-1, 1], which destroys points "
            "outside: write \"clip_sample\": false",
            file->path);
    return true;
}

/* Whether the process ends where samplers start. */
static void check_prior(const struct model *model, struct folder *folder)
{
    char text[PRIOR_WARNING_SIZE];

    if (prior_warning(&model->process, model->shape.dim, model->knows_energy ? model->energy : -1.0,
                      text))
        folder_warn(folder, "%s: %s", folder->files[FOLDER_SCHEDULER].path, text);
}

static bool open_family(struct model *model, struct folder *folder, const struct backend *backend,
                        struct error *error)
{
    if (!find_family(model, folder, error) || !card_check_sample_size(folder, error))
        return false;
    if (!model->family->weightless && !folder_open_weights(folder, error))
        return false;
    if (!model->family->open(model, folder, backend, error))
        return false;
    model->process.network.is_points = model->shape.is_points;
    return true;
}

static bool load(struct model *model, const char *path, struct folder *folder,
                 const struct backend *backend, struct error *error)
{
    if (!read_name(model, path, folder->root, error) || !read_process(model, folder, error) ||
        !open_family(model, folder, backend, error) || !check_process(model, folder, error) ||
        !card_read(model, folder, error) || !folder_digest(folder, model->digest, error))
        return false;
    check_prior(model, folder);
    model->warnings = folder->warnings;
    model->warning_count = folder->warning_count;
    folder->warnings = NULL;
    folder->warning_count = 0;
    return true;
}

struct model *model_open(const char *path, const struct backend *backend, struct error *error)
{
    const uint64_t start = clock_now_ns();
    struct model *model = calloc(1, sizeof(*model));
    struct folder *folder;
    bool good;

    if (!model) {
        error_write(error, ERROR_NO_MEMORY, "no memory for a model");
        return NULL;
    }
    gang_float_mode();
    folder = folder_open(path, error);
    good = folder && load(model, path, folder, backend, error);
    folder_close(folder);
    if (!good) {
        model_close(model);
        return NULL;
    }
    model->load_seconds = (double)(clock_now_ns() - start) * 1e-9;
    return model;
}

void model_close(struct model *model)
{
    if (!model)
        return;
    if (model->network)
        model->family->close(model);
    process_finish(&model->process);
    card_finish(model);
    for (size_t i = 0; i < model->warning_count; i++)
        free(model->warnings[i]);
    free(model->warnings);
    free(model);
}

const char *model_default_sampler(const struct model *model)
{
    return model->card.default_sampler ? model->card.default_sampler
                                       : model->process.config.schedule.sampler;
}

size_t model_default_steps(const struct model *model)
{
    const struct process_config *config = &model->process.config;
    const size_t timesteps = config->schedule.timesteps;

    if (model->card.default_steps)
        return model->card.default_steps;
    if (config->type == PROCESS_CM)
        return 1;
    if (config->levels != NULL)
        return config->level_count;
    return timesteps < DEFAULT_STEPS ? timesteps : DEFAULT_STEPS;
}
