/* openapi.h - the contract for machines, printed from the tables of the code. */
#ifndef OPENAPI_H
#define OPENAPI_H

#include "proto/work.h"

#include <stdbool.h>
#include <stddef.h>

/* One row of the server's table of routes, as far as a reader of the contract cares. */
struct openapi_route {
    const char *method, *path; /* "POST", "/models/{name}" */
    const char *summary;
    const char *const *media_types; /* of the 200 answer, NULL-terminated */
    const char *const *problems;    /* codes it may answer, NULL-terminated */
    const struct body *body;        /* that it takes, or NULL */
    const char *unready;            /* what its 503 means, which is an answer in JSON, no problem;
                                       NULL: none */
};

/* OpenAPI 3.1, indented, with a final line end. */
void openapi_print(const struct openapi_route *routes, size_t count, struct buffer *out);

#endif
