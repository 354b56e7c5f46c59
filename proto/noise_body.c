/* The body of POST /noise: data to the noisy data of a time, by the forward process. */
#include "proto/sample_inside.h"

#include "core/diffusion/probe_noise.h"
#include "proto/json_write.h"

#include <math.h>
#include <stdlib.h>

/* A chain is walked at one go, which nobody can interrupt: this many draws are a second or two. */
#define CHAIN_DRAWS_MAX 0x1p28
#define DRAWS_AT_ONCE   16.0 /* fewer take as long as that many */

/* --- fields */

static void read_chain(struct body_reading *reading, const struct body_field *field,
                       const struct cJSON *value)
{
    (void)field;
    if (value != NULL)
        (void)body_flag(reading->problem, "/chain", value, &reading->fields.question.is_chain);
}

static const struct body_field FIELD_CHAIN = {
    .name = "chain",
    .help =
        "walk there step by step, with a draw for each: by every timestep of a table, elsewhere "
        "by 1000 even steps; x_t is the last one, eps the noise that is in it then",
    .schema = "{\"type\":\"boolean\",\"default\":false}",
    .read = read_chain};

static const struct body_field *const FIELDS[] = {
    &FIELD_MODEL, &FIELD_X0_IMAGE, &FIELD_X0,       &FIELD_X0_F32, &FIELD_ROWS,
    &FIELD_T,     &FIELD_SEED,     &FIELD_SEEDS,    &FIELD_EPS,    &FIELD_EPS_F32,
    &FIELD_CHAIN, &FIELD_FORMAT,   &FIELD_ENCODING, &FIELD_TAG,    NULL};

/* --- answers */

static bool noise_json(struct work *work, struct error *error)
{
    const struct level level = noise_level(work->plan);
    float *eps = work_figures(work, 0, work->plan->dim, error);
    bool good = eps != NULL;

    work_json_begin(work);
    work_level_json(&level, &work->answer.body);
    good = good && work_values_json(work, "x_t", work->request.x, error) &&
           work_values_json(work, "eps", eps, error);
    free(eps);
    return good;
}

static void params(const struct work *work, struct buffer *out)
{
    work_rows_json(work, out);
    work_time_json("t", work->question.t, out);
    json_key(out, "chain");
    json_bool(out, work->question.is_chain);
}

static const struct work_kind KIND = {
    .encode = {[FORMAT_PNG] = sample_png, [FORMAT_JSON] = noise_json, [FORMAT_NPY] = work_x_npy},
    .params = params,
    .starts_from_picture = true};

static bool makes(const struct model *model, enum body_format format)
{
    return body_makes_numbers(model, format) ||
           (format == FORMAT_PNG && (model == NULL || body_has_picture(model)));
}

/* --- from fields to a work */

static struct plan *make_plan(const struct body_values *fields, struct problem *problem)
{
    const struct model *model = fields->model;
    const struct noise_question question = {.process = &model->process,
                                            .dim = model->shape.dim,
                                            .output_dim = model->shape.output_dim,
                                            .t = fields->question.t,
                                            .is_chain = fields->question.is_chain,
                                            .has_noise = fields->noise.value != NULL};
    struct error error = {0};
    struct plan *plan = noise_plan(&question, &error);

    if (plan == NULL)
        body_fault(&body_noise, &error, problem);
    return plan;
}

static bool check_chain(const struct body_values *fields, const struct plan *plan,
                        struct problem *problem)
{
    const double draws = fmax((double)plan->dim, DRAWS_AT_ONCE);

    if (!fields->question.is_chain ||
        draws * (double)plan->steps * (double)fields->n <= CHAIN_DRAWS_MAX)
        return true;
    problem_fault(problem, "/chain",
                  "has %zu steps here, too many to walk for %zu rows in one request: %.0f at most",
                  plan->steps, fields->n, floor(CHAIN_DRAWS_MAX / draws / (double)plan->steps));
    return false;
}

static struct work *resolve(const struct body_values *fields, const char *id,
                            const struct work_context *context, struct problem *problem)
{
    const uint64_t numbers = bytes_times(fields->n, fields->model->shape.dim);
    struct work_parts parts = {.kind = &KIND, .draws = fields->noise.value == NULL};
    const char *seed = body_seed_pointer(fields);

    if (seed != NULL && fields->noise.value != NULL) {
        problem_fault(problem, seed, "excludes eps: with it nothing is drawn");
        return NULL;
    }
    if (!sample_check_grid(fields, "/x_0", problem))
        return NULL;
    parts.plan = make_plan(fields, problem);
    if (parts.plan == NULL)
        return NULL;
    if (!check_chain(fields, parts.plan, problem)) {
        plan_destroy(parts.plan);
        return NULL;
    }
    parts.bytes = bytes_plus(bytes_of_numbers(bytes_times(numbers, 2), fields->encoding),
                             bytes_times(fields->n, 32));
    return work_make(fields, id, context, &parts, problem);
}

const struct body body_noise = {
    .name = "Noise",
    .answer_schema =
        "{\"type\":\"object\",\"required\":[\"id\",\"model\",\"params\",\"alpha\",\"sigma\","
        "\"timing\",\"numerics\"],\"properties\":{\"id\":{\"type\":\"string\"},\"model\":{"
        "\"type\":\"object\"},\"params\":{\"type\":\"object\"},\"alpha\":{\"type\":\"number\"},"
        "\"sigma\":{\"type\":\"number\"},\"x_t\":{\"type\":\"array\"},\"x_t_f32\":{\"type\":"
        "\"string\"},\"eps\":{\"type\":\"array\"},\"eps_f32\":{\"type\":\"string\"},\"timing\":{"
        "\"type\":\"object\"},\"numerics\":{\"type\":\"object\"}}}",
    .fields = FIELDS,
    .makes = makes,
    .usual = body_usual_json,
    .resolve = resolve};
