#include "core/model/tensor_list.h"

#include "core/base/array.h"
#include "core/model/attention_merge.h"
#include "core/model/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool grow(struct tensor_list *list, size_t count, size_t *capacity, size_t size,
                 void **array)
{
    list->out_of_memory = list->out_of_memory || !array_grow(array, capacity, count, size);
    return !list->out_of_memory;
}

size_t tensor_list_room(struct tensor_list *list, size_t count)
{
    size_t offset = list->floats;
    list->floats += arena_rounded(count * sizeof(float)) / sizeof(float);
    return offset;
}

static void append(struct tensor_list *list, const struct expected_tensor *tensor,
                   const char *prefix, const char *suffix)
{
    void *array = list->tensors;
    if (!grow(list, list->tensor_count, &list->tensor_capacity, sizeof *list->tensors, &array))
        return;
    list->tensors = array;
    struct expected_tensor *added = &list->tensors[list->tensor_count++];
    *added = *tensor;
    snprintf(added->name, sizeof added->name, "%s%s", prefix, suffix);
}

void tensor_list_add(struct tensor_list *list, size_t offset, struct tensor_shape shape,
                     const char *prefix, const char *suffix)
{
    struct expected_tensor tensor = {.shape = shape, .matrix = SIZE_MAX, .place = offset};
    append(list, &tensor, prefix, suffix);
}

static size_t add_matrix(struct tensor_list *list, struct packed_matrix matrix, size_t packed)
{
    void *array = list->matrices;
    if (!grow(list, list->matrix_count, &list->matrix_capacity, sizeof *list->matrices, &array))
        return SIZE_MAX;
    list->matrices = array;
    matrix.offset = tensor_list_room(list, packed);
    list->matrices[list->matrix_count] = matrix;
    return list->matrix_count++;
}

size_t tensor_list_conv(struct tensor_list *list, const struct conv_shape *shape)
{
    struct packed_matrix matrix = {.kind = MATRIX_CONV,
                                   .shape.conv = *shape,
                                   .floats = shape->in_channels * shape->out_channels * 9};
    return add_matrix(list, matrix, list->kernels->conv->weight_floats(shape));
}

size_t tensor_list_linear(struct tensor_list *list, const struct linear_shape *shape)
{
    struct packed_matrix matrix = {
        .kind = MATRIX_LINEAR, .shape.linear = *shape, .floats = shape->in * shape->out};
    return add_matrix(list, matrix, list->kernels->linear->weight_floats(shape));
}

size_t tensor_list_attention(struct tensor_list *list, const struct linear_shape *shape,
                             double scale, size_t bias, size_t out_bias)
{
    struct packed_matrix matrix = {.kind = MATRIX_ATTENTION,
                                   .shape.linear = *shape,
                                   .floats =
                                       attention_stored_floats(shape->in) + shape->in * shape->out,
                                   .scale = scale,
                                   .bias = bias,
                                   .out_bias = out_bias};
    return add_matrix(list, matrix, list->kernels->linear->weight_floats(shape));
}

static size_t shape_count(const struct tensor_shape *shape)
{
    size_t count = 1;
    for (size_t i = 0; i < shape->rank; i++)
        count *= shape->size[i];
    return count;
}

void tensor_list_stack(struct tensor_list *list, size_t matrix, size_t row,
                       struct tensor_shape shape, const char *prefix, const char *suffix)
{
    struct expected_tensor tensor = {
        .shape = shape, .matrix = matrix, .place = row * (shape_count(&shape) / shape.size[0])};
    append(list, &tensor, prefix, suffix);
}

size_t tensor_list_offset(const struct tensor_list *list, size_t matrix)
{
    return list->out_of_memory ? 0 : list->matrices[matrix].offset;
}

void tensor_list_finish(struct tensor_list *list)
{
    free(list->tensors);
    free(list->matrices);
    *list = (struct tensor_list){0};
}

/* --- loading ---------------------------------------------------------------------------------- */

/* Also raises `largest` to the number of floats that have to be held as stored. */
static bool check_all(const struct tensor_list *list, const struct folder *folder, size_t *largest,
                      struct error *error)
{
    if (list->out_of_memory)
        return error_set(error, ERROR_NO_MEMORY, "no memory for the list of tensors");
    for (size_t i = 0; i < list->tensor_count; i++) {
        const struct expected_tensor *tensor = &list->tensors[i];
        if (!folder_check_tensor(folder, tensor->name, tensor->shape.size, tensor->shape.rank,
                                 error))
            return false;
        size_t count = shape_count(&tensor->shape);
        *largest = count > *largest ? count : *largest;
    }
    for (size_t i = 0; i < list->matrix_count; i++)
        *largest = list->matrices[i].floats > *largest ? list->matrices[i].floats : *largest;
    return true;
}

static bool load_vectors(const struct tensor_list *list, struct folder *folder, float *packed,
                         float *stored, struct error *error)
{
    for (size_t i = 0; i < list->tensor_count; i++) {
        const struct expected_tensor *tensor = &list->tensors[i];
        if (tensor->matrix != SIZE_MAX)
            continue;
        if (!folder_read_tensor(folder, tensor->name, tensor->shape.size, tensor->shape.rank,
                                stored, error))
            return false;
        float *to = packed + tensor->place;
        size_t count = shape_count(&tensor->shape);
        for (size_t k = 0; k < count; k++)
            to[k] += stored[k];
    }
    return true;
}

static bool load_matrix(const struct tensor_list *list, size_t index, struct folder *folder,
                        float *stored, struct error *error)
{
    for (size_t i = 0; i < list->tensor_count; i++) {
        const struct expected_tensor *tensor = &list->tensors[i];
        if (tensor->matrix == index &&
            !folder_read_tensor(folder, tensor->name, tensor->shape.size, tensor->shape.rank,
                                stored + tensor->place, error))
            return false;
    }
    return true;
}

static void prepare_conv(const struct tensor_list *list, const struct packed_matrix *matrix,
                         float *stored, float *packed)
{
    list->kernels->conv->prepare(list->kernels, &matrix->shape.conv, stored,
                                 packed + matrix->offset);
}

static void prepare_linear(const struct tensor_list *list, const struct packed_matrix *matrix,
                           float *stored, float *packed)
{
    list->kernels->linear->prepare(list->kernels, &matrix->shape.linear, stored,
                                   packed + matrix->offset);
}

/* The merged matrix has its room behind what is stored. */
static void prepare_attention(const struct tensor_list *list, const struct packed_matrix *matrix,
                              float *stored, float *packed)
{
    size_t channels = matrix->shape.linear.in;
    const struct attention_merged merged = {.matrix = stored + attention_stored_floats(channels),
                                            .bias = packed + matrix->bias,
                                            .out_bias = packed + matrix->out_bias};
    attention_merge(stored, channels, matrix->scale, &merged);
    prepare_linear(list, matrix, merged.matrix, packed);
}

static void (*const PREPARE[])(const struct tensor_list *list, const struct packed_matrix *matrix,
                               float *stored, float *packed) = {
    [MATRIX_CONV] = prepare_conv,
    [MATRIX_LINEAR] = prepare_linear,
    [MATRIX_ATTENTION] = prepare_attention,
};

void tensor_list_prepare(const struct tensor_list *list, size_t matrix, float *stored,
                         float *packed)
{
    PREPARE[list->matrices[matrix].kind](list, &list->matrices[matrix], stored, packed);
}

static bool load_matrices(const struct tensor_list *list, struct folder *folder, float *packed,
                          float *stored, struct error *error)
{
    for (size_t i = 0; i < list->matrix_count; i++) {
        if (!load_matrix(list, i, folder, stored, error))
            return false;
        tensor_list_prepare(list, i, stored, packed);
    }
    return true;
}

bool tensor_list_load(const struct tensor_list *list, struct folder *folder, struct arena *arena,
                      struct error *error)
{
    size_t largest = 1;
    if (!check_all(list, folder, &largest, error) ||
        !arena_init(arena, list->floats * sizeof(float), error))
        return false;
    float *packed = arena_take(arena, list->floats * sizeof(float));
    float *stored = malloc(largest * sizeof *stored);
    if (stored == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory to read weights");
    bool good = load_vectors(list, folder, packed, stored, error) &&
                load_matrices(list, folder, packed, stored, error);
    free(stored);
    return good && folder_all_tensors_used(folder, error);
}
