/* The body of POST /encode: data to the noise that makes it, and, for a round trip, back. */
#include "proto/work_inside.h"

#include "core/diffusion/probe_roundtrip.h"
#include "proto/json_write.h"

#include <string.h>

/* Encoders by the names that they have here: pf_ode runs either way. */
static const struct {
    const char *name;
    const struct sampler *encoder;
} ENCODER_NAMES[] = {{"ddim_inverse", &sampler_ddim_inverse}, {"pf_ode", &sampler_pf_ode_inverse}};
#define ENCODER_COUNT (sizeof ENCODER_NAMES / sizeof ENCODER_NAMES[0])

static size_t number_of(const struct sampler *encoder)
{
    size_t i = 0;

    while (ENCODER_NAMES[i].encoder != encoder)
        i++;
    return i;
}

/* Refusals begin with the encoder's own name. */
static void fault_encoder(struct problem *problem, const char *pointer,
                          const struct sampler *encoder, const struct error *error)
{
    const size_t length = strlen(encoder->name);

    if (strncmp(error->text, encoder->name, length) == 0)
        problem_fault(problem, pointer, "%s%s", ENCODER_NAMES[number_of(encoder)].name,
                      error->text + length);
    else
        problem_fault(problem, pointer, "%s", error->text);
}

/* --- fields */

/* The first that runs on the model's process is the usual one. */
static void read_sampler(struct body_reading *reading, const struct body_field *field,
                         const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    const char *names[ENCODER_COUNT + 1] = {NULL};
    const struct sampler *encoder;
    struct error error = {0};
    size_t index = 0;

    (void)field;
    for (size_t i = 0; i < ENCODER_COUNT; i++)
        names[i] = ENCODER_NAMES[i].name;
    if (value != NULL && !body_choice(reading->problem, "/sampler", value, names, &index))
        return;
    encoder = ENCODER_NAMES[index].encoder;
    if (value == NULL && model != NULL && !sampler_runs_on(encoder, &model->process, &error))
        encoder = ENCODER_NAMES[1].encoder;
    if (model == NULL || sampler_runs_on(encoder, &model->process, &error))
        reading->fields.sampler = encoder;
    else
        fault_encoder(reading->problem, "/sampler", encoder, &error);
}

static void read_roundtrip(struct body_reading *reading, const struct body_field *field,
                           const struct cJSON *value)
{
    (void)field;
    if (value != NULL)
        (void)body_flag(reading->problem, "/roundtrip", value, &reading->fields.roundtrip);
}

static const struct body_field FIELD_ENCODER = {
    .name = "sampler",
    .help = "ddim_inverse on a beta table, else pf_ode, the probability flow; x_T is in its "
            "coordinates: ddim and pf_ode of /sample decode it",
    .schema = "{\"enum\":[\"ddim_inverse\",\"pf_ode\"]}",
    .read = read_sampler};

static const struct body_field FIELD_ROUNDTRIP = {
    .name = "roundtrip",
    .help = "also decode on the same grid, and tell the mean square error of each row; nfe counts "
            "the way to x_T alone, as without it",
    .schema = "{\"type\":\"boolean\",\"default\":false}",
    .read = read_roundtrip};

static const struct body_field *const FIELDS[] = {
    &FIELD_MODEL,    &FIELD_X0_IMAGE, &FIELD_X0,    &FIELD_X0_F32,    &FIELD_ROWS,
    &FIELD_CLASS,    &FIELD_ENCODER,  &FIELD_STEPS, &FIELD_ROUNDTRIP, &FIELD_FORMAT,
    &FIELD_ENCODING, &FIELD_TAG,      NULL};

static bool has_option(enum sampler_option option)
{
    for (size_t i = 0; i < ENCODER_COUNT; i++)
        if (sampler_has_option(ENCODER_NAMES[i].encoder, option))
            return true;
    return false;
}

/* --- answers */

static void errors_json(const struct request *request, struct buffer *out)
{
    json_key(out, "error");
    json_open(out, '[');
    for (size_t i = 0; i < request->n; i++)
        json_number(out, request->figures[i * ROUNDTRIP_FIGURES + ROUNDTRIP_ERROR]);
    json_close(out, ']');
}

static bool encode_json(struct work *work, struct error *error)
{
    work_json_begin(work);
    if (!work_values_json(work, "x_T", work->request.x, error))
        return false;
    if (work->plan->sampler == &probe_roundtrip)
        errors_json(&work->request, &work->answer.body);
    return true;
}

static void params(const struct work *work, struct buffer *out)
{
    const bool is_round = work->plan->sampler == &probe_roundtrip;
    const struct plan *plan = is_round ? work->plan->leg[0] : work->plan;

    work_rows_json(work, out);
    work_plan_json(plan, ENCODER_NAMES[number_of(plan->sampler)].name, out);
    json_key(out, "roundtrip");
    json_bool(out, is_round);
    work_classes_json(work, out);
}

static const struct work_kind KIND = {
    .encode = {[FORMAT_JSON] = encode_json, [FORMAT_NPY] = work_x_npy},
    .params = params,
    .starts_from_picture = true,
    .tells_nfe = true};

/* --- from fields to a work */

/* The way there is asked for alone first: what it refuses is no fault of the round trip. */
static struct plan *make_plan(const struct body_values *fields, struct problem *problem)
{
    const struct model *model = fields->model;
    const struct plan_request asked = {.process = &model->process,
                                       .sampler = fields->sampler->name,
                                       .steps = fields->steps,
                                       .steps_asked = fields->has_steps,
                                       .options = &fields->options,
                                       .strength = 1.0,
                                       .dim = model->shape.dim,
                                       .output_dim = model->shape.output_dim};
    const struct sampler *other = ENCODER_NAMES[1 - number_of(fields->sampler)].encoder;
    const char *culprit = "/roundtrip";
    struct error error = {0};
    struct plan *plan = plan_create(&asked, &error);
    char pointer[64];

    if (plan == NULL)
        culprit = work_plan_culprit(&asked, other->name, model_default_steps(model), pointer);
    if (culprit[0] == '\0')
        culprit = "/sampler";
    if (plan != NULL && fields->roundtrip) {
        plan_destroy(plan);
        plan = roundtrip_plan(&asked, &error);
    }
    if (plan == NULL && error.code == ERROR_INVALID)
        fault_encoder(problem, culprit, fields->sampler, &error);
    else if (plan == NULL)
        problem_of_error(problem, &error);
    return plan;
}

/* A row is encoded by its class's own network, whatever guidance samples of it usually have. */
static struct work *resolve(const struct body_values *fields, const char *id,
                            const struct work_context *context, struct problem *problem)
{
    const size_t dim = fields->model->shape.dim;
    struct body_values values = *fields;
    struct work_parts parts = {.kind = &KIND};

    values.has_guidance = true;
    values.guidance = 1.0;
    parts.plan = make_plan(fields, problem);
    if (parts.plan == NULL)
        return NULL;
    /* Class, evaluations and error around the numbers. */
    parts.bytes = bytes_plus(bytes_of_numbers(bytes_times(fields->n, dim), fields->encoding),
                             bytes_times(fields->n, 128));
    return work_make(&values, id, context, &parts, problem);
}

const struct body body_encode = {
    .name = "Encode",
    .answer_schema =
        "{\"type\":\"object\",\"required\":[\"id\",\"model\",\"params\",\"nfe\",\"timing\","
        "\"numerics\"],\"properties\":{\"id\":{\"type\":\"string\"},\"model\":{\"type\":\"object\"}"
        ",\"params\":{\"type\":\"object\"},\"x_T\":{\"type\":\"array\"},\"x_T_f32\":{\"type\":"
        "\"string\"},\"error\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}},\"nfe\":{"
        "\"type\":\"array\",\"items\":{\"type\":\"integer\"}},\"timing\":{\"type\":\"object\"},"
        "\"numerics\":{\"type\":\"object\"}}}",
    .fields = FIELDS,
    .has_option = has_option,
    .makes = body_makes_numbers,
    .usual = body_usual_json,
    .resolve = resolve};
