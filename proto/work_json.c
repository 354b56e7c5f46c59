/* The JSON answer: up to its own members on a worker, its timing once the engine has noted it. */
#include "proto/work_inside.h"

#include "core/base/version.h"
#include "core/image/pixels.h"
#include "core/image/png.h"
#include "proto/json_write.h"

#include <stdio.h>
#include <stdlib.h>

void work_array_json(const float *values, const struct model_shape *shape, struct buffer *out)
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

bool work_pixels_json(const struct model_shape *shape, uint8_t *pixels, struct buffer *out,
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

bool work_png_json(const float *values, const struct model_shape *shape, struct buffer *out,
                   struct error *error)
{
    uint8_t *pixels = malloc(shape->dim);
    bool good = pixels != NULL || error_set(error, ERROR_NO_MEMORY, "no memory for a picture");

    if (good) {
        pixels_from_x0(values, shape->channels, shape->height, shape->width, pixels);
        good = work_pixels_json(shape, pixels, out, error);
    }
    free(pixels);
    return good;
}

void work_json_begin(struct work *work)
{
    struct buffer *out = &work->answer.body;

    json_open(out, '{');
    json_key(out, "id");
    json_string(out, work->id);
    work_model_json(work, out);
    work_params_json(work, out);
}

bool work_shaped_json(struct work *work, const char *key, const struct model_shape *shape,
                      const float *values, struct error *error)
{
    const size_t n = work->request.n;
    struct buffer *out = &work->answer.body, ordered = {0};
    char name[32];

    work_append_shaped(shape, n, values, &ordered);
    if (!buffer_ok(&ordered)) {
        buffer_finish(&ordered);
        return error_set(error, ERROR_NO_MEMORY, "no memory for %s", key);
    }
    (void)snprintf(name, sizeof name, "%s%s", key, work->encoding == ENCODING_F32 ? "_f32" : "");
    json_key(out, name);
    if (work->encoding == ENCODING_F32) {
        json_base64(out, ordered.data, ordered.size);
    } else {
        json_open(out, '[');
        for (size_t i = 0; i < n; i++)
            work_array_json((const float *)(const void *)ordered.data + i * shape->dim, shape, out);
        json_close(out, ']');
    }
    buffer_finish(&ordered);
    return true;
}

bool work_values_json(struct work *work, const char *key, const float *values, struct error *error)
{
    return work_shaped_json(work, key, &work->request.model->shape, values, error);
}

static void milliseconds_json(struct buffer *out, const char *key, double value)
{
    json_key(out, key);
    buffer_printf(out, "%.3f", value);
}

static void nfe_json(const struct request *request, struct buffer *out)
{
    json_key(out, "nfe");
    json_open(out, '[');
    for (size_t i = 0; i < request->n; i++)
        json_integer(out, request->nfe[i]);
    json_close(out, ']');
}

void work_json_end(struct work *work)
{
    const struct request *request = &work->request;
    const struct work_timing timing = work_timing(request);
    struct buffer *out = &work->answer.body;

    if (request->plan->is_adaptive || work->kind->tells_nfe)
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
    json_string(out, work->contract);
    json_key(out, "backend");
    json_string(out, work->backend);
    json_key(out, "version");
    json_string(out, DENOISED_VERSION);
    json_close(out, '}');
    json_close(out, '}');
    buffer_text(out, "\n");
}
