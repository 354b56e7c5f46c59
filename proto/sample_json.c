/* Samples as JSON. */
#include "proto/sample_inside.h"

#include "core/base/digest.h"
#include "proto/json_write.h"

#include <stdlib.h>

/* Scratch for one picture: its pixels, and its values in the order of the wire. */
struct scratch {
    uint8_t *pixels;
    float *values;
};

static bool image_json(const struct work *work, size_t index, struct scratch *scratch,
                       struct buffer *out, struct error *error)
{
    const struct request *request = &work->request;
    const struct model_shape *shape = &request->model->shape;
    const float *x = request->x + index * shape->dim;
    char digest[DIGEST_TEXT_SIZE];

    json_open(out, '{');
    json_key(out, "index");
    json_integer(out, (int64_t)index);
    json_key(out, "seed");
    if (work_row_has_seed(work, index))
        json_integer(out, request->seeds[index]);
    else
        json_null(out);
    json_key(out, "class");
    work_class_json(request->model, request->labels[index], out);
    buffer_printf(out, ",\"width\":%zu,\"height\":%zu,\"channels\":%zu", shape->width,
                  shape->height, shape->channels);
    pixels_from_x0(x, shape->channels, shape->height, shape->width, scratch->pixels);
    pixels_to_hwc(x, shape->channels, shape->height, shape->width, scratch->values);
    if (work->encoding == ENCODING_ARRAY) {
        json_key(out, "array");
        work_array_json(scratch->values, shape, out);
    } else if (work->encoding == ENCODING_F32) {
        json_key(out, "f32");
        json_base64(out, scratch->values, shape->dim * sizeof(float));
    } else {
        json_key(out, "png");
        if (!work_pixels_json(shape, scratch->pixels, out, error))
            return false;
    }
    digest_of(scratch->pixels, shape->dim, digest);
    json_key(out, "sha256");
    json_string(out, digest);
    json_close(out, '}');
    return true;
}

static bool images_json(const struct work *work, struct buffer *out, struct error *error)
{
    const size_t dim = work->request.model->shape.dim;
    struct scratch scratch = {malloc(dim), malloc(dim * sizeof(float))};
    bool good = scratch.pixels != NULL && scratch.values != NULL;

    if (!good)
        error_write(error, ERROR_NO_MEMORY, "no memory for a picture");
    json_key(out, "samples");
    json_open(out, '[');
    for (size_t i = 0; good && i < work->request.n; i++)
        good = image_json(work, i, &scratch, out, error);
    json_close(out, ']');
    free(scratch.pixels);
    free(scratch.values);
    return good;
}

static void points_json(const struct work *work, struct buffer *out)
{
    const size_t n = work->request.n, dim = work->request.model->shape.dim;
    const float *x = work->request.x;
    char digest[DIGEST_TEXT_SIZE];

    if (work->encoding == ENCODING_F32) {
        json_key(out, "points_f32");
        json_base64(out, x, n * dim * sizeof(float));
    } else {
        json_key(out, "points");
        json_open(out, '[');
        for (size_t i = 0; i < n; i++)
            work_array_json(x + i * dim, &work->request.model->shape, out);
        json_close(out, ']');
    }
    digest_of(x, n * dim * sizeof(float), digest);
    json_key(out, "sha256");
    json_string(out, digest);
}

bool sample_json(struct work *work, struct error *error)
{
    struct buffer *out = &work->answer.body;

    work_json_begin(work);
    if (work->request.model->shape.is_points)
        points_json(work, out);
    else if (!images_json(work, out, error))
        return false;
    return work->request.trajectory.every == 0 || sample_trajectory_json(work, error);
}
