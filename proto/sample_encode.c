/* Encoding, on a worker: one row of the table a format. */
#include "proto/sample_trajectory.h"

#include "core/image/plot.h"
#include "core/image/png.h"
#include "proto/npy.h"

#include <stdlib.h>

bool sample_recipe_init(struct sample_recipe *recipe, const struct sample *sample,
                        struct error *error)
{
    *recipe = (struct sample_recipe){.json = {0}};
    sample_recipe_json(sample, &recipe->json);
    sample_recipe_text(sample, &recipe->text);
    recipe->texts[0] = (struct png_text){"denoised", (const char *)recipe->json.data};
    recipe->texts[1] = (struct png_text){"parameters", (const char *)recipe->text.data};
    return (buffer_ok(&recipe->json) && buffer_ok(&recipe->text)) ||
           error_set(error, ERROR_NO_MEMORY, "no memory for a recipe");
}

void sample_recipe_finish(struct sample_recipe *recipe)
{
    buffer_finish(&recipe->json);
    buffer_finish(&recipe->text);
}

bool sample_png_with_recipe(struct sample *sample, const struct picture *picture,
                            struct error *error)
{
    struct sample_recipe recipe;
    const bool good = sample_recipe_init(&recipe, sample, error) &&
                      png_encode(picture, recipe.texts, RECIPE_TEXTS, &sample->answer.body, error);

    sample_recipe_finish(&recipe);
    return good;
}

static bool encode_plot(struct sample *sample, struct error *error)
{
    const struct request *request = &sample->request;
    struct picture picture;
    bool good;

    if (!plot_points(request->x, request->n, request->model->shape.dim, request->labels,
                     request->model->card.view, &picture, error))
        return false;
    good = sample_png_with_recipe(sample, &picture, error);
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

static bool encode_png(struct sample *sample, struct error *error)
{
    const struct request *request = &sample->request;
    const struct model_shape *shape = &request->model->shape;
    struct picture picture;
    uint8_t *pixels;
    bool good;

    if (request->trajectory.every > 0)
        return sample_trajectory_png(sample, error);
    if (shape->is_points)
        return encode_plot(sample, error);
    pixels = all_pixels(request, error);
    if (pixels == NULL)
        return false;
    good = grid_make(pixels, request->n, shape->width, shape->height, shape->channels, &picture,
                     error);
    free(pixels);
    if (!good)
        return false;
    good = sample_png_with_recipe(sample, &picture, error);
    free(picture.pixels);
    if (request->n > 1)
        answer_header(&sample->answer, "X-Denoised-Grid", "%zux%zu", grid_columns(request->n),
                      grid_rows(request->n));
    return good;
}

/* Values in C,H,W leave in H,W,C. The machine is little-endian, as the format is. */
static void append_values(const struct request *request, struct buffer *out)
{
    const struct model_shape *shape = &request->model->shape;
    float *room;

    if (shape->is_points) {
        buffer_append(out, request->x, request->n * shape->dim * sizeof(float));
        return;
    }
    /* The header ends at a multiple of 64 and malloc aligns, so floats may lie here. */
    room = (void *)buffer_extend(out, request->n * shape->dim * sizeof(float));
    for (size_t i = 0; room != NULL && i < request->n; i++)
        pixels_to_hwc(request->x + i * shape->dim, shape->channels, shape->height, shape->width,
                      room + i * shape->dim);
}

static bool encode_npy(struct sample *sample, struct error *error)
{
    const struct request *request = &sample->request;
    const struct model_shape *shape = &request->model->shape;
    const size_t image[4] = {request->n, shape->height, shape->width, shape->channels};
    const size_t points[2] = {request->n, shape->dim};
    struct buffer *out = &sample->answer.body;
    uint8_t *pixels;

    if (request->trajectory.every > 0)
        return sample_trajectory_npy(sample, error);
    npy_header(out, sample->encoding == ENCODING_PIXELS ? "|u1" : "<f4",
               shape->is_points ? points : image, shape->is_points ? 2 : 4);
    if (sample->encoding != ENCODING_PIXELS) {
        append_values(request, out);
        return true;
    }
    pixels = all_pixels(request, error);
    if (pixels == NULL)
        return false;
    buffer_append(out, pixels, request->n * shape->dim);
    free(pixels);
    return true;
}

static bool (*const ENCODERS[])(struct sample *sample,
                                struct error *error) = {[FORMAT_PNG] = encode_png,
                                                        [FORMAT_JSON] = sample_json,
                                                        [FORMAT_NPY] = encode_npy,
                                                        [FORMAT_APNG] = sample_trajectory_apng};

void sample_finish(struct request *request)
{
    struct sample *sample = sample_of(request);

    if (ENCODERS[sample->format](sample, &request->error) && !buffer_ok(&sample->answer.body))
        error_write(&request->error, ERROR_NO_MEMORY, "no memory for the answer");
}
