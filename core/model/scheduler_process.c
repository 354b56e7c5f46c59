/* DenoisedProcess, our own class: every process by its name, each key known, each in its range. */
#include "core/model/scheduler_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALL       (((1u << PROCESS_COUNT) - 1) & ~PROCESS_BIT(TABLE) & ~PROCESS_BIT(CM))
#define CORRECTED (PROCESS_BIT(VP) | PROCESS_BIT(SUB_VP) | PROCESS_BIT(VE))

static const struct {
    const char *key;
    unsigned processes;
} keys[] = {
    {"process", ALL},
    {"prediction_type", ALL},
    {"num_train_timesteps", ALL},
    {"beta_min", PROCESS_BIT(VP) | PROCESS_BIT(SUB_VP)},
    {"beta_max", PROCESS_BIT(VP) | PROCESS_BIT(SUB_VP)},
    {"sigma_min", PROCESS_BIT(VE)},
    {"sigma_max", PROCESS_BIT(VE)},
    {"levels", PROCESS_BIT(VE)},
    {"sigma_q", PROCESS_BIT(VE_LINEAR)},
    {"t_max", PROCESS_BIT(OU)},
    {"base", PROCESS_BIT(FLOW)},
    {"shift", PROCESS_BIT(FLOW)},
    {"model_time", ALL},
    {"time_scale", ALL},
    {"sampling_eps", ALL},
    {"snr", CORRECTED},
    {"correct_steps", CORRECTED},
};

/* When a request names no sampler. */
static const char *const samplers[PROCESS_COUNT] = {
    [PROCESS_VP] = "sde_euler_maruyama", [PROCESS_SUB_VP] = "sde_euler_maruyama",
    [PROCESS_OU] = "sde_euler_maruyama", [PROCESS_VE] = "predictor_corrector",
    [PROCESS_VE_LINEAR] = "ve_ddpm",     [PROCESS_OU_FINITE] = "pf_ode",
    [PROCESS_FLOW] = "flow_euler",
};

static const cJSON *item_of(const cJSON *json, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(json, key);
}

/* -1: there is none that a folder may declare. */
static int type_of(const cJSON *json)
{
    const char *name = cJSON_GetStringValue(item_of(json, "process"));
    const int type = name ? process_find(name) : -1;

    return type >= 0 && samplers[type] ? type : -1;
}

const char *scheduler_process_sampler(const cJSON *json)
{
    const int type = type_of(json);

    if (type < 0)
        return NULL;
    return item_of(json, "levels") ? "annealed_langevin" : samplers[type];
}

static bool check_keys(const struct config_object *object, enum process_type type,
                       struct error *error)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object->json)
    {
        size_t i = 0;

        while (i < sizeof(keys) / sizeof(keys[0]) && strcmp(keys[i].key, item->string) != 0)
            i++;
        if (item->string[0] == '_')
            continue;
        if (i == sizeof(keys) / sizeof(keys[0]))
            return error_set(error, ERROR_BAD_MODEL, "%s: unknown key %.120s", object->path,
                             item->string);
        if (!(keys[i].processes & (1u << type)))
            return error_set(error, ERROR_BAD_MODEL, "%s: %s is no key of process %s", object->path,
                             item->string, cJSON_GetStringValue(item_of(object->json, "process")));
    }
    return true;
}

static bool read_head(const struct config_object *object, struct process_config *config,
                      struct error *error)
{
    int head = 0;

    if (!item_of(object->json, "prediction_type"))
        return error_set(error, ERROR_BAD_MODEL, "%s: prediction_type is required", object->path);
    if (!scheduler_read_name(object, "prediction_type", scheduler_head_names, &head, error))
        return false;
    config->schedule.head = (enum head)head;
    return true;
}

static bool read_levels(const struct config_object *object, struct process_config *config,
                        struct error *error)
{
    const cJSON *list = item_of(object->json, "levels"), *item;
    const int count = cJSON_GetArraySize(list);

    if (!list)
        return true;
    if (!cJSON_IsArray(list) || count < 2 || count > PROCESS_LEVELS_MAX)
        return config_refuse(object, list, "a list of 2..4096 numbers", error);
    if (item_of(object->json, "sigma_min") || item_of(object->json, "sigma_max"))
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: levels already say what sigma_min and sigma_max are", object->path);
    config->levels = calloc((size_t)count, sizeof(*config->levels));
    if (!config->levels)
        return error_set(error, ERROR_NO_MEMORY, "%s: no memory for levels", object->path);
    cJSON_ArrayForEach(item, list)
    {
        /* Whatever is no number is not above 0 either: process_init names it. */
        config->levels[config->level_count++] = cJSON_IsNumber(item) ? item->valuedouble : 0.0;
    }
    return true;
}

static bool read_base(const struct config_object *object, struct process_config *config,
                      struct error *error)
{
    static const char *const low_keys[] = {NULL, "inner", "low"};
    static const char *const high_keys[] = {NULL, "outer", "high"};
    const cJSON *base = item_of(object->json, "base");
    const char *kind = cJSON_GetStringValue(item_of(base, "kind"));
    const int type = kind ? flow_base_find(kind) : -1;
    const struct config_object inside = {.json = base, .path = object->path, .prefix = "base."};
    const struct number_range range = {.minimum = -1e6, .maximum = 1e6, .absent = (double)NAN};

    if (!base)
        return true;
    if (type < 0)
        return config_refuse(object, base, "an object whose kind is gaussian, annulus or uniform",
                             error);
    config->base = (enum flow_base)type;
    if (config->base == FLOW_BASE_GAUSSIAN) {
        static const char *const only[] = {"kind", NULL};

        return config_object_only_keys(&inside, only, error);
    }
    if (!config_object_only_keys(
            &inside, (const char *const[]){"kind", low_keys[type], high_keys[type], NULL}, error) ||
        !config_object_number(&inside, low_keys[type], &range, &config->base_low, error) ||
        !config_object_number(&inside, high_keys[type], &range, &config->base_high, error))
        return false;
    if (isnan(config->base_low) || isnan(config->base_high))
        return error_set(error, ERROR_BAD_MODEL, "%s: base needs %s and %s", object->path,
                         low_keys[type], high_keys[type]);
    return true;
}

static bool read_numbers(const struct config_object *object, struct process_config *config,
                         struct error *error)
{
    const struct {
        const char *key;
        double minimum, maximum;
        double *value;
    } numbers[] = {
        {"beta_min", 1e-12, 1000.0, &config->beta_min},
        {"beta_max", 1e-12, 1000.0, &config->beta_max},
        {"sigma_min", 1e-12, 1e5, &config->sigma_min},
        {"sigma_max", 1e-12, 1e5, &config->sigma_max},
        {"sigma_q", 1e-12, 1e4, &config->sigma_q},
        {"t_max", .5, 20.0, &config->t_max},
        {"time_scale", 1e-12, 1e6, &config->time_scale},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct number_range range = {.minimum = numbers[i].minimum,
                                           .maximum = numbers[i].maximum,
                                           .absent = *numbers[i].value};

        if (!config_object_number(object, numbers[i].key, &range, numbers[i].value, error))
            return false;
    }
    if (config->type == PROCESS_VE_LINEAR && !item_of(object->json, "sigma_q"))
        return error_set(error, ERROR_BAD_MODEL, "%s: sigma_q is required", object->path);
    return true;
}

static bool read_time(const struct config_object *object, struct process_config *config,
                      struct error *error)
{
    static const char *const names[] = {
#define NAME(code, name) name,
        MODEL_TIMES(NAME) NULL};
#undef NAME
    const struct integer_range steps = {
        .minimum = 2, .maximum = SCHEDULE_TIMESTEPS_MAX, .absent = 1000};
    int model_time = (int)config->model_time;
    long timesteps;

    if (!config_object_integer(object, "num_train_timesteps", &steps, &timesteps, error) ||
        !scheduler_read_name(object, "model_time", names, &model_time, error))
        return false;
    config->schedule.timesteps = (size_t)timesteps;
    config->model_time = (enum model_time)model_time;
    if (item_of(object->json, "time_scale") && config->model_time != MODEL_TIME_TIME)
        return error_set(error, ERROR_BAD_MODEL, "%s: time_scale is of model_time \"time\"",
                         object->path);
    return true;
}

bool scheduler_read_process(const struct config_object *object, struct process_config *config,
                            struct error *error)
{
    const cJSON *process = item_of(object->json, "process");
    const int type = type_of(object->json);

    if (!process)
        return error_set(error, ERROR_BAD_MODEL, "%s: process is required", object->path);
    if (type < 0)
        return config_refuse(object, process, "one of vp sub_vp ve ve_linear ou ou_finite flow",
                             error);
    *config = process_config_default((enum process_type)type);
    return check_keys(object, config->type, error) && read_head(object, config, error) &&
           read_time(object, config, error) && read_numbers(object, config, error) &&
           read_levels(object, config, error) && read_base(object, config, error) &&
           scheduler_read_options(object, config, error);
}
