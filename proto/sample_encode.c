/* Samples as png and npy, on a worker. */
#include "proto/sample_inside.h"

#include "core/image/plot.h"
#include "core/image/png.h"
#include "proto/npy.h"

#include <stdlib.h>

static bool encode_plot(struct work *work, struct error *error)
{
    const struct request *request = &work->request;
    struct picture picture;
    bool good;

    if (!plot_points(request->x, request->n, request->model->shape.dim, request->labels,
                     request->model->card.view, &picture, error))
        return false;
    good = work_png_with_recipe(work, &picture, error);
    free(picture.pixels);
    return good;
}

/* All pictures' bytes, one after the other; malloc'ed. */
static uint8_t *all_pixels(const struct request *request, struct error *error)
{
    const struct model_shape *shape = &request->model->shape;
    uint8_t *pixels = malloc(request->n * shape->dim);

    if (pixels == NULL) {
        error_write(error, ERROR_NO_MEMORY, "no memory for %zu pictures", request->n);
        return NULL;
    }
    for (size_t i = 0; i < request->n; i++)
        pixels_from_x0(request->x + i * shape->dim, shape->channels, shape->height, shape->width,
                       pixels + i * shape->dim);
    return pixels;
}

bool sample_png(struct work *work, struct error *error)
{
    const struct request *request = &work->request;
    const struct model_shape *shape = &request->model->shape;
    struct picture picture;
    uint8_t *pixels;
    bool good;

    if (request->trajectory.every > 0)
        return sample_trajectory_png(work, error);
    if (shape->is_points)
        return encode_plot(work, error);
    pixels = all_pixels(request, error);
    if (pixels == NULL)
        return false;
    good = grid_make(pixels, request->n, shape->width, shape->height, shape->channels, &picture,
                     error);
    free(pixels);
    if (!good)
        return false;
    good = work_png_with_recipe(work, &picture, error);
    free(picture.pixels);
    if (request->n > 1)
        answer_header(&work->answer, "X-Denoised-Grid", "%zux%zu", grid_columns(request->n),
                      grid_rows(request->n));
    return good;
}

bool sample_npy(struct work *work, struct error *error)
{
    const struct request *request = &work->request;
    const struct model_shape *shape = &request->model->shape;
    const size_t image[4] = {request->n, shape->height, shape->width, shape->channels};
    const size_t points[2] = {request->n, shape->dim};
    struct buffer *out = &work->answer.body;
    uint8_t *pixels;

    if (request->trajectory.every > 0)
        return sample_trajectory_npy(work, error);
    npy_header(out, work->encoding == ENCODING_PIXELS ? "|u1" : "<f4",
               shape->is_points ? points : image, shape->is_points ? 2 : 4);
    if (work->encoding != ENCODING_PIXELS) {
        work_append_values(request, request->x, out);
        return true;
    }
    pixels = all_pixels(request, error);
    if (pixels == NULL)
        return false;
    buffer_append(out, pixels, request->n * shape->dim);
    free(pixels);
    return true;
}
