/* What encoding, on a worker, is made of. */
#include "proto/work_inside.h"

#include "core/image/pixels.h"

bool work_recipe_init(struct work_recipe *recipe, const struct work *work, struct error *error)
{
    *recipe = (struct work_recipe){.json = {0}};
    work_recipe_json(work, &recipe->json);
    work_recipe_text(work, &recipe->text);
    recipe->texts[0] = (struct png_text){"denoised", (const char *)recipe->json.data};
    recipe->texts[1] = (struct png_text){"parameters", (const char *)recipe->text.data};
    return (buffer_ok(&recipe->json) && buffer_ok(&recipe->text)) ||
           error_set(error, ERROR_NO_MEMORY, "no memory for a recipe");
}

void work_recipe_finish(struct work_recipe *recipe)
{
    buffer_finish(&recipe->json);
    buffer_finish(&recipe->text);
}

bool work_png_with_recipe(struct work *work, const struct picture *picture, struct error *error)
{
    struct work_recipe recipe;
    const bool good = work_recipe_init(&recipe, work, error) &&
                      png_encode(picture, recipe.texts, RECIPE_TEXTS, &work->answer.body, error);

    work_recipe_finish(&recipe);
    return good;
}

/* The machine is little-endian, as the format is. */
void work_append_shaped(const struct model_shape *shape, size_t n, const float *values,
                        struct buffer *out)
{
    float *room;

    if (shape->is_points) {
        buffer_append(out, values, n * shape->dim * sizeof(float));
        return;
    }
    /* The header ends at a multiple of 64 and malloc aligns, so floats may lie here. */
    room = (void *)buffer_extend(out, n * shape->dim * sizeof(float));
    for (size_t i = 0; room != NULL && i < n; i++)
        pixels_to_hwc(values + i * shape->dim, shape->channels, shape->height, shape->width,
                      room + i * shape->dim);
}

void work_append_values(const struct request *request, const float *values, struct buffer *out)
{
    work_append_shaped(&request->model->shape, request->n, values, out);
}

void work_finish(struct request *request)
{
    struct work *work = work_of(request);

    if (work->kind->encode[work->format](work, &request->error) && !buffer_ok(&work->answer.body))
        error_write(&request->error, ERROR_NO_MEMORY, "no memory for the answer");
}
