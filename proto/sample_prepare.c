/* What rows begin with, decoded on a worker: pictures, masks, given starts. */
#include "proto/sample_inside.h"

#include "core/image/pixels.h"
#include "core/image/png_read.h"
#include "proto/base64.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* height * width * channels bytes, malloc'ed, and their digest; NULL with the fault. */
static uint8_t *decode_picture(struct sample_given *given, const char *field,
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

static void prepare_picture(struct sample_given *given, const struct model_shape *shape)
{
    const struct png_size want = {shape->width, shape->height, shape->channels};
    uint8_t *pixels = decode_picture(given, "init_image", &want, given->init_image_digest);

    if (pixels != NULL)
        pixels_to_x0(pixels, shape->channels, shape->height, shape->width, given->picture);
    free(pixels);
}

/* Below the middle the picture is known. A mask that keeps nothing is no mask. */
static void prepare_mask(struct sample_given *given, const struct model_shape *shape)
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

/* "/x_T/0/3" for the entry at these indices. */
static void fault_at(struct problem *problem, const size_t *index, size_t depth, const char *text)
{
    char pointer[96];
    size_t length = (size_t)snprintf(pointer, sizeof pointer, "/x_T");

    for (size_t i = 0; i < depth; i++)
        length += (size_t)snprintf(pointer + length, sizeof pointer - length, "/%zu", index[i]);
    problem_fault(problem, pointer, "%s", text);
}

static bool read_number(struct sample_given *given, const struct cJSON *value, const size_t *index,
                        size_t depth, float *out)
{
    const bool good = cJSON_IsNumber(value) && fabs(value->valuedouble) <= (double)FLT_MAX;
    char got[GOT_SIZE], text[GOT_SIZE + 64];

    if (good) {
        *out = (float)value->valuedouble;
        return true;
    }
    (void)snprintf(text, sizeof text, "must be a number within float32, got %s",
                   sample_got(value, got));
    fault_at(&given->problem, index, depth, text);
    return false;
}

static bool check_size(struct sample_given *given, const struct cJSON *value,
                       const struct nesting *nesting, const size_t *index, size_t depth)
{
    char text[96];

    if (cJSON_IsArray(value) && (size_t)cJSON_GetArraySize(value) == nesting->sizes[depth])
        return true;
    (void)snprintf(text, sizeof text, "must be an array of %zu", nesting->sizes[depth]);
    fault_at(&given->problem, index, depth, text);
    return false;
}

/* The numbers of arrays within arrays, in their order; stops at the first fault. */
static bool read_numbers(struct sample_given *given, const struct nesting *nesting, float *out)
{
    const struct cJSON *at[5] = {cJSON_GetObjectItemCaseSensitive(given->body, "x_T")};
    size_t index[4] = {0}, depth = 0;

    for (;;) {
        if (at[depth] == NULL) { /* an array is read: on to what follows it */
            if (depth-- == 0)
                return true;
        } else if (depth == nesting->depth) {
            if (!read_number(given, at[depth], index, depth, out++))
                return false;
        } else {
            if (!check_size(given, at[depth], nesting, index, depth))
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

static void prepare_x_T(struct sample_given *given, const struct request *request)
{
    const struct model_shape *shape = &request->model->shape;
    const struct nesting nesting = nesting_of(request);
    const size_t floats = request->n * shape->dim;
    float *values = malloc(floats * sizeof *values);

    if (values == NULL) {
        (void)problem_set(&given->problem, PROBLEM_INTERNAL, "out of memory");
    } else if (read_numbers(given, &nesting, values)) {
        digest_of(values, floats * sizeof *values, given->x_T_digest);
        memcpy(given->x_T, values, floats * sizeof *values);
        for (size_t i = 0; !shape->is_points && i < request->n; i++)
            pixels_to_chw(values + i * shape->dim, shape->channels, shape->height, shape->width,
                          given->x_T + i * shape->dim);
    }
    free(values);
}

void sample_prepare(struct request *request)
{
    struct sample_given *given = sample_of(request)->given;
    const struct model_shape *shape = &request->model->shape;

    if (given->picture != NULL)
        prepare_picture(given, shape);
    if (given->known != NULL)
        prepare_mask(given, shape);
    if (given->x_T != NULL)
        prepare_x_T(given, request);
    cJSON_Delete(given->body);
    given->body = NULL;
    if (given->problem.code != PROBLEM_NONE)
        error_write(&request->error, ERROR_INVALID, "what the request begins with is not good");
}

/* One block: the arrays follow the struct, the floats first. */
struct sample_given *sample_given_create(const struct sample_fields *fields)
{
    const size_t dim = fields->model->shape.dim;
    const size_t picture = fields->init_image != NULL ? dim : 0;
    const size_t x_T = fields->x_T != NULL ? fields->n * dim : 0;
    const size_t known = fields->mask != NULL ? dim : 0;
    struct sample_given *given = malloc(sizeof *given + (picture + x_T) * sizeof(float) + known);
    float *floats;

    if (given == NULL)
        return NULL;
    *given = (struct sample_given){.strength = fields->strength};
    floats = (float *)(given + 1);
    if (picture > 0)
        given->conditioning.picture = given->picture = floats;
    if (x_T > 0)
        given->conditioning.x_T = given->x_T = floats + picture;
    if (known > 0)
        given->known = (uint8_t *)(floats + picture + x_T);
    return given;
}

void sample_given_destroy(struct sample_given *given)
{
    if (given == NULL)
        return;
    cJSON_Delete(given->body);
    free(given);
}
