#include "core/model/weights.h"

#include "core/model/legacy_names.h"
#include "core/model/weights_find.h"

#include <stdlib.h>
#include <string.h>

static bool open_files(struct weights *weights, const char *root, struct error *error)
{
    weights->files = calloc(weights->shard_count, sizeof(*weights->files));
    if (!weights->files)
        return error_set(error, ERROR_NO_MEMORY, "no memory to open weights");
    for (size_t i = 0; i < weights->shard_count; i++) {
        int descriptor;

        if (!model_file_open(root, weights->paths[i], &descriptor, error) ||
            !safetensors_open(&weights->files[i], descriptor, weights->paths[i], error))
            return false;
        weights->count += weights->files[i].count;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct weight *)a)->name, ((const struct weight *)b)->name);
}

static int compare_name(const void *name, const void *weight)
{
    return strcmp(name, ((const struct weight *)weight)->name);
}

struct weight *weights_find(const struct weights *weights, const char *name)
{
    return weights->count ? bsearch(name, weights->weight, weights->count, sizeof(*weights->weight),
                                    compare_name)
                          : NULL;
}

static bool no_name_twice(const struct weights *weights, struct error *error)
{
    for (size_t i = 1; i < weights->count; i++) {
        const struct weight *one = &weights->weight[i - 1], *two = &weights->weight[i];

        if (strcmp(one->name, two->name) == 0)
            return error_set(error, ERROR_BAD_MODEL,
                             "%s: tensor \"%.120s\" is there twice, as \"%.120s\" and in %s as "
                             "\"%.120s\"",
                             one->file->name, one->name, one->tensor->name, two->file->name,
                             two->tensor->name);
    }
    return true;
}

static bool rename_weight(struct weight *weight, const char *name, struct error *error)
{
    free(weight->name);
    weight->name = strdup(name);
    return weight->name || error_set(error, ERROR_NO_MEMORY, "no memory for names of tensors");
}

/* Old twins give way to the modern tensor, or become it where that is missing. */
static bool solve_twins(struct weights *weights, struct error *error)
{
    char twin[SAFETENSORS_NAME_MAX + 32];

    for (size_t i = 0; i < weights->count; i++)
        weights->weight[i].superfluous =
            legacy_tensor_twin(weights->weight[i].name, twin, sizeof(twin)) &&
            weights_find(weights, twin);
    for (size_t i = 0; i < weights->count; i++) {
        struct weight *weight = &weights->weight[i];

        if (!weight->superfluous && legacy_tensor_twin(weight->name, twin, sizeof(twin)) &&
            !rename_weight(weight, twin, error))
            return false;
    }
    qsort(weights->weight, weights->count, sizeof(*weights->weight), compare);
    return true;
}

/* Under the names in the file, or where there are no shards under their modern ones. */
static bool list_weights(struct weights *weights, struct error *error)
{
    char modern[SAFETENSORS_NAME_MAX + 32];
    struct weight *weight = calloc(weights->count + 1, sizeof(*weight));

    if (!weight)
        return error_set(error, ERROR_NO_MEMORY, "no memory for names of tensors");
    weights->weight = weight;
    for (size_t i = 0; i < weights->shard_count; i++)
        for (size_t k = 0; k < weights->files[i].count; k++, weight++) {
            const char *name = weights->files[i].tensors[k].name;

            weight->file = &weights->files[i];
            weight->tensor = &weights->files[i].tensors[k];
            if (!weights->index && legacy_tensor_name(name, modern, sizeof(modern)))
                name = modern;
            if (!rename_weight(weight, name, error))
                return false;
        }
    qsort(weights->weight, weights->count, sizeof(*weights->weight), compare);
    return weights->index || solve_twins(weights, error);
}

/* The index says where each tensor is, and is right. */
static bool check_map(const struct weights *weights, const cJSON *map, const char *prefix,
                      struct error *error)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, map)
    {
        const struct weight *weight = weights_find(weights, item->string);

        if (!weight || strcmp(weight->file->name + strlen(prefix), item->valuestring) != 0)
            return error_set(error, ERROR_BAD_MODEL,
                             "%s%s: tensor \"%.120s\" of the index is missing", prefix,
                             item->valuestring, item->string);
    }
    return true;
}

bool weights_open(struct weights *weights, const char *root, const char *prefix,
                  struct error *error)
{
    const cJSON *map;
    cJSON *json;
    bool good;

    *weights = (struct weights){.index = NULL};
    good = weights_find_files(weights, root, prefix, &json, &map, error) &&
           open_files(weights, root, error) && list_weights(weights, error) &&
           no_name_twice(weights, error) && (!map || check_map(weights, map, prefix, error));
    cJSON_Delete(json);
    return good;
}

void weights_close(struct weights *weights)
{
    for (size_t i = 0; weights->weight && i < weights->count; i++)
        free(weights->weight[i].name);
    for (size_t i = 0; i < weights->shard_count; i++) {
        if (weights->files)
            safetensors_close(&weights->files[i]);
        free(weights->paths[i]);
    }
    free(weights->weight);
    free(weights->files);
    free(weights->paths);
    free(weights->index);
    *weights = (struct weights){.index = NULL};
}
