#include "core/model/scheduler_config.h"

#include "core/model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `sampler` is what runs when a request names none; NULL: the class is not built. */
static const struct known_class {
    const char *name, *sampler;
} classes[] = {
    {"DDPMScheduler", "ddpm"},
    {"DDIMScheduler", "ddim"},
    {"PNDMScheduler", NULL},
    {"UniPCMultistepScheduler", NULL},
    {"EulerDiscreteScheduler", NULL},
    {"EulerAncestralDiscreteScheduler", NULL},
    {"HeunDiscreteScheduler", NULL},
    {"DPMSolverMultistepScheduler", NULL},
    {"DDIMInverseScheduler", NULL},
    {"FlowMatchEulerDiscreteScheduler", NULL},
    {"FlowMatchHeunDiscreteScheduler", NULL},
    {"CMStochasticIterativeScheduler", NULL},
    {"ScoreSdeVeScheduler", NULL},
    {"ScoreSdeVpScheduler", NULL},
    {"DenoisedProcess", NULL},
};

static const struct known_class *find_class(const char *name)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];
    return NULL;
}

enum scheduler_class scheduler_class_find(const char *name)
{
    const struct known_class *known = find_class(name);

    if (!known)
        return SCHEDULER_UNKNOWN;
    return known->sampler ? SCHEDULER_BUILT : SCHEDULER_NOT_BUILT;
}

static bool read_class(const struct config_object *object, struct schedule_config *config,
                       struct error *error)
{
    const struct known_class *known;
    const char *name;

    if (!config_object_string(object, "_class_name", config->class_name, &name, error))
        return false;
    known = name ? find_class(name) : NULL;
    if (!known)
        return error_set(error, ERROR_BAD_MODEL, "%s: _class_name \"%.60s\" is unknown",
                         object->path, name ? name : "null");
    if (!known->sampler)
        return error_set(error, ERROR_BAD_MODEL, "%s: %s is not built yet", object->path,
                         known->name);
    config->class_name = known->name;
    config->sampler = known->sampler;
    return true;
}

static const char *const beta_schedule_names[] = {
#define NAME(code, name) name,
    BETA_SCHEDULES(NAME) NULL};
static const char *const head_names[] = {HEADS(NAME) NULL};
static const char *const variance_names[] = {VARIANCE_TYPES(NAME) NULL};
static const char *const spacing_names[] = {SPACINGS(NAME) NULL};
#undef NAME

/* A name out of `names`, in whose order the enum stands. False with `value` untouched: refused. */
static bool read_name(const struct config_object *object, const char *key, const char *const *names,
                      int *value, struct error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object->json, key);
    const char *name = cJSON_GetStringValue(item);
    char wanted[256] = "one of";
    size_t used = strlen(wanted);

    if (!item)
        return true;
    for (int i = 0; names[i]; i++) {
        if (name && strcmp(name, names[i]) == 0) {
            *value = i;
            return true;
        }
        used += (size_t)snprintf(wanted + used, sizeof(wanted) - used, " %s", names[i]);
    }
    return config_refuse(object, item, wanted, error);
}

static bool read_names(const struct config_object *object, struct schedule_config *config,
                       struct error *error)
{
    int beta_schedule = (int)config->beta_schedule, head = (int)config->head;
    int variance = (int)config->variance_type, spacing = (int)config->spacing;
    bool predict_epsilon;

    /* Up to diffusers 0.12; prediction_type has the last word. */
    if (!config_object_bool(object, "predict_epsilon", true, &predict_epsilon, error))
        return false;
    if (!predict_epsilon)
        head = HEAD_SAMPLE;
    if (!read_name(object, "beta_schedule", beta_schedule_names, &beta_schedule, error) ||
        !read_name(object, "prediction_type", head_names, &head, error) ||
        !read_name(object, "variance_type", variance_names, &variance, error) ||
        !read_name(object, "timestep_spacing", spacing_names, &spacing, error))
        return false;
    config->beta_schedule = (enum beta_schedule)beta_schedule;
    config->head = (enum head)head;
    config->variance_type = (enum variance_type)variance;
    config->spacing = (enum spacing)spacing;
    return true;
}

static bool read_flags(const struct config_object *object, struct schedule_config *config,
                       struct error *error)
{
    /* set_alpha_to_zero is the old name of set_alpha_to_one, not its opposite. */
    return config_object_bool(object, "rescale_betas_zero_snr", config->rescale_betas_zero_snr,
                              &config->rescale_betas_zero_snr, error) &&
           config_object_bool(object, "set_alpha_to_zero", config->set_alpha_to_one,
                              &config->set_alpha_to_one, error) &&
           config_object_bool(object, "set_alpha_to_one", config->set_alpha_to_one,
                              &config->set_alpha_to_one, error) &&
           config_object_bool(object, "clip_sample", config->clip_sample, &config->clip_sample,
                              error) &&
           config_object_bool(object, "thresholding", config->thresholding, &config->thresholding,
                              error);
}

static bool read_numbers(const struct config_object *object, struct schedule_config *config,
                         struct error *error)
{
    const struct {
        const char *key;
        double minimum, maximum;
        double *value;
    } numbers[] = {
        {"beta_start", 1e-12, 0.999, &config->beta_start},
        {"beta_end", 1e-12, 0.999, &config->beta_end},
        {"clip_sample_range", 1e-6, 1e6, &config->clip_sample_range},
        {"dynamic_thresholding_ratio", 0.0, 1.0, &config->dynamic_thresholding_ratio},
        {"sample_max_value", 1e-6, 1e6, &config->sample_max_value},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct number_range range = {.minimum = numbers[i].minimum,
                                           .maximum = numbers[i].maximum,
                                           .absent = *numbers[i].value};

        if (!config_object_number(object, numbers[i].key, &range, numbers[i].value, error))
            return false;
    }
    if (config->beta_start > config->beta_end)
        return error_set(error, ERROR_BAD_MODEL, "%s: beta_start %g is above beta_end %g",
                         object->path, config->beta_start, config->beta_end);
    return true;
}

static bool read_integers(const struct config_object *object, struct schedule_config *config,
                          struct error *error)
{
    const struct integer_range steps = {
        .minimum = 2, .maximum = SCHEDULE_TIMESTEPS_MAX, .absent = (long)config->timesteps};
    const struct integer_range offset = {.minimum = -SCHEDULE_TIMESTEPS_MAX,
                                         .maximum = SCHEDULE_TIMESTEPS_MAX,
                                         .absent = config->steps_offset};
    long timesteps, steps_offset;

    if (!config_object_integer(object, "num_train_timesteps", &steps, &timesteps, error) ||
        !config_object_integer(object, "steps_offset", &offset, &steps_offset, error))
        return false;
    config->timesteps = (size_t)timesteps;
    config->steps_offset = (int)steps_offset;
    return true;
}

/* A table that overrides every formula: T betas in [0, 1). */
static bool read_betas(const struct config_object *object, struct schedule_config *config,
                       struct error *error)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object->json, "trained_betas"), *item;
    size_t count = 0;

    if (!list || cJSON_IsNull(list))
        return true;
    if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != config->timesteps)
        return config_refuse(object, list, "null or an array of num_train_timesteps numbers",
                             error);
    config->trained_betas = calloc(config->timesteps, sizeof(double));
    if (!config->trained_betas)
        return error_set(error, ERROR_NO_MEMORY, "%s: no memory for trained_betas", object->path);
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0.0 && item->valuedouble < 1.0))
            return error_set(error, ERROR_BAD_MODEL,
                             "%s: trained_betas[%zu] must be a number in [0, 1)", object->path,
                             count);
        config->trained_betas[count++] = item->valuedouble;
    }
    return true;
}

bool scheduler_config_parse(const cJSON *json, const char *path, struct schedule_config *config,
                            struct error *error)
{
    const struct config_object object = {.json = json, .path = path};

    *config = schedule_config_default();
    if (read_class(&object, config, error) && read_integers(&object, config, error) &&
        read_numbers(&object, config, error) && read_flags(&object, config, error) &&
        read_names(&object, config, error) && read_betas(&object, config, error))
        return true;
    scheduler_config_finish(config);
    return false;
}

void scheduler_config_finish(struct schedule_config *config)
{
    free(config->trained_betas);
    config->trained_betas = NULL;
}
