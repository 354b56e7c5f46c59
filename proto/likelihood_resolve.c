/* POST /likelihood: from good fields to a plan of either method. */
#include "proto/likelihood_inside.h"

static struct plan *plan_elbo(const struct body_values *values, struct error *error)
{
    const struct model *model = values->model;
    const struct likelihood_values *asked = &values->likelihood;

    return elbo_plan(&(struct elbo_question){.process = &model->process,
                                             .dim = model->shape.dim,
                                             .output_dim = model->shape.output_dim,
                                             .is_eight_bit = !model->shape.is_points,
                                             .has_variance = asked->has_variance,
                                             .variance = asked->variance,
                                             .has_first = asked->has_first,
                                             .first = asked->first,
                                             .keeps_terms = asked->keeps_terms},
                     error);
}

static struct plan *plan_flow(const struct body_values *values, struct error *error)
{
    const struct model *model = values->model;
    const struct likelihood_values *asked = &values->likelihood;

    return likelihood_plan(
        &(struct likelihood_question){.process = &model->process,
                                      .dim = model->shape.dim,
                                      .output_dim = model->shape.output_dim,
                                      .solver = asked->solver,
                                      .steps = asked->steps,
                                      .trace = asked->trace,
                                      .probes = asked->probes,
                                      .knows_divergence = model->family->knows_divergence},
        error);
}

static struct plan *plan_of(const struct body_values *values, struct error *error)
{
    return values->likelihood.method == LIKELIHOOD_ELBO ? plan_elbo(values, error)
                                                        : plan_flow(values, error);
}

static bool would_do(const struct body_values *values)
{
    struct error error;
    struct plan *plan = plan_of(values, &error);

    plan_destroy(plan);
    return plan != NULL;
}

/* The field without which it would be accepted. */
static const char *culprit(const struct body_values *values)
{
    struct body_values tried = *values;

    tried.likelihood.has_first = false;
    if (values->likelihood.has_first && would_do(&tried))
        return "/decoder_variance";
    tried = *values;
    tried.likelihood.has_variance = false;
    if (values->likelihood.has_variance && would_do(&tried))
        return "/variance_type";
    return "/method";
}

static struct plan *make_plan(const struct body_values *values, struct problem *problem)
{
    struct error error = {0};
    struct plan *plan = plan_of(values, &error);

    if (plan == NULL && error.code == ERROR_INVALID)
        problem_fault(problem, culprit(values), "%s", error.text);
    else if (plan == NULL)
        problem_of_error(problem, &error);
    return plan;
}

/* Numbers of an answer, which are written at one go: this many are about a second. */
#define TERMS_MAX 1048576u

static bool check_terms(const struct body_values *values, const struct plan *plan,
                        struct problem *problem)
{
    const size_t numbers = 2 * plan->step_count;

    if (values->likelihood.method != LIKELIHOOD_ELBO || !values->likelihood.keeps_terms ||
        bytes_times(values->n, numbers) <= TERMS_MAX)
        return true;
    problem_fault(problem, "/terms",
                  "would be %zu numbers for each of %zu rows, above %u: ask for at most %zu rows, "
                  "or without terms",
                  numbers, values->n, TERMS_MAX, TERMS_MAX / numbers);
    return false;
}

static bool draws(const struct body_values *values)
{
    return values->likelihood.method == LIKELIHOOD_ELBO ||
           values->likelihood.trace == TRACE_HUTCHINSON;
}

static bool check_seed(const struct body_values *values, struct problem *problem)
{
    const char *pointer = body_seed_pointer(values);

    if (pointer == NULL || draws(values))
        return true;
    problem_fault(problem, pointer, "an exact trace draws nothing: there is no use for a seed");
    return false;
}

static struct work *resolve(const struct body_values *given, const char *id,
                            const struct work_context *context, struct problem *problem)
{
    struct body_values values = *given;
    struct work_parts parts = {.kind = values.likelihood.method == LIKELIHOOD_ELBO
                                           ? &likelihood_by_elbo
                                           : &likelihood_by_flow};
    struct work *work;

    /* A guided output is no model's: nothing is likely by it. */
    values.has_guidance = true;
    values.guidance = 1.0;
    values.encoding = ENCODING_ARRAY;
    if (!check_seed(&values, problem))
        return NULL;
    parts.plan = make_plan(&values, problem);
    if (parts.plan == NULL)
        return NULL;
    if (!check_terms(&values, parts.plan, problem)) {
        plan_destroy(parts.plan);
        return NULL;
    }
    parts.draws = draws(&values);
    parts.bytes = likelihood_bytes(&values, parts.plan);
    work = work_make(&values, id, context, &parts, problem);
    if (work != NULL)
        work->likelihood = values.likelihood;
    return work;
}

static const struct body_field *const FIELDS[] = {
    &FIELD_MODEL,  &FIELD_X0_IMAGE,      &FIELD_X0,
    &FIELD_X0_F32, &FIELD_ROWS,          &FIELD_SEED,
    &FIELD_SEEDS,  &FIELD_CLASS,         &FIELD_LIKELIHOOD_METHOD,
    &FIELD_SOLVER, &FIELD_FLOW_STEPS,    &FIELD_TRACE,
    &FIELD_PROBES, &FIELD_VARIANCE_TYPE, &FIELD_DECODER_VARIANCE,
    &FIELD_TERMS,  &FIELD_FORMAT,        &FIELD_TAG,
    NULL};

static bool makes(const struct model *model, enum body_format format)
{
    (void)model;
    return format == FORMAT_JSON;
}

const struct body body_likelihood = {
    .name = "Likelihood",
    .answer_schema =
        "{\"type\":\"object\",\"required\":[\"id\",\"model\",\"params\",\"nats\",\"bits_per_dim\","
        "\"standard_error\",\"terms\",\"nfe\",\"timing\",\"numerics\"],\"properties\":{\"id\":{"
        "\"type\":\"string\"},\"model\":{\"type\":\"object\"},\"params\":{\"type\":\"object\"},"
        "\"trace\":{\"enum\":[\"exact\",\"hutchinson\"]},\"nats\":{\"type\":\"array\",\"items\":{"
        "\"type\":[\"number\",\"null\"]}},\"bits_per_dim\":{\"type\":\"array\",\"items\":{\"type\":"
        "[\"number\",\"null\"]}},\"standard_error\":{\"type\":\"array\",\"items\":{\"type\":["
        "\"number\",\"null\"]}},\"terms\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
        "\"properties\":{\"L_T\":{\"type\":\"number\"},\"rate\":{\"type\":\"number\"},"
        "\"distortion\":{\"type\":\"number\"},\"L\":{\"type\":\"array\",\"items\":{\"type\":"
        "\"number\"}},\"rmse\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}},\"log_prior\":{"
        "\"type\":[\"number\",\"null\"]},\"delta\":{\"type\":\"number\"}}}},\"nfe\":{\"type\":"
        "\"array\",\"items\":{\"type\":\"integer\"}},\"x_T\":{\"type\":\"array\"},\"timing\":{"
        "\"type\":\"object\"},\"numerics\":{\"type\":\"object\"}}}",
    .fields = FIELDS,
    .makes = makes,
    .usual = body_usual_json,
    .resolve = resolve};
