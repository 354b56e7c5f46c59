/* scheduler_config.h - scheduler_config.json: which noise a network was trained on.
 *
 * A class is a row of the table in scheduler_config.c. */
#ifndef SCHEDULER_CONFIG_H
#define SCHEDULER_CONFIG_H

#include "core/base/error.h"
#include "core/diffusion/schedule.h"

#include <cjson/cJSON.h>

enum scheduler_class { SCHEDULER_BUILT, SCHEDULER_NOT_BUILT, SCHEDULER_UNKNOWN };

/* What this version makes of a `_class_name`. */
enum scheduler_class scheduler_class_find(const char *name);

/* `json` NULL is a folder without the file: DDPMScheduler as it comes. `path` is for messages.
 * BAD_MODEL names file, key and range, or the class that is not built. On success
 * scheduler_config_finish frees trained_betas. */
MUST_CHECK bool scheduler_config_parse(const cJSON *json, const char *path,
                                       struct schedule_config *config, struct error *error);
void scheduler_config_finish(struct schedule_config *config);

#endif
