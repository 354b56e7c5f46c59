/* From fields that are good one by one to a request: the plan, its cost, its arrays. */
#include "proto/sample_inside.h"

#include "core/image/pixels.h"
#include "core/image/plot.h"
#include "proto/json_write.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRID_SIDE_MAX 8192
#define PLOT_BYTES    ((uint64_t)3 * 3 * PLOT_SIZE * PLOT_SIZE) /* of a picture of points */

/* As work_plan_culprit, of the fields that a picture comes with. NULL: it is none of them. */
static const char *picture_culprit(const struct plan_request *asked, bool has_strength)
{
    struct plan_request tried = *asked;
    struct error error;
    struct plan *plan;

    tried.strength = 1.0;
    plan = plan_create(&tried, &error);
    plan_destroy(plan);
    if (plan != NULL)
        return has_strength ? "/strength" : "/init_image";
    tried.has_picture = false;
    plan = plan_create(&tried, &error);
    plan_destroy(plan);
    return plan != NULL ? "/init_image" : NULL;
}

static void fault_plan(const struct body_values *fields, const struct plan_request *asked,
                       const struct error *error, struct problem *problem)
{
    const struct model *model = fields->model;
    const char *culprit = asked->has_picture ? picture_culprit(asked, fields->has_strength) : NULL;
    char pointer[64];

    if (culprit == NULL)
        culprit = work_plan_culprit(asked, model_default_sampler(model), model_default_steps(model),
                                    pointer);
    problem_fault(problem, culprit, "%s", error->text);
}

static struct plan *make_plan(const struct body_values *fields, struct problem *problem)
{
    const struct model *model = fields->model;
    const struct plan_request asked = {.process = &model->process,
                                       .sampler = fields->sampler->name,
                                       .steps = fields->steps,
                                       .steps_asked = fields->has_steps,
                                       .options = &fields->options,
                                       .has_picture = fields->init_image != NULL,
                                       .strength = fields->strength,
                                       .dim = model->shape.dim,
                                       .output_dim = model->shape.output_dim};
    struct error error = {0};
    struct plan *plan = plan_create(&asked, &error);

    if (plan == NULL && error.code == ERROR_INVALID)
        fault_plan(fields, &asked, &error, problem);
    else if (plan == NULL)
        problem_of_error(problem, &error);
    return plan;
}

/* x_T is given and nothing else is drawn: no seed is felt. */
static bool needs_no_seed(const struct body_values *fields, const struct plan *plan)
{
    return fields->start.value != NULL && !plan_draws(plan);
}

/* No noise of a row between two seeds would leave both ends the plain samples: the one's changes
 * the other's end. */
static bool check_interpolation(const struct body_values *fields, const struct plan *plan,
                                struct problem *problem)
{
    const bool has_eta = plan->options.given[OPTION_ETA];
    char eta[32] = "";

    if (!fields->interpolates || !plan_draws(plan))
        return true;
    if (has_eta)
        number_text(plan->options.value[OPTION_ETA], eta);
    problem_fault(problem, "/interpolate",
                  "sampler %s%s%s draws noise in its steps, and what lies between two seeds has "
                  "none: take a sampler that draws nothing after x_T, such as ddim with eta 0",
                  plan->sampler->name, has_eta ? " with eta " : "", eta);
    return false;
}

static bool check_seeds(const struct body_values *fields, const struct plan *plan,
                        struct problem *problem)
{
    const char *pointer = body_seed_pointer(fields);

    if (pointer == NULL || !needs_no_seed(fields, plan))
        return true;
    problem_fault(problem, pointer,
                  "x_T is given and sampler %s draws nothing more: there is no use for a seed",
                  plan->sampler->name);
    return false;
}

/* Dots that the pictures of one answer hold: they are drawn at one go, while nobody is served. This
 * many, in as many pictures as the limit of bytes allows, take one or two seconds. */
#define DOTS_MAX ((size_t)1 << 21)

/* Frames whose two pictures of all points are not too much. */
static size_t frames_drawn_max(const struct body_values *fields)
{
    return fields->model->shape.is_points ? DOTS_MAX / 2 / fields->n : SIZE_MAX;
}

/* Every how many steps a frame is taken: an animation has about 20 of them unless it is said, or as
 * many as can be drawn. */
#define FRAMES_USUAL 20
static size_t frame_every(const struct body_values *fields, const struct plan *plan)
{
    const size_t most = frames_drawn_max(fields), steps = plan_whole_steps(plan);
    size_t frames = FRAMES_USUAL;

    if (fields->trajectory > 0 || fields->format != FORMAT_APNG || fields->interpolates)
        return fields->trajectory;
    if (most <= FRAMES_USUAL)
        frames = most > 2 ? most - 1 : 1;
    return (steps + frames - 1) / frames;
}

static size_t frame_count(const struct body_values *fields, const struct plan *plan)
{
    const size_t every = frame_every(fields, plan);

    return every == 0 ? 0 : trajectory_frames(plan, every);
}

static bool check_dots(const struct body_values *fields, const struct plan *plan,
                       struct problem *problem)
{
    const size_t frames = frame_count(fields, plan), most = frames_drawn_max(fields);

    if ((fields->format != FORMAT_PNG && fields->format != FORMAT_APNG) || frames <= most)
        return true;
    problem_fault(
        problem, fields->trajectory > 0 ? "/trajectory" : "/n",
        "%zu frames of %zu points are too many to draw at once: %zu at most, in json and npy "
        "more",
        frames, fields->n, most);
    return false;
}

static bool check_trajectory(const struct body_values *fields, const struct plan *plan,
                             struct problem *problem)
{
    const bool animates = fields->format == FORMAT_APNG;
    struct sheet sheet;

    if (frame_every(fields, plan) == 0)
        return true;
    if (animates && fields->interpolates) {
        problem_fault(problem, "/trajectory",
                      "excludes interpolate in format apng, which shows its frames");
        return false;
    }
    if (plan->is_adaptive && animates && !fields->has_format) {
        body_refuse_accept(&body_sample, fields, FORMAT_APNG, problem);
        return false;
    }
    if (plan->is_adaptive) {
        problem_fault(problem, animates ? "/format" : "/trajectory",
                      "sampler %s takes a number of steps of its own for each sample",
                      plan->sampler->name);
        return false;
    }
    if (!check_dots(fields, plan, problem))
        return false;
    sheet = sheet_for(fields->model, fields->n, frame_count(fields, plan));
    if (animates ? sheet_animates(&sheet) : fields->format != FORMAT_PNG || sheet_fits(&sheet))
        return true;
    problem_fault(problem, animates ? "/n" : "/trajectory",
                  "%zux%zu cells of %zux%zu pixels are above %d pixels a side",
                  animates ? 2 : sheet.columns, animates ? 1 : sheet.rows, sheet.cell_width,
                  sheet.cell_height, GRID_SIDE_MAX);
    return false;
}

static uint64_t predicted_bytes(const struct body_values *fields, const struct plan *plan)
{
    const uint64_t frames = frame_count(fields, plan);
    const uint64_t numbers = bytes_times(bytes_times(fields->n, fields->model->shape.dim),
                                         bytes_plus(1, bytes_times(2, frames)));
    const uint64_t starts =
        fields->interpolates
            ? bytes_times(bytes_times(fields->n, fields->model->shape.dim), sizeof(float))
            : 0;
    const bool drawn = fields->format == FORMAT_PNG || fields->format == FORMAT_APNG;
    const uint64_t cells =
        2 * frames + (fields->interpolates && fields->format == FORMAT_APNG ? fields->n : 0);
    const uint64_t plots =
        fields->model->shape.is_points && drawn ? bytes_times(cells, PLOT_BYTES) : 0;
    /* Seed, class, digest and names around the numbers; of a point, seed and class alone. */
    const uint64_t row = fields->model->shape.is_points && fields->classes == NULL ? 32 : 256;

    return bytes_plus(bytes_plus(bytes_of_numbers(numbers, fields->encoding), plots),
                      bytes_plus(starts, bytes_times(fields->n, row)));
}

bool sample_check_grid(const struct body_values *fields, const char *pointer,
                       struct problem *problem)
{
    const struct model_shape *shape = &fields->model->shape;

    if ((fields->format != FORMAT_PNG && fields->format != FORMAT_APNG) || shape->is_points ||
        (fields->interpolates && fields->format == FORMAT_APNG))
        return true;
    if (bytes_times(grid_columns(fields->n), shape->width) <= GRID_SIDE_MAX &&
        bytes_times(grid_rows(fields->n), shape->height) <= GRID_SIDE_MAX)
        return true;
    problem_fault(problem, pointer, "a grid of %zu pictures is above %d pixels a side", fields->n,
                  GRID_SIDE_MAX);
    return false;
}

static void params(const struct work *work, struct buffer *out)
{
    work_rows_json(work, out);
    work_sampler_json(work, out);
    work_guidance_json(work, out);
    work_classes_json(work, out);
}

static const struct work_kind KIND = {.encode = {[FORMAT_PNG] = sample_png,
                                                 [FORMAT_JSON] = sample_json,
                                                 [FORMAT_NPY] = sample_npy,
                                                 [FORMAT_APNG] = sample_trajectory_apng},
                                      .params = params};

static struct work *resolve(const struct body_values *fields, const char *id,
                            const struct work_context *context, struct problem *problem)
{
    struct work_parts parts = {.kind = fields->interpolates ? &sample_interpolation : &KIND,
                               .is_given = fields->interpolates};
    struct plan *plan;

    if (!sample_check_grid(fields, "/n", problem))
        return NULL;
    plan = make_plan(fields, problem);
    if (plan == NULL)
        return NULL;
    if (!check_seeds(fields, plan, problem) || !check_interpolation(fields, plan, problem) ||
        !check_trajectory(fields, plan, problem)) {
        plan_destroy(plan);
        return NULL;
    }
    parts.plan = plan;
    parts.draws = !fields->interpolates && !needs_no_seed(fields, plan);
    parts.every = frame_every(fields, plan);
    parts.bytes = predicted_bytes(fields, plan);
    return work_make(fields, id, context, &parts, problem);
}

static const struct body_field *const FIELDS[] = {&FIELD_MODEL,
                                                  &FIELD_N,
                                                  &FIELD_SEED,
                                                  &FIELD_SEEDS,
                                                  &FIELD_INTERPOLATE,
                                                  &FIELD_CLASS,
                                                  &FIELD_GUIDANCE,
                                                  &FIELD_SAMPLER,
                                                  &FIELD_STEPS,
                                                  &FIELD_INIT_IMAGE,
                                                  &FIELD_MASK,
                                                  &FIELD_STRENGTH,
                                                  &FIELD_START,
                                                  &FIELD_START_F32,
                                                  &FIELD_TRAJECTORY,
                                                  &FIELD_FORMAT,
                                                  &FIELD_ENCODING,
                                                  &FIELD_TAG,
                                                  NULL};

static bool makes(const struct model *model, enum body_format format)
{
    return (format != FORMAT_PNG && format != FORMAT_APNG) || model == NULL ||
           body_has_picture(model);
}

static enum body_format usual(const struct model *model)
{
    return model->shape.is_points || !body_has_picture(model) ? FORMAT_JSON : FORMAT_PNG;
}

const struct body body_sample = {
    .name = "Sample",
    .answer_schema =
        "{\"type\":\"object\",\"required\":[\"id\",\"model\",\"params\",\"timing\",\"numerics\"],"
        "\"properties\":{\"id\":{\"type\":\"string\"},\"model\":{\"type\":\"object\"},\"params\":{"
        "\"type\":\"object\"},\"samples\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
        "\"properties\":{\"index\":{\"type\":\"integer\"},\"seed\":{\"type\":[\"integer\",\"null\"]"
        "},"
        "\"class\":{},\"width\":{\"type\":\"integer\"},\"height\":{\"type\":\"integer\"},"
        "\"channels\":{\"type\":\"integer\"},\"png\":{\"type\":\"string\"},\"f32\":{\"type\":"
        "\"string\"},\"array\":{\"type\":\"array\"},\"sha256\":{\"type\":\"string\"}}}},\"points\":"
        "{\"type\":\"array\"},\"points_f32\":{\"type\":\"string\"},\"sha256\":{\"type\":\"string\"}"
        ",\"timing\":{\"type\":\"object\"},\"numerics\":{\"type\":\"object\"}}}",
    .fields = FIELDS,
    .has_option = option_is_used,
    .makes = makes,
    .usual = usual,
    .makes_pixels = true,
    .resolve = resolve};
