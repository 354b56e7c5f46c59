/* The body of POST /step: one reverse step of a sampler, from x_t to x_next. */
#include "proto/work_inside.h"

#include "core/diffusion/probe_one_step.h"
#include "proto/json_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLERS_MAX 64

/* --- fields */

/* Of those that have a single step. */
static void read_sampler(struct body_reading *reading, const struct body_field *field,
                         const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    const char *names[SAMPLERS_MAX + 1];
    struct error refusal;
    size_t count = 0, index;

    if (value == NULL || model == NULL) {
        FIELD_SAMPLER.read(reading, field, value);
        return;
    }
    for (size_t i = 0; sampler_at(i) != NULL && count < SAMPLERS_MAX; i++)
        if (one_step_has(sampler_at(i)) &&
            sampler_runs_on(sampler_at(i), &model->process, &refusal))
            names[count++] = sampler_at(i)->name;
    names[count] = NULL;
    if (body_choice(reading->problem, "/sampler", value, names, &index))
        reading->fields.sampler = sampler_find(names[index]);
}

static const struct body_field FIELD_STEPPED = {
    .name = "sampler",
    .help =
        "one that /models lists for the model and that has a single step; x_t and x_next are in "
        "its own coordinates",
    .schema = "{\"type\":\"string\"}",
    .read = read_sampler};

static const struct body_field *const FIELDS[] = {
    &FIELD_MODEL,     &FIELD_X_T,      &FIELD_X_T_F32,  &FIELD_ROWS, &FIELD_T,     &FIELD_T_NEXT,
    &FIELD_CLASS,     &FIELD_GUIDANCE, &FIELD_STEPPED,  &FIELD_SEED, &FIELD_SEEDS, &FIELD_NOISE,
    &FIELD_NOISE_F32, &FIELD_FORMAT,   &FIELD_ENCODING, &FIELD_TAG,  NULL};

static bool has_option(enum sampler_option option)
{
    for (size_t i = 0; sampler_at(i) != NULL; i++)
        if (one_step_has(sampler_at(i)) && one_step_reads(sampler_at(i), option))
            return true;
    return false;
}

/* --- answers */

/* Where the coordinates are the sampler's own, so are the levels. */
static void ends_json(const struct plan *plan, struct buffer *out)
{
    const struct level from = one_step_from(plan), to = one_step_to(plan);

    json_key(out, "from");
    json_open(out, '{');
    work_level_json(&from, out);
    json_close(out, '}');
    json_key(out, "to");
    json_open(out, '{');
    work_level_json(&to, out);
    json_close(out, '}');
}

/* A number a row, or values where the model learned it. */
static bool variance_json(struct work *work, struct error *error)
{
    const struct plan *plan = work->plan;
    struct buffer *out = &work->answer.body;
    const size_t count = one_step_variances(plan);
    float *values = work_figures(work, plan->dim, count, error);
    bool good = values != NULL;

    if (good && count > 1) {
        good = work_values_json(work, "variance", values, error);
    } else if (good) {
        json_key(out, "variance");
        json_open(out, '[');
        for (size_t i = 0; i < work->request.n; i++)
            json_number(out, work->request.figures[i * plan->figure_count + plan->dim]);
        json_close(out, ']');
    }
    free(values);
    return good;
}

static bool step_json(struct work *work, struct error *error)
{
    float *mean = work_figures(work, 0, work->plan->dim, error);
    bool good = mean != NULL;

    work_json_begin(work);
    ends_json(work->plan, &work->answer.body);
    good = good && work_values_json(work, "mean", mean, error) && variance_json(work, error) &&
           work_values_json(work, "x_next", work->request.x, error);
    free(mean);
    return good;
}

static void params(const struct work *work, struct buffer *out)
{
    work_rows_json(work, out);
    work_time_json("t", work->question.t, out);
    if (!isnan(work->question.t_next))
        work_time_json("t_next", work->question.t_next, out);
    json_key(out, "sampler");
    json_string(out, work->plan->stepped->name);
    work_options_json(work->plan, work->plan->stepped, out);
    work_guidance_json(work, out);
    work_classes_json(work, out);
}

static const struct work_kind KIND = {
    .encode = {[FORMAT_JSON] = step_json, [FORMAT_NPY] = work_x_npy}, .params = params};

/* --- from fields to a work */

/* What begins with the sampler's name is a fault of that. */
static void refuse(const struct body_values *fields, const struct error *error,
                   struct problem *problem)
{
    const char *name = fields->sampler->name;

    if (error->code == ERROR_INVALID && strncmp(error->text, name, strlen(name)) == 0)
        problem_fault(problem, "/sampler", "%s", error->text);
    else
        body_fault(&body_step, error, problem);
}

static struct plan *make_plan(const struct body_values *fields, struct problem *problem)
{
    const struct model *model = fields->model;
    const struct one_step_question question = {.process = &model->process,
                                               .dim = model->shape.dim,
                                               .output_dim = model->shape.output_dim,
                                               .sampler = fields->sampler->name,
                                               .options = &fields->options,
                                               .t = fields->question.t,
                                               .t_next = fields->question.t_next};
    struct error error = {0};
    struct plan *plan = one_step_plan(&question, &error);

    if (plan == NULL)
        refuse(fields, &error, problem);
    return plan;
}

/* What is not felt is not taken. */
static bool check_draws(const struct body_values *fields, const struct plan *plan,
                        struct problem *problem)
{
    const char *seed = body_seed_pointer(fields);

    if (seed != NULL && fields->noise.value != NULL) {
        problem_fault(problem, seed, "excludes noise: with it nothing is drawn");
        return false;
    }
    if ((seed == NULL && fields->noise.value == NULL) || one_step_draws(plan))
        return true;
    problem_fault(problem, seed != NULL ? seed : "/noise",
                  "has no use here: this step of sampler %s draws nothing", fields->sampler->name);
    return false;
}

static struct work *resolve(const struct body_values *fields, const char *id,
                            const struct work_context *context, struct problem *problem)
{
    const uint64_t numbers = bytes_times(fields->n, fields->model->shape.dim);
    struct work_parts parts = {.kind = &KIND, .plan = make_plan(fields, problem)};

    if (parts.plan == NULL)
        return NULL;
    if (!check_draws(fields, parts.plan, problem)) {
        plan_destroy(parts.plan);
        return NULL;
    }
    parts.draws = one_step_draws(parts.plan) && fields->noise.value == NULL;
    parts.bytes = bytes_plus(bytes_of_numbers(bytes_times(numbers, 3), fields->encoding),
                             bytes_times(fields->n, 64));
    return work_make(fields, id, context, &parts, problem);
}

const struct body body_step = {
    .name = "Step",
    .answer_schema =
        "{\"type\":\"object\",\"required\":[\"id\",\"model\",\"params\",\"from\",\"to\","
        "\"variance\",\"timing\",\"numerics\"],\"properties\":{\"id\":{\"type\":\"string\"},"
        "\"model\":{\"type\":\"object\"},\"params\":{\"type\":\"object\"},\"from\":{\"type\":"
        "\"object\",\"properties\":{\"alpha\":{\"type\":\"number\"},\"sigma\":{\"type\":"
        "\"number\"}}},\"to\":{\"type\":\"object\",\"properties\":{\"alpha\":{\"type\":\"number\"},"
        "\"sigma\":{\"type\":\"number\"}}},\"mean\":{\"type\":\"array\"},\"mean_f32\":{\"type\":"
        "\"string\"},\"variance\":{\"type\":\"array\"},\"variance_f32\":{\"type\":\"string\"},"
        "\"x_next\":{\"type\":\"array\"},\"x_next_f32\":{\"type\":\"string\"},\"timing\":{\"type\":"
        "\"object\"},\"numerics\":{\"type\":\"object\"}}}",
    .fields = FIELDS,
    .has_option = has_option,
    .makes = body_makes_numbers,
    .usual = body_usual_json,
    .resolve = resolve};
