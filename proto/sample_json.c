/* The JSON answer: up to the samples on a worker, its timing once the engine has noted it. */
#include "proto/sample_trajectory.h"

#include "core/base/digest.h"
#include "core/base/version.h"
#include "core/image/png.h"
#include "proto/json_write.h"

#include <stdlib.h>

/* Scratch for one picture: its pixels, and its values in the order of the wire. */
struct scratch {
    uint8_t *pixels;
    float *values;
};

void sample_array_json(const float *values, const struct model_shape *shape, struct buffer *out)
{
    json_open(out, '[');
    if (shape->is_points)
        for (size_t i = 0; i < shape->dim; i++)
            json_float(out, values[i]);
    for (size_t y = 0; y < shape->height; y++) {
        json_open(out, '[');
        for (size_t x = 0; x < shape->width; x++) {
            json_open(out, '[');
            for (size_t c = 0; c < shape->channels; c++)
                json_float(out, *values++);
            json_close(out, ']');
        }
        json_close(out, ']');
    }
    json_close(out, ']');
}

static bool pixels_json(const struct model_shape *shape, uint8_t *pixels, struct buffer *out,
                        struct error *error)
{
    const struct picture picture = {shape->width, shape->height, shape->channels, pixels};
    struct buffer file = {0};
    const bool good = png_encode(&picture, NULL, 0, &file, error);

    if (good)
        json_base64(out, file.data, file.size);
    buffer_finish(&file);
    return good;
}

bool sample_png_json(const float *values, const struct model_shape *shape, struct buffer *out,
                     struct error *error)
{
    uint8_t *pixels = malloc(shape->dim);
    bool good = pixels != NULL || error_set(error, ERROR_NO_MEMORY, "no memory for a picture");

    if (good) {
        pixels_from_x0(values, shape->channels, shape->height, shape->width, pixels);
        good = pixels_json(shape, pixels, out, error);
    }
    free(pixels);
    return good;
}

static bool image_json(const struct sample *sample, size_t index, struct scratch *scratch,
                       struct buffer *out, struct error *error)
{
    const struct request *request = &sample->request;
    const struct model_shape *shape = &request->model->shape;
    const float *x = request->x + index * shape->dim;
    char digest[DIGEST_TEXT_SIZE];

    json_open(out, '{');
    json_key(out, "index");
    json_integer(out, (int64_t)index);
    json_key(out, "seed");
    json_integer(out, request->seeds[index]);
    json_key(out, "class");
    sample_class_json(request->model, request->labels[index], out);
    buffer_printf(out, ",\"width\":%zu,\"height\":%zu,\"channels\":%zu", shape->width,
                  shape->height, shape->channels);
    pixels_from_x0(x, shape->channels, shape->height, shape->width, scratch->pixels);
    pixels_to_hwc(x, shape->channels, shape->height, shape->width, scratch->values);
    if (sample->encoding == ENCODING_ARRAY) {
        json_key(out, "array");
        sample_array_json(scratch->values, shape, out);
    } else if (sample->encoding == ENCODING_F32) {
        json_key(out, "f32");
        json_base64(out, scratch->values, shape->dim * sizeof(float));
    } else {
        json_key(out, "png");
        if (!pixels_json(shape, scratch->pixels, out, error))
            return false;
    }
    digest_of(scratch->pixels, shape->dim, digest);
    json_key(out, "sha256");
    json_string(out, digest);
    json_close(out, '}');
    return true;
}

static bool images_json(const struct sample *sample, struct buffer *out, struct error *error)
{
    const size_t dim = sample->request.model->shape.dim;
    struct scratch scratch = {malloc(dim), malloc(dim * sizeof(float))};
    bool good = scratch.pixels != NULL && scratch.values != NULL;

    if (!good)
        error_write(error, ERROR_NO_MEMORY, "no memory for a picture");
    json_key(out, "samples");
    json_open(out, '[');
    for (size_t i = 0; good && i < sample->request.n; i++)
        good = image_json(sample, i, &scratch, out, error);
    json_close(out, ']');
    free(scratch.pixels);
    free(scratch.values);
    return good;
}

static void points_json(const struct sample *sample, struct buffer *out)
{
    const size_t n = sample->request.n, dim = sample->request.model->shape.dim;
    const float *x = sample->request.x;
    char digest[DIGEST_TEXT_SIZE];

    if (sample->encoding == ENCODING_F32) {
        json_key(out, "points_f32");
        json_base64(out, x, n * dim * sizeof(float));
    } else {
        json_key(out, "points");
        json_open(out, '[');
        for (size_t i = 0; i < n; i++)
            sample_array_json(x + i * dim, &sample->request.model->shape, out);
        json_close(out, ']');
    }
    digest_of(x, n * dim * sizeof(float), digest);
    json_key(out, "sha256");
    json_string(out, digest);
}

bool sample_json(struct sample *sample, struct error *error)
{
    struct buffer *out = &sample->answer.body;

    json_open(out, '{');
    json_key(out, "id");
    json_string(out, sample->id);
    sample_model_json(sample, out);
    sample_params_json(sample, out);
    if (sample->request.model->shape.is_points)
        points_json(sample, out);
    else if (!images_json(sample, out, error))
        return false;
    return sample->request.trajectory.every == 0 || sample_trajectory_json(sample, error);
}

static void milliseconds_json(struct buffer *out, const char *key, double value)
{
    json_key(out, key);
    buffer_printf(out, "%.3f", value);
}

/* Where every row took its own number of evaluations. */
static void nfe_json(const struct request *request, struct buffer *out)
{
    json_key(out, "nfe");
    json_open(out, '[');
    for (size_t i = 0; i < request->n; i++)
        json_integer(out, request->nfe[i]);
    json_close(out, ']');
}

void sample_json_end(struct sample *sample)
{
    const struct request *request = &sample->request;
    const struct sample_timing timing = sample_timing(request);
    struct buffer *out = &sample->answer.body;

    if (request->plan->is_adaptive)
        nfe_json(request, out);
    json_key(out, "timing");
    json_open(out, '{');
    milliseconds_json(out, "queue_ms", timing.queue_ms);
    milliseconds_json(out, "denoise_ms", timing.denoise_ms);
    milliseconds_json(out, "encode_ms", timing.encode_ms);
    milliseconds_json(out, "mean_batch", timing.mean_batch);
    json_close(out, '}');
    json_key(out, "numerics");
    json_open(out, '{');
    json_key(out, "contract");
    json_string(out, sample->contract);
    json_key(out, "backend");
    json_string(out, sample->backend);
    json_key(out, "version");
    json_string(out, DENOISED_VERSION);
    json_close(out, '}');
    json_close(out, '}');
    buffer_text(out, "\n");
}
