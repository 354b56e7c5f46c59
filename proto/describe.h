/* describe.h - GET /models, /models/{name} and its schedule, /version, probes: facts as JSON. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "proto/work.h"

/* Each appends one JSON text and a final line end. */
void describe_models(const struct work_context *context, struct buffer *out);
void describe_model(const struct work_context *context, const struct model *model,
                    struct buffer *out);
/* Columns are null where the process has no table of timesteps; the distance to the prior is null
 * where the data are not known. */
void describe_schedule(const struct model *model, struct buffer *out);
void describe_version(const struct work_context *context, const char *backend_details,
                      struct buffer *out);

#endif
