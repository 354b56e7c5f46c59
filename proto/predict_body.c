/* The body of POST /predict: what a model says about x_t at a time. */
#include "proto/predict_inside.h"

#include "proto/json_write.h"

/* --- fields */

static void read_as(struct body_reading *reading, const struct body_field *field,
                    const struct cJSON *value)
{
    size_t index = PREDICTED_EPS;

    if (value != NULL)
        (void)body_choice(reading->problem, "/as", value, field->choices, &index);
    reading->fields.question.as = (enum predicted)index;
}

static const char *const CHOICES[] = {
#define CHOICE(code, name) name,
    PREDICTIONS(CHOICE)
#undef CHOICE
        NULL};

static const struct body_field FIELD_AS = {
    .name = "as",
    .help = "eps: the noise in x_t; x0: the mean of the data that x_t can come from (Tweedie); "
            "score: grad ln p_t(x_t); v; velocity: dx/dt along the probability flow; raw: the "
            "network's own output",
    .schema =
        "{\"enum\":[\"eps\",\"x0\",\"score\",\"v\",\"velocity\",\"raw\"],\"default\":\"eps\"}",
    .choices = CHOICES,
    .read = read_as};

static const struct body_field *const FIELDS[] = {
    &FIELD_MODEL, &FIELD_X_T,      &FIELD_POINTS_F32, &FIELD_GRID,   &FIELD_ROWS,     &FIELD_T,
    &FIELD_CLASS, &FIELD_GUIDANCE, &FIELD_AS,         &FIELD_FORMAT, &FIELD_ENCODING, &FIELD_TAG,
    NULL};

/* --- the work */

static void pair_json(const char *key, const double pair[2], struct buffer *out)
{
    json_key(out, key);
    json_open(out, '[');
    json_number(out, pair[0]);
    json_number(out, pair[1]);
    json_close(out, ']');
}

static void grid_json(const struct quiver_grid *grid, struct buffer *out)
{
    const double size[2] = {(double)grid->size[0], (double)grid->size[1]};

    json_key(out, "grid");
    json_open(out, '{');
    pair_json("from", grid->from, out);
    pair_json("to", grid->to, out);
    pair_json("size", size, out);
    json_close(out, '}');
}

static void params(const struct work *work, struct buffer *out)
{
    work_rows_json(work, out);
    work_time_json("t", work->question.t, out);
    json_key(out, "as");
    json_string(out, predicted_name(work->question.as));
    if (has_grid(&work->question))
        grid_json(&work->question.grid, out);
    work_guidance_json(work, out);
    work_classes_json(work, out);
}

static void prepare(struct work *work)
{
    for (size_t i = 0; has_grid(&work->question) && i < work->request.n; i++)
        quiver_point(&work->question.grid, i, work->given->start + 2 * i);
}

static const struct work_kind KIND = {
    .encode =
        {[FORMAT_PNG] = predict_png, [FORMAT_JSON] = predict_json, [FORMAT_NPY] = predict_npy},
    .params = params,
    .prepare = prepare};

static bool makes(const struct model *model, enum body_format format)
{
    return body_makes_numbers(model, format) ||
           (format == FORMAT_PNG &&
            (model == NULL || (model->shape.is_points && model->shape.dim == 2)));
}

/* --- from fields to a work */

static struct plan *make_plan(const struct body_values *fields, struct problem *problem)
{
    const struct model *model = fields->model;
    const struct predict_question question = {.process = &model->process,
                                              .dim = model->shape.dim,
                                              .output_dim = model->shape.output_dim,
                                              .t = fields->question.t,
                                              .as = fields->question.as};
    struct error error = {0};
    struct plan *plan = predict_plan(&question, &error);

    if (plan == NULL)
        body_fault(&body_predict, &error, problem);
    return plan;
}

/* Only as many arrows as can be seen, and drawn while nobody waits long for the worker. */
static bool can_be_drawn(const struct quiver_grid *grid)
{
    return grid->size[0] <= QUIVER_SIDE_MAX && grid->size[1] <= QUIVER_SIDE_MAX;
}

static bool fits(const struct body_values *fields, enum body_format format)
{
    return format != FORMAT_PNG ||
           (has_grid(&fields->question) && can_be_drawn(&fields->question.grid));
}

static bool check_picture(const struct body_question *question, struct problem *problem)
{
    if (!has_grid(question)) {
        problem_fault(problem, "/format", "png is of a grid: give one in place of x_t");
        return false;
    }
    if (can_be_drawn(&question->grid))
        return true;
    problem_fault(problem, "/grid/size",
                  "must be at most %d by %d for a png, got %zu by %zu; json and npy take more",
                  QUIVER_SIDE_MAX, QUIVER_SIDE_MAX, question->grid.size[0], question->grid.size[1]);
    return false;
}

static struct work *resolve(const struct body_values *fields, const char *id,
                            const struct work_context *context, struct problem *problem)
{
    const bool is_drawn = fields->format == FORMAT_PNG;
    struct work_parts parts = {.kind = &KIND, .is_given = has_grid(&fields->question)};
    uint64_t numbers;

    if (is_drawn && !check_picture(&fields->question, problem))
        return NULL;
    parts.plan = make_plan(fields, problem);
    if (parts.plan == NULL)
        return NULL;
    numbers = bytes_times(fields->n, parts.plan->figure_count);
    parts.bytes = bytes_plus(bytes_of_numbers(numbers, fields->encoding),
                             is_drawn ? QUIVER_BYTES : bytes_times(fields->n, 32));
    return work_make(fields, id, context, &parts, problem);
}

const struct body body_predict = {
    .name = "Predict",
    .answer_schema =
        "{\"type\":\"object\",\"required\":[\"id\",\"model\",\"params\",\"alpha\",\"sigma\","
        "\"timing\",\"numerics\"],\"properties\":{\"id\":{\"type\":\"string\"},\"model\":{"
        "\"type\":\"object\"},\"params\":{\"type\":\"object\"},\"alpha\":{\"type\":\"number\"},"
        "\"sigma\":{\"type\":\"number\"},\"values\":{\"type\":\"array\"},\"values_f32\":{\"type\":"
        "\"string\"},\"timing\":{\"type\":\"object\"},\"numerics\":{\"type\":\"object\"}}}",
    .fields = FIELDS,
    .makes = makes,
    .fits = fits,
    .usual = body_usual_json,
    .resolve = resolve};
