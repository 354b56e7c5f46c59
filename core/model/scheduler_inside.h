/* scheduler_inside.h - what the files scheduler_*.c do for one another. */
#ifndef SCHEDULER_INSIDE_H
#define SCHEDULER_INSIDE_H

#include "core/model/config.h"
#include "core/model/scheduler_config.h"

/* A name out of `names`, in whose order the enum stands; absent: `value` is untouched. */
MUST_CHECK bool scheduler_read_name(const struct config_object *object, const char *key,
                                    const char *const *names, int *value, struct error *error);

/* NULL-terminated, in the enum's order. */
extern const char *const scheduler_head_names[];

/* scheduler_options.c: keys that are options of samplers, under the names that classes of diffusers
 * have for them; those that a class of this kind knows. */
MUST_CHECK bool scheduler_read_options(const struct config_object *object,
                                       struct process_config *config, struct error *error);

/* scheduler_process.c: a DenoisedProcess, whose default sampler is answered; every key is known. */
MUST_CHECK bool scheduler_read_process(const struct config_object *object,
                                       struct process_config *config, struct error *error);
/* Its sampler when none is asked for; NULL: its `process` is none. */
const char *scheduler_process_sampler(const cJSON *json);

#endif
