/* Options of samplers that a scheduler_config.json may set: what they then are by default. */
#include "core/model/scheduler_inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum sampler_option option;
    const char *key;
    unsigned processes;
    bool skips_others; /* null and names that this version does not have are as if absent */
} keys[] = {
    {OPTION_SPACING, "timestep_spacing", PROCESS_BIT(TABLE), false},
    {OPTION_VARIANCE_TYPE, "variance_type", PROCESS_BIT(TABLE), false},
    {OPTION_SKIP_PRK_STEPS, "skip_prk_steps", PROCESS_BIT(TABLE), false},
    {OPTION_SOLVER_ORDER, "solver_order", PROCESS_BIT(TABLE), false},
    {OPTION_SOLVER_TYPE, "solver_type", PROCESS_BIT(TABLE), true}, /* bh1, bh2, logrho */
    {OPTION_USE_KARRAS_SIGMAS, "use_karras_sigmas", PROCESS_BIT(TABLE), false},
    {OPTION_USE_EXPONENTIAL_SIGMAS, "use_exponential_sigmas", PROCESS_BIT(TABLE), false},
    {OPTION_FINAL_SIGMAS_TYPE, "final_sigmas_type", PROCESS_BIT(TABLE), false},
    {OPTION_LOWER_ORDER_FINAL, "lower_order_final", PROCESS_BIT(TABLE), false},
    {OPTION_EULER_AT_FINAL, "euler_at_final", PROCESS_BIT(TABLE), false},
    {OPTION_SIGMA_MIN, "sigma_min", PROCESS_BIT(TABLE), false},
    {OPTION_SIGMA_MAX, "sigma_max", PROCESS_BIT(TABLE), false},
    {OPTION_DISABLE_CORRECTOR, "disable_corrector", PROCESS_BIT(TABLE), false},
    {OPTION_SHIFT, "shift", PROCESS_BIT(FLOW), false},
    {OPTION_STOCHASTIC_SAMPLING, "stochastic_sampling", PROCESS_BIT(FLOW), false},
    {OPTION_SNR, "snr", PROCESS_BIT(VP) | PROCESS_BIT(SUB_VP) | PROCESS_BIT(VE), false},
    {OPTION_CORRECT_STEPS, "correct_steps", PROCESS_BIT(VP) | PROCESS_BIT(SUB_VP) | PROCESS_BIT(VE),
     false},
    {OPTION_SAMPLING_EPS, "sampling_eps", ~(PROCESS_BIT(TABLE) | PROCESS_BIT(CM)), false},
};

struct reading {
    const struct config_object *object;
    const char *key;
    enum sampler_option option;
    struct option_values *values;
};

static bool read_number(const struct reading *reading, struct error *error)
{
    const struct option_description *option = option_describe(reading->option);
    const struct number_range range = {.minimum = option->minimum, .maximum = option->maximum};

    return config_object_number(reading->object, reading->key, &range,
                                &reading->values->value[reading->option], error);
}

static bool read_integer(const struct reading *reading, struct error *error)
{
    const struct option_description *option = option_describe(reading->option);
    const struct integer_range range = {.minimum = (long)option->minimum,
                                        .maximum = (long)option->maximum};
    long value;

    if (!config_object_integer(reading->object, reading->key, &range, &value, error))
        return false;
    reading->values->value[reading->option] = (double)value;
    return true;
}

static bool read_bool(const struct reading *reading, struct error *error)
{
    bool value;

    if (!config_object_bool(reading->object, reading->key, false, &value, error))
        return false;
    reading->values->value[reading->option] = value ? 1.0 : 0.0;
    return true;
}

/* Spacings that diffusers has no name for are those behind trailing. */
static bool read_choice(const struct reading *reading, struct error *error)
{
    static const char *const spacings[] = {"leading", "linspace", "trailing", NULL};
    const char *const *names =
        reading->option == OPTION_SPACING ? spacings : option_describe(reading->option)->choices;
    int value = 0;

    if (!scheduler_read_name(reading->object, reading->key, names, &value, error))
        return false;
    reading->values->value[reading->option] = (double)value;
    return true;
}

static bool read_list(const struct reading *reading, struct error *error)
{
    const struct option_description *option = option_describe(reading->option);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(reading->object->json, reading->key);
    const cJSON *item;
    const int size = cJSON_GetArraySize(list);
    size_t count = 0;
    int *values;

    if (!cJSON_IsArray(list) || size > OPTION_LIST_MAX)
        return config_refuse(reading->object, list, "a list of at most 1000 integers", error);
    values = calloc((size_t)size + 1, sizeof(*values));
    if (!values)
        return error_set(error, ERROR_NO_MEMORY, "%s: no memory for a list", reading->object->path);
    reading->values->list[reading->option] = values;
    reading->values->value[reading->option] = (double)size;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsNumber(item) || rint(item->valuedouble) != item->valuedouble ||
            !(item->valuedouble >= option->minimum && item->valuedouble <= option->maximum))
            return error_set(error, ERROR_BAD_MODEL, "%s: %s[%zu] must be an integer %g..%g",
                             reading->object->path, reading->key, count, option->minimum,
                             option->maximum);
        values[count++] = (int)item->valuedouble;
    }
    return true;
}

static bool is_choice(const struct option_description *option, const cJSON *item)
{
    const char *name = cJSON_GetStringValue(item);

    for (size_t i = 0; name && option->choices[i]; i++)
        if (strcmp(name, option->choices[i]) == 0)
            return true;
    return false;
}

bool scheduler_read_options(const struct config_object *object, struct process_config *config,
                            struct error *error)
{
    static bool (*const read[])(const struct reading *reading, struct error *error) = {
        [OPTION_NUMBER] = read_number, [OPTION_INTEGER] = read_integer, [OPTION_BOOL] = read_bool,
        [OPTION_CHOICE] = read_choice, [OPTION_LIST] = read_list,
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct option_description *option = option_describe(keys[i].option);
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object->json, keys[i].key);
        const struct reading reading = {object, keys[i].key, keys[i].option, &config->options};

        if (!item || !(keys[i].processes & (1u << config->type)))
            continue;
        if (keys[i].skips_others && !is_choice(option, item))
            continue;
        /* None, to Python: a number takes its own course, a name or a number of steps is not
         * what it was. */
        if (cJSON_IsNull(item) && (option->is_nullable || keys[i].option == OPTION_VARIANCE_TYPE))
            continue;
        if (!read[option->type](&reading, error))
            return false;
        config->options.given[keys[i].option] = true;
    }
    return true;
}
