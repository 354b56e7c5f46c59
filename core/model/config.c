/* Keys of config.json as families ask for them (folder.h). */
#include "core/model/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void config_got(const cJSON *item, char got[CONFIG_GOT])
{
    if (cJSON_IsNumber(item))
        snprintf(got, CONFIG_GOT, "%.15g", item->valuedouble);
    else if (cJSON_IsString(item))
        snprintf(got, CONFIG_GOT, "\"%.60s\"", item->valuestring);
    else
        snprintf(got, CONFIG_GOT, "%s",
                 cJSON_IsNull(item)    ? "null"
                 : cJSON_IsBool(item)  ? (cJSON_IsTrue(item) ? "true" : "false")
                 : cJSON_IsArray(item) ? "an array"
                                       : "an object");
}

bool config_refuse(const struct config_object *object, const cJSON *item, const char *wanted,
                   struct error *error)
{
    char got[CONFIG_GOT];

    config_got(item, got);
    return error_set(error, ERROR_BAD_MODEL, "%s: %s%.60s must be %s, got %s", object->path,
                     object->prefix ? object->prefix : "", item->string, wanted, got);
}

static const cJSON *find(const struct config_object *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object->json, key);
}

bool config_object_integer(const struct config_object *object, const char *key,
                           const struct integer_range *range, long *value, struct error *error)
{
    const cJSON *item = find(object, key);
    char wanted[96];

    *value = range->absent;
    if (!item)
        return true;
    if (range->nullable && cJSON_IsNull(item)) {
        *value = range->null_value;
        return true;
    }
    if (cJSON_IsNumber(item) && item->valuedouble >= (double)range->minimum &&
        item->valuedouble <= (double)range->maximum &&
        rint(item->valuedouble) == item->valuedouble) {
        *value = (long)item->valuedouble;
        return true;
    }
    snprintf(wanted, sizeof(wanted), "an integer %ld..%ld%s", range->minimum, range->maximum,
             range->nullable ? " or null" : "");
    return config_refuse(object, item, wanted, error);
}

bool config_object_number(const struct config_object *object, const char *key,
                          const struct number_range *range, double *value, struct error *error)
{
    const cJSON *item = find(object, key);
    char wanted[96];

    *value = range->absent;
    if (!item)
        return true;
    if (cJSON_IsNumber(item) && item->valuedouble >= range->minimum &&
        item->valuedouble <= range->maximum) {
        *value = item->valuedouble;
        return true;
    }
    snprintf(wanted, sizeof(wanted), "a number %.10g..%.10g", range->minimum, range->maximum);
    return config_refuse(object, item, wanted, error);
}

bool config_object_bool(const struct config_object *object, const char *key, bool absent,
                        bool *value, struct error *error)
{
    const cJSON *item = find(object, key);

    *value = item ? cJSON_IsTrue(item) : absent;
    return !item || cJSON_IsBool(item) || cJSON_IsNull(item) ||
           config_refuse(object, item, "true or false", error);
}

bool config_object_string(const struct config_object *object, const char *key, const char *absent,
                          const char **value, struct error *error)
{
    const cJSON *item = find(object, key);

    *value = item ? cJSON_GetStringValue(item) : absent;
    return !item || cJSON_IsNull(item) || *value || config_refuse(object, item, "a string", error);
}

static bool known(const char *const *keys, const char *key)
{
    for (; *keys; keys++)
        if (strcmp(*keys, key) == 0)
            return true;
    return key[0] == '_';
}

bool config_object_only_keys(const struct config_object *object, const char *const *keys,
                             struct error *error)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object->json)
    {
        if (!known(keys, item->string))
            return error_set(error, ERROR_BAD_MODEL, "%s: unknown key %s%.120s", object->path,
                             object->prefix ? object->prefix : "", item->string);
    }
    return true;
}

static struct config_object object_of(const struct folder *folder)
{
    return (struct config_object){.json = folder_config(folder),
                                  .path = folder_config_path(folder)};
}

bool config_integer(const struct folder *folder, const char *key, long minimum, long maximum,
                    long absent, long *value, struct error *error)
{
    const struct config_object object = object_of(folder);
    const struct integer_range range = {.minimum = minimum, .maximum = maximum, .absent = absent};

    return config_object_integer(&object, key, &range, value, error);
}

bool config_integer_or_null(const struct folder *folder, const char *key, long minimum,
                            long maximum, long absent, long null_value, long *value,
                            struct error *error)
{
    const struct config_object object = object_of(folder);
    const struct integer_range range = {.minimum = minimum,
                                        .maximum = maximum,
                                        .absent = absent,
                                        .nullable = true,
                                        .null_value = null_value};

    return config_object_integer(&object, key, &range, value, error);
}

bool config_number(const struct folder *folder, const char *key, double minimum, double maximum,
                   double absent, double *value, struct error *error)
{
    const struct config_object object = object_of(folder);
    const struct number_range range = {.minimum = minimum, .maximum = maximum, .absent = absent};

    return config_object_number(&object, key, &range, value, error);
}

bool config_bool(const struct folder *folder, const char *key, bool absent, bool *value,
                 struct error *error)
{
    const struct config_object object = object_of(folder);

    return config_object_bool(&object, key, absent, value, error);
}

bool config_string(const struct folder *folder, const char *key, const char *absent,
                   const char **value, struct error *error)
{
    const struct config_object object = object_of(folder);

    return config_object_string(&object, key, absent, value, error);
}

bool config_only_keys(const struct folder *folder, const char *const *keys, struct error *error)
{
    const struct config_object object = object_of(folder);

    return config_object_only_keys(&object, keys, error);
}

void config_warn_other_keys(struct folder *folder, const char *const *keys)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, folder_config(folder))
    {
        if (!known(keys, item->string))
            folder_warn(folder, "%s: unknown key %.120s is ignored", folder_config_path(folder),
                        item->string);
    }
}
