#include "core/model/scheduler_inside.h"

#include "core/diffusion/sampler.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *dpm_sampler(const cJSON *json);

static const struct known_class {
    const char *name, *sampler;               /* what runs when a request names none */
    const char *(*choose)(const cJSON *json); /* instead, where the config says more */
    enum process_type type;
    enum head head;
    bool allows_zero_snr;
    double beta_start, beta_end; /* 0: the usual */
    size_t timesteps;            /* 0: the usual */
} classes[] = {
    {.name = "DDPMScheduler", .sampler = "ddpm"},
    {.name = "DDIMScheduler", .sampler = "ddim"},
    {.name = "DDIMInverseScheduler", .sampler = "ddim"}, /* it only names the table */
    {.name = "PNDMScheduler", .sampler = "pndm"},
    {.name = "UniPCMultistepScheduler", .sampler = "unipc", .allows_zero_snr = true},
    {.name = "DPMSolverMultistepScheduler", .choose = dpm_sampler, .allows_zero_snr = true},
    {.name = "EulerDiscreteScheduler", .sampler = "euler", .allows_zero_snr = true},
    {.name = "EulerAncestralDiscreteScheduler",
     .sampler = "euler_ancestral",
     .allows_zero_snr = true},
    {.name = "HeunDiscreteScheduler", .sampler = "heun", .beta_start = .00085, .beta_end = .012},
    {.name = "FlowMatchEulerDiscreteScheduler",
     .sampler = "flow_euler",
     .type = PROCESS_FLOW,
     .head = HEAD_VELOCITY},
    {.name = "FlowMatchHeunDiscreteScheduler",
     .sampler = "flow_heun",
     .type = PROCESS_FLOW,
     .head = HEAD_VELOCITY},
    {.name = "CMStochasticIterativeScheduler",
     .sampler = "consistency",
     .type = PROCESS_CM,
     .timesteps = 40},
    {.name = "ScoreSdeVeScheduler",
     .sampler = "predictor_corrector",
     .type = PROCESS_VE,
     .head = HEAD_SCORE,
     .timesteps = 2000},
    {.name = "ScoreSdeVpScheduler",
     .sampler = "sde_euler_maruyama",
     .type = PROCESS_VP,
     .timesteps = 2000},
    {.name = "DenoisedProcess", .choose = scheduler_process_sampler, .type = PROCESS_COUNT},
};

static const struct known_class *find_class(const char *name)
{
    for (size_t i = 0; name && i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];
    return NULL;
}

static const char *text_of(const cJSON *json, const char *key, const char *absent)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));

    return text ? text : absent;
}

static const char *dpm_sampler(const cJSON *json)
{
    const cJSON *order = cJSON_GetObjectItemCaseSensitive(json, "solver_order");

    if (strcmp(text_of(json, "algorithm_type", ""), "sde-dpmsolver++") == 0)
        return "dpmpp_2m_sde";
    return cJSON_IsNumber(order) && order->valuedouble == 3.0 ? "dpmpp_3m" : "dpmpp_2m";
}

static const char *sampler_of(const struct known_class *known, const cJSON *json)
{
    return known->choose ? known->choose(json) : known->sampler;
}

enum scheduler_class scheduler_class_of(const cJSON *json)
{
    const struct known_class *known = find_class(text_of(json, "_class_name", "DDPMScheduler"));
    const char *sampler;

    if (!known)
        return SCHEDULER_UNKNOWN;
    sampler = sampler_of(known, json);
    return sampler && sampler_find(sampler) ? SCHEDULER_BUILT : SCHEDULER_NOT_BUILT;
}

static bool read_class(const struct config_object *object, const struct known_class **known,
                       struct error *error)
{
    const char *name, *sampler;

    if (!config_object_string(object, "_class_name", "DDPMScheduler", &name, error))
        return false;
    *known = find_class(name);
    if (!*known)
        return error_set(error, ERROR_BAD_MODEL, "%s: _class_name \"%.60s\" is unknown",
                         object->path, name ? name : "null");
    sampler = sampler_of(*known, object->json);
    if (sampler && !sampler_find(sampler))
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: %s is not built yet (its sampler would be %s)", object->path,
                         (*known)->name, sampler);
    return true;
}

const char *const scheduler_head_names[] = {
#define NAME(code, name) name,
    HEADS(NAME) NULL};
static const char *const beta_schedule_names[] = {BETA_SCHEDULES(NAME) NULL};
#undef NAME

bool scheduler_read_name(const struct config_object *object, const char *key,
                         const char *const *names, int *value, struct error *error)
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
    bool predict_epsilon;

    /* Up to diffusers 0.12; prediction_type has the last word. */
    if (!config_object_bool(object, "predict_epsilon", true, &predict_epsilon, error))
        return false;
    if (!predict_epsilon)
        head = HEAD_SAMPLE;
    if (!scheduler_read_name(object, "beta_schedule", beta_schedule_names, &beta_schedule, error) ||
        !scheduler_read_name(object, "prediction_type", scheduler_head_names, &head, error))
        return false;
    config->beta_schedule = (enum beta_schedule)beta_schedule;
    config->head = (enum head)head;
    return true;
}

static bool read_given(const struct config_object *object, const char *key, enum config_flag *given,
                       struct error *error)
{
    bool value;

    if (!cJSON_GetObjectItemCaseSensitive(object->json, key))
        return true;
    if (!config_object_bool(object, key, false, &value, error))
        return false;
    *given = value ? GIVEN_TRUE : GIVEN_FALSE;
    return true;
}

static bool read_flags(const struct config_object *object, struct schedule_config *config,
                       struct error *error)
{
    /* set_alpha_to_zero is the old name of set_alpha_to_one, not its opposite. */
    return config_object_bool(object, "rescale_betas_zero_snr", config->rescale_betas_zero_snr,
                              &config->rescale_betas_zero_snr, error) &&
           read_given(object, "set_alpha_to_zero", &config->set_alpha_to_one, error) &&
           read_given(object, "set_alpha_to_one", &config->set_alpha_to_one, error) &&
           read_given(object, "clip_sample", &config->clip_sample, error) &&
           config_object_bool(object, "thresholding", config->thresholding, &config->thresholding,
                              error);
}

struct number {
    const char *key;
    double minimum, maximum;
    double *value;
};

static bool read_all_numbers(const struct config_object *object, const struct number *numbers,
                             size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct number_range range = {.minimum = numbers[i].minimum,
                                           .maximum = numbers[i].maximum,
                                           .absent = *numbers[i].value};

        if (!config_object_number(object, numbers[i].key, &range, numbers[i].value, error))
            return false;
    }
    return true;
}

static bool read_numbers(const struct config_object *object, struct schedule_config *config,
                         struct error *error)
{
    const struct number numbers[] = {
        {"beta_start", 1e-12, 0.999, &config->beta_start},
        {"beta_end", 1e-12, 0.999, &config->beta_end},
        {"clip_sample_range", 1e-6, 1e6, &config->clip_sample_range},
        {"dynamic_thresholding_ratio", 0.0, 1.0, &config->dynamic_thresholding_ratio},
        {"sample_max_value", 1e-6, 1e6, &config->sample_max_value},
        {"lambda_min_clipped", (double)-INFINITY, 100.0, &config->lambda_min_clipped},
    };

    if (!read_all_numbers(object, numbers, sizeof(numbers) / sizeof(numbers[0]), error))
        return false;
    if (config->beta_start > config->beta_end)
        return error_set(error, ERROR_BAD_MODEL, "%s: beta_start %g is above beta_end %g",
                         object->path, config->beta_start, config->beta_end);
    return true;
}

static bool read_timesteps(const struct config_object *object, struct schedule_config *config,
                           struct error *error)
{
    const struct integer_range steps = {
        .minimum = 2, .maximum = SCHEDULE_TIMESTEPS_MAX, .absent = (long)config->timesteps};
    long timesteps;

    if (!config_object_integer(object, "num_train_timesteps", &steps, &timesteps, error))
        return false;
    config->timesteps = (size_t)timesteps;
    return true;
}

static bool read_offset(const struct config_object *object, struct schedule_config *config,
                        struct error *error)
{
    const struct integer_range offset = {.minimum = -SCHEDULE_TIMESTEPS_MAX,
                                         .maximum = SCHEDULE_TIMESTEPS_MAX,
                                         .absent = config->steps_offset};
    long steps_offset;

    if (!config_object_integer(object, "steps_offset", &offset, &steps_offset, error))
        return false;
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

static bool read_table(const struct config_object *object, struct process_config *config,
                       struct error *error)
{
    struct schedule_config *schedule = &config->schedule;

    return read_offset(object, schedule, error) && read_numbers(object, schedule, error) &&
           read_flags(object, schedule, error) && read_names(object, schedule, error) &&
           read_betas(object, schedule, error);
}

/* The parameters of continuous classes of diffusers, and of its consistency models. */
static bool read_continuous(const struct config_object *object, struct process_config *config,
                            struct error *error)
{
    const struct number numbers[] = {
        {"beta_min", 1e-6, 1000.0, &config->beta_min},
        {"beta_max", 1e-6, 1000.0, &config->beta_max},
        {"sigma_min", 1e-6, 1e5, &config->sigma_min},
        {"sigma_max", 1e-6, 1e5, &config->sigma_max},
        {"sigma_data", 1e-6, 1e5, &config->sigma_data},
        {"rho", .1, 100.0, &config->rho},
        {"s_noise", 0.0, 2.0, &config->s_noise},
    };
    int head = (int)config->schedule.head;

    if (!read_all_numbers(object, numbers, sizeof(numbers) / sizeof(numbers[0]), error) ||
        !config_object_bool(object, "clip_denoised", true, &config->clip_denoised, error) ||
        !scheduler_read_name(object, "prediction_type", scheduler_head_names, &head, error))
        return false;
    config->schedule.head = (enum head)head;
    return true;
}

/* --- what is not built and would change the result -------------------------------------------- */

static bool check_unbuilt(const struct config_object *object, bool is_flow, struct error *error)
{
    static const char *const flags[] = {"use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas",
                                        "use_dynamic_shifting", "invert_sigmas",
                                        /* in a flow only */
                                        "use_karras_sigmas", "use_exponential_sigmas"};
    static const char *const nulls[] = {"shift_terminal", "solver_p"};
    static const struct {
        const char *key, *value;
    } names[] = {{"timestep_type", "continuous"},
                 {"interpolation_type", "log_linear"},
                 {"algorithm_type", "dpmsolver"},
                 {"algorithm_type", "sde-dpmsolver"},
                 {"variance_type", "fixed_large_log"}};

    for (size_t i = 0; i < (is_flow ? 7 : 5); i++)
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object->json, flags[i])))
            return error_set(error, ERROR_BAD_MODEL, "%s: %s true is not built", object->path,
                             flags[i]);
    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object->json, nulls[i]);

        if (item && !cJSON_IsNull(item))
            return error_set(error, ERROR_BAD_MODEL, "%s: %s other than null is not built",
                             object->path, nulls[i]);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text_of(object->json, names[i].key, ""), names[i].value) == 0)
            return error_set(error, ERROR_BAD_MODEL, "%s: %s \"%s\" is not built", object->path,
                             names[i].key, names[i].value);
    return true;
}

static bool check_unipc(const struct config_object *object, const struct known_class *known,
                        struct error *error)
{
    if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(object->json, "predict_x0")))
        return error_set(error, ERROR_BAD_MODEL, "%s: predict_x0 false is not built", object->path);
    if (strcmp(known->name, "UniPCMultistepScheduler") == 0 &&
        strcmp(text_of(object->json, "solver_type", ""), "bh1") == 0)
        return error_set(error, ERROR_BAD_MODEL, "%s: solver_type \"bh1\" is not built",
                         object->path);
    return true;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void set_defaults(const struct known_class *known, struct process_config *config)
{
    struct schedule_config *schedule = &config->schedule;

    *config = process_config_default(known->type);
    schedule->head = known->head;
    schedule->allows_zero_snr = known->allows_zero_snr;
    if (known->beta_end > 0.0) {
        schedule->beta_start = known->beta_start;
        schedule->beta_end = known->beta_end;
    }
    if (known->timesteps > 0)
        schedule->timesteps = known->timesteps;
    if (known->type == PROCESS_VE) { /* ScoreSdeVe */
        config->sigma_max = 1348.0;
        config->options.given[OPTION_SNR] = true;
        config->options.value[OPTION_SNR] = .15;
        config->options.given[OPTION_CORRECTOR] = true;
        config->options.value[OPTION_CORRECTOR] = CORRECTOR_LANGEVIN;
    }
    if (known->type == PROCESS_VP) /* ScoreSdeVp gives the network t itself */
        config->time_scale = 1.0;
}

static bool read_rest(const struct config_object *object, const struct known_class *known,
                      struct process_config *config, struct error *error)
{
    if (!read_timesteps(object, &config->schedule, error))
        return false;
    if (known->type == PROCESS_TABLE ? !read_table(object, config, error)
                                     : !read_continuous(object, config, error))
        return false;
    return scheduler_read_options(object, config, error) &&
           check_unbuilt(object, known->type == PROCESS_FLOW, error) &&
           check_unipc(object, known, error);
}

bool scheduler_config_parse(const cJSON *json, const char *path, struct process_config *config,
                            struct error *error)
{
    const struct config_object object = {.json = json, .path = path};
    const struct known_class *known;
    bool good;

    *config = process_config_default(PROCESS_TABLE);
    if (!read_class(&object, &known, error))
        return false;
    if (known->type == PROCESS_COUNT) {
        good = scheduler_read_process(&object, config, error);
    } else {
        set_defaults(known, config);
        good = read_rest(&object, known, config, error);
    }
    config->schedule.class_name = known->name;
    config->schedule.sampler = sampler_of(known, json);
    if (!good)
        scheduler_config_finish(config);
    return good;
}

void scheduler_config_finish(struct process_config *config)
{
    free(config->schedule.trained_betas);
    free(config->levels);
    for (int i = 0; i < OPTION_COUNT; i++) {
        free((int *)(uintptr_t)config->options.list[i]);
        config->options.list[i] = NULL;
    }
    config->schedule.trained_betas = NULL;
    config->levels = NULL;
}
