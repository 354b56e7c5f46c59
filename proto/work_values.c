/* What rows have measured, as answers have it. */
#include "proto/work_inside.h"

#include "core/base/math.h"
#include "proto/json_write.h"
#include "proto/npy.h"

#include <stdlib.h>

float *work_figures(const struct work *work, size_t first, size_t count, struct error *error)
{
    const struct request *request = &work->request;
    const size_t stride = request->plan->figure_count;
    float *values = malloc(request->n * count * sizeof *values);

    if (values == NULL)
        error_write(error, ERROR_NO_MEMORY, "no memory for %zu values", request->n * count);
    for (size_t i = 0; values != NULL && i < request->n; i++)
        for (size_t j = 0; j < count; j++)
            values[i * count + j] = (float)request->figures[i * stride + first + j];
    if (values == NULL || math_all_finite(values, request->n * count))
        return values;
    free(values);
    error_write(error, ERROR_NONFINITE, "the answer is not finite as float32");
    return NULL;
}

void work_values_header(const struct model_shape *shape, size_t n, struct buffer *out)
{
    const size_t image[4] = {n, shape->height, shape->width, shape->channels};
    const size_t points[2] = {n, shape->dim};

    npy_header(out, "<f4", shape->is_points ? points : image, shape->is_points ? 2 : 4);
}

void work_values_npy(struct work *work, const struct model_shape *shape, const float *values)
{
    work_values_header(shape, work->request.n, &work->answer.body);
    work_append_shaped(shape, work->request.n, values, &work->answer.body);
}

bool work_x_npy(struct work *work, struct error *error)
{
    (void)error;
    work_values_npy(work, &work->request.model->shape, work->request.x);
    return true;
}

void work_level_json(const struct level *level, struct buffer *out)
{
    json_key(out, "alpha");
    json_number(out, level->alpha);
    json_key(out, "sigma");
    json_number(out, level->sigma);
}

void work_time_json(const char *key, double t, struct buffer *out)
{
    json_key(out, key);
    json_number(out, t);
}
