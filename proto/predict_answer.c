/* What /predict answers: the values of each row; of a grid line by line, or drawn as arrows. */
#include "proto/predict_inside.h"

#include "core/base/math.h"
#include "core/diffusion/moment.h"
#include "proto/json_write.h"
#include "proto/npy.h"

#include <math.h>
#include <stdlib.h>

/* The raw output may hold more channels than x: a learned variance. */
static struct model_shape shape_of(const struct work *work)
{
    struct model_shape shape = work->request.model->shape;

    shape.channels *= work->plan->figure_count / shape.dim;
    shape.dim = work->plan->figure_count;
    return shape;
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* Lines of points, as the picture has them from below. */
static void lines_json(const struct work *work, const float *values, struct buffer *out)
{
    const struct model_shape shape = shape_of(work);
    const size_t *size = work->question.grid.size;

    json_key(out, "values");
    json_open(out, '[');
    for (size_t line = 0; line < size[1]; line++) {
        json_open(out, '[');
        for (size_t i = 0; i < size[0]; i++)
            work_array_json(values + (line * size[0] + i) * shape.dim, &shape, out);
        json_close(out, ']');
    }
    json_close(out, ']');
}

bool predict_json(struct work *work, struct error *error)
{
    const struct model_shape shape = shape_of(work);
    const struct level level = predict_level(work->plan);
    float *values = work_figures(work, 0, shape.dim, error);
    bool good = values != NULL;

    work_json_begin(work);
    work_level_json(&level, &work->answer.body);
    if (good && has_grid(&work->question) && work->encoding == ENCODING_ARRAY)
        lines_json(work, values, &work->answer.body);
    else
        good = good && work_shaped_json(work, "values", &shape, values, error);
    free(values);
    return good;
}

bool predict_npy(struct work *work, struct error *error)
{
    const struct model_shape shape = shape_of(work);
    const size_t *size = work->question.grid.size, lines[3] = {size[1], size[0], shape.dim};
    float *values = work_figures(work, 0, shape.dim, error);

    if (values == NULL)
        return false;
    if (has_grid(&work->question)) {
        npy_header(&work->answer.body, "<f4", lines, 3);
        buffer_append(&work->answer.body, values, work->request.n * shape.dim * sizeof *values);
    } else {
        work_values_npy(work, &shape, values);
    }
    free(values);
    return true;
}

/* --- a picture -------------------------------------------------------------------------------- */

/* What was asked for as a * x_0 + b * eps. */
struct parts {
    double a, b;
};

static struct parts parts_of(const struct work *work)
{
    static const enum predicted HEADS[] = {[HEAD_EPSILON] = PREDICTED_EPS,
                                           [HEAD_SAMPLE] = PREDICTED_X0,
                                           [HEAD_V] = PREDICTED_V,
                                           [HEAD_SCORE] = PREDICTED_SCORE,
                                           [HEAD_VELOCITY] = PREDICTED_VELOCITY};
    const struct process *process = work->plan->process;
    const struct level level = predict_level(work->plan);
    const double norm = sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    enum predicted as = work->question.as;
    struct level slope = {0};

    if (as == PREDICTED_RAW)
        as = HEADS[process_head(process)];
    if (as == PREDICTED_VELOCITY)
        slope = process_slope(process, moment_time(process, work->question.t), level);
    return (const struct parts[]){
        [PREDICTED_EPS] = {0.0, 1.0},
        [PREDICTED_X0] = {1.0, 0.0},
        [PREDICTED_SCORE] = {0.0, -1.0 / level.sigma},
        [PREDICTED_V] = {-level.sigma / norm, level.alpha / norm},
        [PREDICTED_VELOCITY] = {slope.alpha, slope.sigma},
    }[as];
}

/* With x = alpha x_0 + sigma eps and value = a x_0 + b eps it is -eps / sigma. NULL where there is
 * none: another base than N(0, I); a value that does not say it; memory. */
static float *score_of(const struct work *work, const float *values)
{
    const struct process *process = work->plan->process;
    const struct level level = predict_level(work->plan);
    const struct parts parts = parts_of(work);
    const double by = parts.b * level.alpha - parts.a * level.sigma;
    const size_t count = work->request.n * 2;
    const float *x = work->request.x;
    float *score;

    if (process->config.type == PROCESS_FLOW && !process_has_sigma(process))
        return NULL;
    score = malloc(count * sizeof *score);
    for (size_t i = 0; score != NULL && i < count; i++)
        score[i] =
            (float)((parts.a * (double)x[i] - (double)values[i] * level.alpha) / by / level.sigma);
    if (score == NULL || math_all_finite(score, count))
        return score;
    free(score);
    return NULL;
}

bool predict_png(struct work *work, struct error *error)
{
    struct picture picture = {.pixels = NULL};
    float *values = work_figures(work, 0, 2, error), *score = NULL;
    bool good = values != NULL;

    if (good) {
        const struct quiver quiver = {.grid = work->question.grid,
                                      .vectors = values,
                                      .score = score = score_of(work, values),
                                      .reaches = work->question.as == PREDICTED_X0};

        good = quiver_draw(&quiver, work->request.model->card.view, &picture, error);
    }
    good = good && work_png_with_recipe(work, &picture, error);
    free(picture.pixels);
    free(score);
    free(values);
    return good;
}
