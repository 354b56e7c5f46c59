#include "tests/golden/golden_tensor.h"

#include "core/base/arena.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

bool golden_tensors_open(struct safetensors *file, const char *path, struct error *error)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);

    if (descriptor < 0)
        return error_set(error, ERROR_IO, "%s cannot be read", path);
    return safetensors_open(file, descriptor, path, error);
}

float *golden_tensor_floats(const struct safetensors *file, const char *name)
{
    const struct tensor *tensor = safetensors_find(file, name);
    float *values = tensor == NULL ? NULL : malloc((tensor->count + 1) * sizeof *values);
    struct error error;

    if (values == NULL || safetensors_read_float(file, tensor, values, &error))
        return values;
    free(values);
    return NULL;
}

static bool read_whole(const struct safetensors *file, const struct tensor *tensor, double *values,
                       struct error *error)
{
    int64_t *whole = malloc((tensor->count + 1) * sizeof *whole);
    const bool good = whole != NULL && safetensors_read_raw(file, tensor, whole, error);

    for (uint64_t i = 0; good && i < tensor->count; i++)
        values[i] = (double)whole[i];
    free(whole);
    return good;
}

double *golden_tensor_doubles(const struct safetensors *file, const char *name)
{
    const struct tensor *tensor = safetensors_find(file, name);
    double *values = tensor == NULL ? NULL : malloc((tensor->count + 1) * sizeof *values);
    struct error error;

    if (values != NULL &&
        (strcmp(tensor->dtype, "I64") == 0 ? read_whole(file, tensor, values, &error)
                                           : safetensors_read_double(file, tensor, values, &error)))
        return values;
    free(values);
    return NULL;
}

bool golden_evaluate(const struct model *model, const struct place *places, size_t count,
                     struct error *error)
{
    struct gang *gang = gang_create(2, error);
    struct arena arena = {0};
    bool good = gang != NULL && arena_init(&arena, model->family->workspace_bytes(model, 2), error);

    if (good)
        model->family->evaluate(model, places, count, gang, arena.base);
    arena_finish(&arena);
    gang_destroy(gang);
    return good;
}
