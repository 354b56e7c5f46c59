/* config.h - keys of one JSON object of a model folder, with their ranges.
 *
 * An absent key takes its default; null is a value of its own, refused unless said. BAD_MODEL names
 * file, key, range and what was found. Nothing is owned. */
#ifndef CONFIG_H
#define CONFIG_H

#include "core/model/folder.h"

#define CONFIG_GOT 80

struct config_object {
    const cJSON *json;  /* NULL: every key is absent */
    const char *path;   /* of the file, for messages */
    const char *prefix; /* "default." for an object inside another, or NULL */
};

struct integer_range {
    long minimum, maximum, absent;
    bool nullable;
    long null_value;
};

struct number_range {
    double minimum, maximum, absent;
};

MUST_CHECK bool config_object_integer(const struct config_object *object, const char *key,
                                      const struct integer_range *range, long *value,
                                      struct error *error);
MUST_CHECK bool config_object_number(const struct config_object *object, const char *key,
                                     const struct number_range *range, double *value,
                                     struct error *error);
/* Null is false, as None is to Python. */
MUST_CHECK bool config_object_bool(const struct config_object *object, const char *key, bool absent,
                                   bool *value, struct error *error);
/* NULL for null; lives as long as the JSON. */
MUST_CHECK bool config_object_string(const struct config_object *object, const char *key,
                                     const char *absent, const char **value, struct error *error);
MUST_CHECK bool config_object_only_keys(const struct config_object *object, const char *const *keys,
                                        struct error *error);

/* "PATH: KEY must be WANTED, got ..." */
bool config_refuse(const struct config_object *object, const cJSON *item, const char *wanted,
                   struct error *error);

/* What a value is, in a few words. */
void config_got(const cJSON *item, char got[CONFIG_GOT]);

#endif
