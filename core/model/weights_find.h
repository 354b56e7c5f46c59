/* weights_find.h - which files hold the weights of a folder. For weights.c only. */
#ifndef WEIGHTS_FIND_H
#define WEIGHTS_FIND_H

#include "core/model/weights.h"

/* Fills index, paths and shard_count. `*map` is the shard index's weight_map inside `*json`, which
 * the caller frees; both NULL for a single file. */
MUST_CHECK bool weights_find_files(struct weights *weights, const char *root, const char *prefix,
                                   cJSON **json, const cJSON **map, struct error *error);

#endif
