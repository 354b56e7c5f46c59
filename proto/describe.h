/* describe.h - GET /models, /models/{name}, /version, probes: facts as JSON. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "proto/sample.h"

/* Each appends one JSON text and a final line end. */
void describe_models(const struct sample_context *context, struct buffer *out);
void describe_model(const struct sample_context *context, const struct model *model,
                    struct buffer *out);
void describe_version(const struct sample_context *context, const char *backend_details,
                      struct buffer *out);

#endif
