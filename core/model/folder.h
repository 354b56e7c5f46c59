/* folder.h - a model folder in diffusers layout, nested or flat, as families read it.
 *
 * Opened by model_open, which finds the component folders, parses the JSON files, opens the
 * weights and computes the digest; a family then asks for its tensors by modern diffusers names.
 * Legacy names and shards are solved here, once. Paths in messages are relative to the folder. */
#ifndef FOLDER_H
#define FOLDER_H

#include "core/base/error.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

struct folder;

/* config.json of the network, a JSON object; owned by the folder. */
const cJSON *folder_config(const struct folder *folder);

/* "unet/config.json", "model/config.json" or "config.json": for messages. */
const char *folder_config_path(const struct folder *folder);

/* denoised.json's sample_size, or NULL when there is none. */
const cJSON *folder_sample_size(const struct folder *folder);

/* All that folder_read_tensor checks but the values, before memory is allocated for sizes that
 * only a config vouches for. */
MUST_CHECK bool folder_check_tensor(const struct folder *folder, const char *name,
                                    const size_t *shape, size_t rank, struct error *error);

/* Reads one tensor as float32 in row-major order; marks it as used. BAD_MODEL: not there, another
 * shape (both are named), NaN or infinity, a dtype that is not F64 F32 F16 BF16. */
MUST_CHECK bool folder_read_tensor(struct folder *folder, const char *name, const size_t *shape,
                                   size_t rank, float *out, struct error *error);

/* After the family has read all it knows: BAD_MODEL naming the first tensor that nobody asked for
 * and that is not a known legacy duplicate. */
MUST_CHECK bool folder_all_tensors_used(const struct folder *folder, struct error *error);

/* A sentence for the log that does not stop the load: model->warnings. */
void folder_warn(struct folder *folder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- config keys: "absent" takes the default, null is null. BAD_MODEL names file, key, range. */

/* An integer in [minimum, maximum]. */
MUST_CHECK bool config_integer(const struct folder *folder, const char *key, long minimum,
                               long maximum, long absent, long *value, struct error *error);
/* The same, where null is allowed and answers `null_value`. */
MUST_CHECK bool config_integer_or_null(const struct folder *folder, const char *key, long minimum,
                                       long maximum, long absent, long null_value, long *value,
                                       struct error *error);
MUST_CHECK bool config_number(const struct folder *folder, const char *key, double minimum,
                              double maximum, double absent, double *value, struct error *error);
/* Null is false, as None is to Python. */
MUST_CHECK bool config_bool(const struct folder *folder, const char *key, bool absent, bool *value,
                            struct error *error);
/* A string that lives as long as the folder; NULL for null. */
MUST_CHECK bool config_string(const struct folder *folder, const char *key, const char *absent,
                              const char **value, struct error *error);
/* One warning for each key that is neither in `keys` (NULL-terminated) nor starts with an
 * underscore: what diffusers does. */
void config_warn_other_keys(struct folder *folder, const char *const *keys);
/* Our own two families: BAD_MODEL for a key that is neither in `keys` (NULL-terminated) nor
 * starts with an underscore. */
MUST_CHECK bool config_only_keys(const struct folder *folder, const char *const *keys,
                                 struct error *error);

#endif
