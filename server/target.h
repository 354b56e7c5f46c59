/* target.h - the request target as it came over the wire, decoded once and by ourselves: the HTTP
 * library's own decoding truncates at %00 and turns %0d%0a into a line end. Pure. */
#ifndef TARGET_H
#define TARGET_H

#include "proto/problem.h"

#define TARGET_MAX            4096
#define TARGET_PARAMETERS_MAX 256 /* of the query; the library has memory for some 450 */

struct target {
    char path[TARGET_MAX + 1];  /* decoded; no control bytes, no escaped . / \ or % */
    char query[TARGET_MAX + 1]; /* as sent, without the question mark; "" when there is none */
};

/* URI_TOO_LONG when the query has more than `most` parameters. `raw` may be NULL. */
bool target_few_parameters(const char *raw, size_t most, struct problem *problem);

/* BAD_REQUEST or URI_TOO_LONG. `raw` NULL: the request had no target. */
bool target_read(struct target *target, const char *raw, struct problem *problem);

/* A fault for each parameter of the query: for routes that take none. True when it is empty. */
bool target_no_query(const struct target *target, struct problem *problem);

#endif
