/* What rows begin with, decoded on a worker: pictures, masks, given starts. */
#include "proto/work_inside.h"

#include "core/base/math.h"
#include "core/image/pixels.h"
#include "core/image/png_read.h"
#include "proto/base64.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* height * width * channels bytes, malloc'ed, and their digest; NULL with the fault. */
static uint8_t *decode_picture(struct work_given *given, const char *field,
                               const struct png_size *want, char digest[DIGEST_TEXT_SIZE])
{
    const char *text = cJSON_GetObjectItemCaseSensitive(given->body, field)->valuestring;
    const size_t length = strlen(text), bytes = want->width * want->height * want->channels;
    unsigned char *file = malloc(base64_room(length) + 1);
    uint8_t *pixels = calloc(bytes, 1);
    struct error error = {0};
    char pointer[32];
    size_t size;

    if (file == NULL || pixels == NULL)
        error_write(&error, ERROR_NO_MEMORY, "out of memory");
    else if (base64_decode(text, length, file, &size, &error) &&
             png_read(file, size, want, pixels, &error))
        digest_of(pixels, bytes, digest);
    free(file);
    if (error.code == ERROR_NONE)
        return pixels;
    free(pixels);
    (void)snprintf(pointer, sizeof pointer, "/%s", field);
    if (error.code == ERROR_INVALID)
        problem_fault(&given->problem, pointer, "%s", error.text);
    else
        problem_of_error(&given->problem, &error);
    return NULL;
}

static void prepare_picture(struct work_given *given, const struct model_shape *shape)
{
    const struct png_size want = {shape->width, shape->height, shape->channels};
    uint8_t *pixels = decode_picture(given, "init_image", &want, given->init_image_digest);

    if (pixels != NULL)
        pixels_to_x0(pixels, shape->channels, shape->height, shape->width, given->picture);
    free(pixels);
}

/* Below the middle the picture is known. A mask that keeps nothing is no mask. */
static void prepare_mask(struct work_given *given, const struct model_shape *shape)
{
    const struct png_size want = {shape->width, shape->height, 1};
    const size_t plane = shape->width * shape->height;
    uint8_t *pixels = decode_picture(given, "mask", &want, given->mask_digest);
    bool any = false;

    for (size_t i = 0; pixels != NULL && i < shape->dim; i++) {
        given->known[i] = pixels[i % plane] < MASK_REPAINT;
        any |= given->known[i] != 0;
    }
    free(pixels);
    given->conditioning.known = any ? given->known : NULL;
}

/* The sizes of the arrays within one another, the outermost first. */
struct nesting {
    size_t sizes[4], depth;
};

static struct nesting nesting_of(const struct request *request)
{
    const struct model_shape *shape = &request->model->shape;

    if (shape->is_points)
        return (struct nesting){{request->n, shape->dim}, 2};
    return (struct nesting){{request->n, shape->height, shape->width, shape->channels}, 4};
}

/* Arrays within arrays while they are read, and the way to the entry in hand. */
struct walk {
    struct work_given *given;
    const struct body_array *from;
    size_t index[4];
};

/* "/x_T/0/3" for the entry at `depth` indices. */
static void fault_at(const struct walk *walk, size_t depth, const char *text)
{
    char pointer[96];
    size_t length = (size_t)snprintf(pointer, sizeof pointer, "/%s", walk->from->field);

    for (size_t i = 0; i < depth; i++)
        length +=
            (size_t)snprintf(pointer + length, sizeof pointer - length, "/%zu", walk->index[i]);
    problem_fault(&walk->given->problem, pointer, "%s", text);
}

static bool read_number(const struct walk *walk, const struct cJSON *value, size_t depth,
                        float *out)
{
    const bool good = cJSON_IsNumber(value) && fabs(value->valuedouble) <= (double)FLT_MAX;
    char got[GOT_SIZE], text[GOT_SIZE + 64];

    if (good) {
        *out = (float)value->valuedouble;
        return true;
    }
    (void)snprintf(text, sizeof text, "must be a number within float32, got %s",
                   body_got(value, got));
    fault_at(walk, depth, text);
    return false;
}

static bool check_size(const struct walk *walk, const struct cJSON *value,
                       const struct nesting *nesting, size_t depth)
{
    char text[96];

    if (cJSON_IsArray(value) && (size_t)cJSON_GetArraySize(value) == nesting->sizes[depth])
        return true;
    (void)snprintf(text, sizeof text, "must be an array of %zu", nesting->sizes[depth]);
    fault_at(walk, depth, text);
    return false;
}

/* The numbers of arrays within arrays, in their order; stops at the first fault. */
static bool read_numbers(struct walk *walk, const struct nesting *nesting, float *out)
{
    const struct cJSON *at[5] = {walk->from->value};
    size_t *index = walk->index, depth = 0;

    for (;;) {
        if (at[depth] == NULL) { /* an array is read: on to what follows it */
            if (depth-- == 0)
                return true;
        } else if (depth == nesting->depth) {
            if (!read_number(walk, at[depth], depth, out++))
                return false;
        } else {
            if (!check_size(walk, at[depth], nesting, depth))
                return false;
            index[depth] = 0;
            at[depth + 1] = at[depth]->child;
            depth++;
            continue;
        }
        if (depth == 0)
            return true;
        index[depth - 1]++;
        at[depth] = at[depth]->next;
    }
}

/* Where the values begin in a file of them: 0 without a header. False with the fault. */
static bool find_values(const struct walk *walk, const struct request *request,
                        const struct buffer *file, size_t *start)
{
    const size_t bytes = request->n * request->model->shape.dim * sizeof(float);
    struct buffer header = {0};
    bool good;

    work_values_header(&request->model->shape, request->n, &header);
    *start = file->size == bytes ? 0 : header.size;
    good = file->size == bytes || (file->size == header.size + bytes && buffer_ok(&header) &&
                                   memcmp(file->data, header.data, header.size) == 0);
    buffer_finish(&header);
    if (!good)
        fault_at(walk, 0,
                 "is an npy file of another type, order or shape than <f4 rows of this model in C "
                 "order");
    return good;
}

static bool check_finite(const struct walk *walk, const float *values, size_t count)
{
    char text[64];
    size_t i = 0;

    if (math_all_finite(values, count))
        return true;
    while (isfinite(values[i]))
        i++;
    (void)snprintf(text, sizeof text, "number %zu is not finite", i);
    fault_at(walk, 0, text);
    return false;
}

/* Float32 in base64, as it is or as a file. The machine is little-endian, as they are. */
static bool unpack(const struct walk *walk, const struct request *request, float *out)
{
    const size_t count = request->n * request->model->shape.dim;
    const char *text = walk->from->value->valuestring;
    const size_t length = strlen(text);
    struct buffer file = {.data = NULL};
    struct error error;
    size_t start;
    bool good = buffer_extend(&file, base64_room(length) + 1) != NULL;

    if (!good) {
        (void)problem_set(&walk->given->problem, PROBLEM_INTERNAL, "out of memory");
    } else if (!base64_decode(text, length, file.data, &file.size, &error)) {
        fault_at(walk, 0, error.text);
        good = false;
    }
    good = good && find_values(walk, request, &file, &start);
    if (good)
        memcpy(out, file.data + start, count * sizeof *out);
    buffer_finish(&file);
    return good && check_finite(walk, out, count);
}

/* n entries of the model's shape: in C,H,W, and the digest of them as they came. */
static void prepare_values(struct work_given *given, const struct body_array *from,
                           const struct request *request, float *out, char digest[DIGEST_TEXT_SIZE])
{
    const struct model_shape *shape = &request->model->shape;
    const struct nesting nesting = nesting_of(request);
    const size_t floats = request->n * shape->dim;
    struct walk walk = {.given = given, .from = from};
    float *values = malloc(floats * sizeof *values);

    if (values == NULL) {
        (void)problem_set(&given->problem, PROBLEM_INTERNAL, "out of memory");
    } else if (from->is_packed ? unpack(&walk, request, values)
                               : read_numbers(&walk, &nesting, values)) {
        digest_of(values, floats * sizeof *values, digest);
        memcpy(out, values, floats * sizeof *values);
        for (size_t i = 0; !shape->is_points && i < request->n; i++)
            pixels_to_chw(values + i * shape->dim, shape->channels, shape->height, shape->width,
                          out + i * shape->dim);
    }
    free(values);
}

void work_prepare(struct request *request)
{
    struct work *work = work_of(request);
    struct work_given *given = work->given;
    const struct model_shape *shape = &request->model->shape;

    if (given->picture != NULL)
        prepare_picture(given, shape);
    if (given->known != NULL)
        prepare_mask(given, shape);
    if (given->start_from.name != NULL)
        prepare_values(given, &given->start_from, request, given->start, given->start_digest);
    if (given->noise_from.name != NULL)
        prepare_values(given, &given->noise_from, request, given->noise, given->noise_digest);
    cJSON_Delete(given->body);
    given->body = NULL;
    if (given->problem.code == PROBLEM_NONE && work->kind->prepare != NULL)
        work->kind->prepare(work);
    if (given->problem.code != PROBLEM_NONE)
        error_write(&request->error, ERROR_INVALID, "what the request begins with is not good");
}

/* One block: the arrays follow the struct, the floats first. */
struct work_given *work_given_create(const struct body_values *values, const struct work_kind *kind,
                                     bool is_given)
{
    const size_t dim = values->model->shape.dim, all = values->n * dim;
    const size_t picture = values->init_image != NULL ? dim : 0;
    const size_t start = values->start.value != NULL || is_given ? all : 0;
    const size_t noise = values->noise.value != NULL ? all : 0;
    const size_t known = values->mask != NULL ? dim : 0;
    struct work_given *given =
        malloc(sizeof *given + (picture + start + noise) * sizeof(float) + known);
    float *floats;

    if (given == NULL)
        return NULL;
    *given = (struct work_given){
        .strength = values->strength, .start_from = values->start, .noise_from = values->noise};
    floats = (float *)(given + 1);
    if (picture > 0)
        given->conditioning.picture = given->picture = floats;
    if (picture > 0 && kind->starts_from_picture)
        given->conditioning.x_T = given->start = given->picture;
    if (start > 0)
        given->conditioning.x_T = given->start = floats + picture;
    if (noise > 0)
        given->conditioning.noise = given->noise = floats + picture + start;
    if (known > 0)
        given->known = (uint8_t *)(floats + picture + start + noise);
    return given;
}

void work_given_destroy(struct work_given *given)
{
    if (given == NULL)
        return;
    cJSON_Delete(given->body);
    free(given);
}
