/* weights.h - the tensors of a model folder by their modern names: finds the weights file or its
 * shards, opens them, and solves legacy names.
 *
 * One owner, one thread. Zeroed = closed. */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "core/model/model_file.h"
#include "core/model/safetensors.h"

#define WEIGHTS_SHARDS_MAX 1024u

struct weight {
    char *name; /* modern; owned */
    const struct safetensors *file;
    const struct tensor *tensor;
    bool used;
    bool superfluous; /* a twin that old writers added; nobody has to ask for it */
};

struct weights {
    char *index; /* path of the shard index, or NULL; owned */
    size_t shard_count;
    char **paths;              /* of the shards, or of the one file; owned */
    struct safetensors *files; /* owned */
    size_t count;
    struct weight *weight; /* sorted by name; owned */
};

/* `prefix` is "unet/", "model/" or "". BAD_MODEL: no file that can be read, or broken ones. What
 * was opened before a refusal is freed by weights_close. */
MUST_CHECK bool weights_open(struct weights *weights, const char *root, const char *prefix,
                             struct error *error);
void weights_close(struct weights *weights);

/* NULL when there is none. */
struct weight *weights_find(const struct weights *weights, const char *name);

#endif
