/* A family's tensors: there, of the right shape, finite, and all of them asked for. */
#include "core/model/folder_open.h"

#include "core/base/math.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SHAPE_TEXT 200

static void shape_text(const size_t *shape, size_t rank, char text[SHAPE_TEXT])
{
    size_t used = 1;

    text[0] = '[';
    for (size_t i = 0; i < rank; i++)
        used += (size_t)snprintf(text + used, SHAPE_TEXT - used, i ? ",%zu" : "%zu", shape[i]);
    snprintf(text + used, SHAPE_TEXT - used, "]");
}

static bool same_shape(const struct tensor *tensor, const size_t *shape, size_t rank)
{
    return tensor->rank == rank && memcmp(tensor->shape, shape, rank * sizeof(*shape)) == 0;
}
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "shapes are compared as bytes");

static struct weight *find(const struct folder *folder, const char *name, const size_t *shape,
                           size_t rank, struct error *error)
{
    struct weight *weight = weights_find(&folder->weights, name);
    char wanted[SHAPE_TEXT], found[SHAPE_TEXT];

    if (weight && same_shape(weight->tensor, shape, rank))
        return weight;
    shape_text(shape, rank, wanted);
    if (!weight) {
        error_write(error, ERROR_BAD_MODEL, "%s: tensor \"%.120s\" %s is missing",
                    folder->weights.index ? folder->weights.index : folder->weights.paths[0], name,
                    wanted);
        return NULL;
    }
    shape_text(weight->tensor->shape, weight->tensor->rank, found);
    error_write(error, ERROR_BAD_MODEL, "%s: tensor \"%.120s\" is %s, but %s says %s",
                weight->file->name, weight->tensor->name, found, folder_config_path(folder),
                wanted);
    return NULL;
}

bool folder_check_tensor(const struct folder *folder, const char *name, const size_t *shape,
                         size_t rank, struct error *error)
{
    return find(folder, name, shape, rank, error) != NULL;
}

bool folder_read_tensor(struct folder *folder, const char *name, const size_t *shape, size_t rank,
                        float *out, struct error *error)
{
    struct weight *weight = find(folder, name, shape, rank, error);

    if (!weight || !safetensors_read_float(weight->file, weight->tensor, out, error))
        return false;
    if (!math_all_finite(out, weight->tensor->count))
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: tensor \"%.120s\" holds NaN or infinity (as float32)",
                         weight->file->name, weight->tensor->name);
    weight->used = true;
    return true;
}

bool folder_all_tensors_used(const struct folder *folder, struct error *error)
{
    for (size_t i = 0; i < folder->weights.count; i++) {
        const struct weight *weight = &folder->weights.weight[i];

        if (!weight->used && !weight->superfluous)
            return error_set(error, ERROR_BAD_MODEL,
                             "%s: tensor \"%.120s\" belongs to no part of the network that %s "
                             "describes",
                             weight->file->name, weight->tensor->name, folder_config_path(folder));
    }
    return true;
}
