#include "tests/golden/golden_tensor.h"

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

enum { THREADS = 2 };

bool golden_team_start(struct golden_team *team, const struct model *model, struct error *error)
{
    team->model = model;
    team->gang = gang_create(THREADS, error);
    return team->gang != NULL &&
           arena_init(&team->arena, model->family->workspace_bytes(model, THREADS), error);
}

void golden_team_evaluate(struct golden_team *team, const struct place *places, size_t count)
{
    team->model->family->evaluate(team->model, places, count, team->gang, team->arena.base);
}

void golden_team_stop(struct golden_team *team)
{
    arena_finish(&team->arena);
    gang_destroy(team->gang);
}

const struct backend *golden_backend(const char *name, size_t index)
{
    if (name == NULL)
        return backend_at(index);
    return index == 0 ? backend_find(name) : NULL;
}
