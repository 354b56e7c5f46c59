/* scheduler_config.h - scheduler_config.json: which noise a network was trained on.
 *
 * A class is a row of the table in scheduler_config.c. It is built when the sampler that it runs by
 * default is: a row in SAMPLERS opens its class. */
#ifndef SCHEDULER_CONFIG_H
#define SCHEDULER_CONFIG_H

#include "core/base/error.h"
#include "core/diffusion/process.h"

#include <cjson/cJSON.h>

enum scheduler_class { SCHEDULER_BUILT, SCHEDULER_NOT_BUILT, SCHEDULER_UNKNOWN };

/* What this version makes of a config, by its `_class_name` and what else chooses the sampler. */
enum scheduler_class scheduler_class_of(const cJSON *json);

/* `json` NULL is a folder without the file: DDPMScheduler as it comes. `path` is for messages.
 * BAD_MODEL names file, key and range, or the class that is not built. On success
 * scheduler_config_finish frees the arrays. */
MUST_CHECK bool scheduler_config_parse(const cJSON *json, const char *path,
                                       struct process_config *config, struct error *error);
void scheduler_config_finish(struct process_config *config);

#endif
