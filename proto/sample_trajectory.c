/* Frames as JSON, as one npy array, as a contact sheet and as an animation. */
#include "proto/sample_inside.h"

#include "core/image/apng.h"
#include "core/image/plot.h"
#include "proto/json_write.h"
#include "proto/npy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX     8192
#define LAST_MS      2000
#define PLAY_MS      4000 /* all frames but the last */
#define FRAME_MS_MIN 40
#define FRAME_MS_MAX 250

enum kind { X_T, X_0, KINDS };

struct sheet sheet_for(const struct model *model, size_t n, size_t frames)
{
    const struct model_shape *shape = &model->shape;
    const size_t width = shape->is_points ? PLOT_SIZE : grid_columns(n) * shape->width;
    const size_t height = shape->is_points ? PLOT_SIZE : grid_rows(n) * shape->height;
    const size_t fitting = width <= SIDE_MAX ? SIDE_MAX / width : 1;
    const size_t columns = frames < fitting ? frames : fitting;

    assert(columns > 0);
    return (struct sheet){width, height, columns, KINDS * ((frames + columns - 1) / columns)};
}

bool sheet_fits(const struct sheet *sheet)
{
    return sheet->columns * sheet->cell_width <= SIDE_MAX &&
           sheet->rows * sheet->cell_height <= SIDE_MAX;
}

bool sheet_animates(const struct sheet *sheet)
{
    return KINDS * sheet->cell_width <= SIDE_MAX && sheet->cell_height <= SIDE_MAX;
}

/* One kind of one frame of a sample, all its rows. */
struct view {
    const struct work *work;
    size_t frame;
    enum kind kind;
};

static bool is_last(const struct work *work, size_t frame)
{
    return frame + 1 == work->request.trajectory.frames;
}

static const float *row_of(const struct view *view, size_t row)
{
    const struct request *request = &view->work->request;
    const size_t dim = request->plan->dim;

    return trajectory_values(&request->trajectory, dim, row, view->frame) +
           (view->kind == X_0 ? dim : 0);
}

/* n * dim floats in the order of the wire. */
static void wire_values(const struct view *view, float *out)
{
    const struct model_shape *shape = &view->work->request.model->shape;

    for (size_t i = 0; i < view->work->request.n; i++, out += shape->dim)
        if (shape->is_points)
            memcpy(out, row_of(view, i), shape->dim * sizeof *out);
        else
            pixels_to_hwc(row_of(view, i), shape->channels, shape->height, shape->width, out);
}

/* n * dim floats as pictures are drawn of: x_t as the network saw it. */
static void drawn_values(const struct view *view, float *out)
{
    const struct request *request = &view->work->request;
    const size_t dim = request->plan->dim;
    double scale = 1.0;

    if (view->kind == X_T && !is_last(view->work, view->frame))
        scale = request->trajectory.frame[view->frame].scale;
    for (size_t i = 0; i < request->n; i++, out += dim)
        for (size_t k = 0; k < dim; k++)
            out[k] = (float)(scale * (double)row_of(view, i)[k]);
}

/* --- json and npy */

static bool values_json(const struct view *view, float *values, struct buffer *out,
                        struct error *error)
{
    const struct request *request = &view->work->request;
    const struct model_shape *shape = &request->model->shape;
    bool good = true;

    json_key(out, view->kind == X_T ? "x_t" : "x_0");
    if (view->work->encoding == ENCODING_PNG)
        drawn_values(view, values);
    else
        wire_values(view, values);
    if (view->work->encoding == ENCODING_F32) {
        json_base64(out, values, request->n * shape->dim * sizeof *values);
        return true;
    }
    json_open(out, '[');
    for (size_t i = 0; good && i < request->n; i++, values += shape->dim)
        if (view->work->encoding == ENCODING_PNG)
            good = work_png_json(values, shape, out, error);
        else
            work_array_json(values, shape, out);
    json_close(out, ']');
    return good;
}

static bool frame_json(struct work *work, size_t frame, float *values, struct error *error)
{
    const struct trajectory *trajectory = &work->request.trajectory;
    struct buffer *out = &work->answer.body;
    struct view view = {work, frame, X_T};
    bool good;

    json_open(out, '{');
    json_key(out, "step");
    json_integer(out, (int64_t)(is_last(work, frame) ? plan_whole_steps(work->plan)
                                                     : frame * trajectory->every));
    json_key(out, "t");
    if (is_last(work, frame))
        json_null(out);
    else
        json_number(out, trajectory->frame[frame].time);
    good = values_json(&view, values, out, error);
    view.kind = X_0;
    good = good && values_json(&view, values, out, error);
    json_close(out, '}');
    return good;
}

/* Room for one kind of one frame. */
static float *frame_room(const struct work *work, struct error *error)
{
    float *room = malloc(work->request.n * work->plan->dim * sizeof *room);

    if (room == NULL)
        error_write(error, ERROR_NO_MEMORY, "no memory for a trajectory");
    return room;
}

bool sample_trajectory_json(struct work *work, struct error *error)
{
    const size_t frames = work->request.trajectory.frames;
    struct buffer *out = &work->answer.body;
    float *values = frame_room(work, error);
    bool good = values != NULL;

    json_key(out, "trajectory");
    json_open(out, '[');
    for (size_t i = 0; good && i < frames; i++)
        good = frame_json(work, i, values, error);
    json_close(out, ']');
    free(values);
    return good;
}

/* (frames, 2, n, D) or (frames, 2, n, H, W, C); floats may lie in the buffer: the header ends at a
 * multiple of 64. */
bool sample_trajectory_npy(struct work *work, struct error *error)
{
    const struct request *request = &work->request;
    const struct model_shape *shape = &request->model->shape;
    const size_t floats = request->n * shape->dim, frames = request->trajectory.frames;
    const size_t sizes[6] = {frames,        KINDS,        request->n,
                             shape->height, shape->width, shape->channels};
    const size_t points[4] = {frames, KINDS, request->n, shape->dim};
    struct buffer *out = &work->answer.body;
    float *room;

    (void)error;
    npy_header(out, "<f4", shape->is_points ? points : sizes, shape->is_points ? 4 : 6);
    room = (void *)buffer_extend(out, frames * KINDS * floats * sizeof *room);
    for (size_t i = 0; room != NULL && i < frames * KINDS; i++, room += floats) {
        const struct view view = {work, i / KINDS, (enum kind)(i % KINDS)};

        wire_values(&view, room);
    }
    return true;
}

/* --- pictures */

static bool grid_of(const struct model_shape *shape, const float *values, size_t n,
                    struct picture *picture, struct error *error)
{
    uint8_t *pixels = malloc(n * shape->dim);
    bool good;

    if (pixels == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu pictures", n);
    for (size_t i = 0; i < n; i++)
        pixels_from_x0(values + i * shape->dim, shape->channels, shape->height, shape->width,
                       pixels + i * shape->dim);
    good = grid_make(pixels, n, shape->width, shape->height, shape->channels, picture, error);
    free(pixels);
    return good;
}

/* What /sample would draw of these values, put onto `sheet` at (x, y); `values` is scratch. */
static bool put_cell(const struct view *view, float *values, struct picture *sheet,
                     const size_t at[2], struct error *error)
{
    const struct request *request = &view->work->request;
    const struct model_shape *shape = &request->model->shape;
    struct picture cell;

    drawn_values(view, values);
    if (shape->is_points) {
        if (!plot_points(values, request->n, shape->dim, request->labels, request->model->card.view,
                         &cell, error))
            return false;
    } else if (!grid_of(shape, values, request->n, &cell, error)) {
        return false;
    }
    picture_put(sheet, at[0], at[1], &cell);
    free(cell.pixels);
    return true;
}

static size_t picture_channels(const struct work *work)
{
    const struct model_shape *shape = &work->request.model->shape;

    return shape->is_points ? 3 : shape->channels;
}

static bool fill_sheet(struct work *work, const struct sheet *sheet, struct picture *picture,
                       struct error *error)
{
    const size_t frames = work->request.trajectory.frames;
    float *values = frame_room(work, error);
    bool good = values != NULL;

    for (size_t i = 0; good && i < frames * KINDS; i++) {
        const struct view view = {work, i / KINDS, (enum kind)(i % KINDS)};
        const size_t column = view.frame % sheet->columns;
        const size_t row = view.frame / sheet->columns * KINDS + view.kind;
        const size_t at[2] = {column * sheet->cell_width, row * sheet->cell_height};

        good = put_cell(&view, values, picture, at, error);
    }
    free(values);
    return good;
}

bool sample_trajectory_png(struct work *work, struct error *error)
{
    const struct request *request = &work->request;
    const struct sheet sheet = sheet_for(request->model, request->n, request->trajectory.frames);
    struct picture picture;
    bool good;

    if (!picture_make(sheet.columns * sheet.cell_width, sheet.rows * sheet.cell_height,
                      picture_channels(work), &picture, error))
        return false;
    good = fill_sheet(work, &sheet, &picture, error) && work_png_with_recipe(work, &picture, error);
    free(picture.pixels);
    answer_header(&work->answer, "X-Denoised-Grid", "%zux%zu", sheet.columns, sheet.rows);
    return good;
}

unsigned sample_frame_ms(size_t frame, size_t frames)
{
    const size_t ms = PLAY_MS / frames;

    if (frame + 1 == frames)
        return LAST_MS;
    return ms < FRAME_MS_MIN ? FRAME_MS_MIN : ms > FRAME_MS_MAX ? FRAME_MS_MAX : (unsigned)ms;
}

/* x_t on the left, x_0 on the right. */
static bool fill_frame(const struct work *work, size_t frame, float *values,
                       struct picture *picture, struct error *error)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        const struct view view = {work, frame, (enum kind)kind};
        const size_t at[2] = {kind * picture->width / KINDS, 0};

        if (!put_cell(&view, values, picture, at, error))
            return false;
    }
    return true;
}

static bool animate(struct work *work, struct picture *picture, const struct work_recipe *recipe,
                    struct error *error)
{
    const size_t frames = work->request.trajectory.frames;
    struct apng apng = apng_begin(&work->answer.body, frames);
    float *values = frame_room(work, error);
    bool good = values != NULL;

    for (size_t i = 0; good && i < frames; i++)
        good = fill_frame(work, i, values, picture, error) &&
               apng_frame(&apng, picture, sample_frame_ms(i, frames), recipe->texts, RECIPE_TEXTS,
                          error);
    if (good)
        apng_end(&apng);
    free(values);
    return good;
}

bool sample_trajectory_apng(struct work *work, struct error *error)
{
    const struct request *request = &work->request;
    const struct sheet sheet = sheet_for(request->model, request->n, 1);
    struct work_recipe recipe;
    struct picture picture;
    bool good;

    if (!picture_make(KINDS * sheet.cell_width, sheet.cell_height, picture_channels(work), &picture,
                      error))
        return false;
    good = work_recipe_init(&recipe, work, error) && animate(work, &picture, &recipe, error);
    work_recipe_finish(&recipe);
    free(picture.pixels);
    return good;
}
