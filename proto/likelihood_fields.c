/* The fields of /likelihood. One of the other method is a fault, never ignored. */
#include "proto/likelihood_inside.h"

#include <stdio.h>
#include <string.h>

static const char *const METHOD_NAMES[] = {"elbo", "pf_ode", NULL};

static const char *const TRACE_NAMES[] = {
#define NAME(code, name) (name),
    TRACES(NAME) NULL
#undef NAME
};

static const char *const FIRST_NAMES[] = {
#define NAME(code, name) (name),
    ELBO_FIRSTS(NAME) NULL
#undef NAME
};

const char *likelihood_method_name(enum likelihood_method method)
{
    return METHOD_NAMES[method - LIKELIHOOD_ELBO];
}

const char *likelihood_first_name(enum elbo_first first)
{
    return FIRST_NAMES[first];
}

static const struct sampler *probe_of(enum likelihood_method method)
{
    return method == LIKELIHOOD_ELBO ? &probe_elbo : &probe_likelihood;
}

/* The flow, where the process has one. */
static enum likelihood_method usual_method(const struct model *model)
{
    struct error error;

    if (model == NULL)
        return LIKELIHOOD_UNREAD;
    return sampler_runs_on(&probe_likelihood, &model->process, &error) ? LIKELIHOOD_PF_ODE
                                                                       : LIKELIHOOD_ELBO;
}

/* Refusals begin with the probe's own name. */
static void fault_method(struct problem *problem, enum likelihood_method method,
                         const struct error *error)
{
    const char *name = probe_of(method)->name;
    const size_t length = strlen(name);

    if (strncmp(error->text, name, length) == 0)
        problem_fault(problem, "/method", "%s%s", likelihood_method_name(method),
                      error->text + length);
    else
        problem_fault(problem, "/method", "%s", error->text);
}

static void read_method(struct body_reading *reading, const struct body_field *field,
                        const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    enum likelihood_method method = usual_method(model);
    struct error error;
    size_t index;

    if (value != NULL) {
        if (!body_choice(reading->problem, "/method", value, field->choices, &index))
            return;
        method = LIKELIHOOD_ELBO + (enum likelihood_method)index;
    }
    if (model != NULL && !sampler_runs_on(probe_of(method), &model->process, &error))
        fault_method(reading->problem, method, &error);
    else
        reading->fields.likelihood.method = method;
}

/* False: it is not given, or given to the other method, which is a fault. */
static bool goes_with(struct body_reading *reading, const struct body_field *field,
                      const struct cJSON *value, enum likelihood_method method)
{
    const enum likelihood_method asked = reading->fields.likelihood.method;
    char pointer[32];

    if (value == NULL)
        return false;
    if (asked == method || asked == LIKELIHOOD_UNREAD)
        return true;
    (void)snprintf(pointer, sizeof pointer, "/%s", field->name);
    problem_fault(reading->problem, pointer, "goes with method %s; this one is %s",
                  likelihood_method_name(method), likelihood_method_name(asked));
    return false;
}

static void read_solver(struct body_reading *reading, const struct body_field *field,
                        const struct cJSON *value)
{
    size_t index;

    reading->fields.likelihood.solver = METHOD_RK45;
    if (goes_with(reading, field, value, LIKELIHOOD_PF_ODE) &&
        body_choice(reading->problem, "/solver", value, option_describe(OPTION_METHOD)->choices,
                    &index))
        reading->fields.likelihood.solver = (enum method)index;
}

static void read_steps(struct body_reading *reading, const struct body_field *field,
                       const struct cJSON *value)
{
    struct likelihood_values *asked = &reading->fields.likelihood;
    double steps;

    asked->steps = LIKELIHOOD_STEPS;
    if (value != NULL && asked->method == LIKELIHOOD_ELBO)
        problem_fault(reading->problem, "/steps",
                      "goes with method pf_ode; the elbo takes each timestep of the model");
    else if (value != NULL && asked->solver == METHOD_RK45)
        problem_fault(reading->problem, "/steps",
                      "goes with solver euler, heun or rk4; rk45 takes as many as it needs");
    else if (value != NULL && body_integer(reading->problem, "/steps", value, field->minimum,
                                           field->maximum, &steps))
        asked->steps = (size_t)steps;
}

static void read_trace(struct body_reading *reading, const struct body_field *field,
                       const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    const bool is_known = model != NULL && model->family->knows_divergence;
    size_t index;

    reading->fields.likelihood.trace = is_known ? TRACE_EXACT : TRACE_HUTCHINSON;
    if (!goes_with(reading, field, value, LIKELIHOOD_PF_ODE) ||
        !body_choice(reading->problem, "/trace", value, field->choices, &index))
        return;
    if (index == TRACE_EXACT && model != NULL && !is_known)
        problem_fault(reading->problem, "/trace",
                      "must be hutchinson: only mixtures and point networks know theirs exactly");
    reading->fields.likelihood.trace = (enum trace)index;
}

static void read_probes(struct body_reading *reading, const struct body_field *field,
                        const struct cJSON *value)
{
    struct likelihood_values *asked = &reading->fields.likelihood;
    double probes;

    asked->probes = LIKELIHOOD_PROBES;
    if (!goes_with(reading, field, value, LIKELIHOOD_PF_ODE))
        return;
    if (reading->fields.model != NULL && asked->trace == TRACE_EXACT)
        problem_fault(reading->problem, "/probes", "goes with trace hutchinson; this one is exact");
    else if (body_integer(reading->problem, "/probes", value, field->minimum, field->maximum,
                          &probes))
        asked->probes = (size_t)probes;
}

static void read_variance_type(struct body_reading *reading, const struct body_field *field,
                               const struct cJSON *value)
{
    struct likelihood_values *asked = &reading->fields.likelihood;
    size_t index;

    if (!goes_with(reading, field, value, LIKELIHOOD_ELBO) ||
        !body_choice(reading->problem, "/variance_type", value,
                     option_describe(OPTION_VARIANCE_TYPE)->choices, &index))
        return;
    asked->has_variance = true;
    asked->variance = (enum variance_type)index;
}

static void read_decoder_variance(struct body_reading *reading, const struct body_field *field,
                                  const struct cJSON *value)
{
    struct likelihood_values *asked = &reading->fields.likelihood;
    size_t index;

    if (!goes_with(reading, field, value, LIKELIHOOD_ELBO) ||
        !body_choice(reading->problem, "/decoder_variance", value, field->choices, &index))
        return;
    asked->has_first = true;
    asked->first = (enum elbo_first)index;
}

static void read_terms(struct body_reading *reading, const struct body_field *field,
                       const struct cJSON *value)
{
    bool *keeps = &reading->fields.likelihood.keeps_terms;

    *keeps = true;
    if (goes_with(reading, field, value, LIKELIHOOD_ELBO))
        (void)body_flag(reading->problem, "/terms", value, keeps);
}

const struct body_field FIELD_LIKELIHOOD_METHOD = {
    .name = "method",
    .help = "elbo: the variational bound, of models on a beta table; pf_ode: along the probability "
            "flow, the usual one where the process has it",
    .schema = "{\"enum\":[\"elbo\",\"pf_ode\"]}",
    .choices = METHOD_NAMES,
    .read = read_method};

const struct body_field FIELD_SOLVER = {.name = "solver",
                                        .help = "pf_ode: of the flow's equation",
                                        .schema = "{\"enum\":[\"rk45\",\"rk4\",\"heun\",\"euler\"],"
                                                  "\"default\":\"rk45\"}",
                                        .read = read_solver};

const struct body_field FIELD_FLOW_STEPS = {.name = "steps",
                                            .help = "pf_ode: of solver rk4, heun or euler",
                                            .schema = "{\"type\":\"integer\",\"default\":50}",
                                            .minimum = 1,
                                            .maximum = LIKELIHOOD_STEPS_MAX,
                                            .read = read_steps};

const struct body_field FIELD_TRACE = {
    .name = "trace",
    .help = "pf_ode: exact, the usual one of mixtures and point networks; hutchinson, an estimate",
    .schema = "{\"enum\":[\"exact\",\"hutchinson\"]}",
    .choices = TRACE_NAMES,
    .read = read_trace};

const struct body_field FIELD_PROBES = {
    .name = "probes",
    .help = "pf_ode: random vectors of trace hutchinson, two more evaluations each",
    .schema = "{\"type\":\"integer\",\"default\":4}",
    .minimum = 1,
    .maximum = LIKELIHOOD_PROBES_MAX,
    .read = read_probes};

const struct body_field FIELD_VARIANCE_TYPE = {
    .name = "variance_type",
    .help = "elbo: of the reverse steps; a model that predicts it takes no other",
    .schema = "{\"enum\":[\"fixed_small\",\"fixed_small_log\",\"fixed_large\",\"learned\","
              "\"learned_range\"]}",
    .read = read_variance_type};

const struct body_field FIELD_DECODER_VARIANCE = {
    .name = "decoder_variance",
    .help = "elbo: of the last step, to the data: that of the posterior one step before, or the "
            "first beta",
    .schema = "{\"enum\":[\"posterior\",\"beta\"],\"default\":\"posterior\"}",
    .choices = FIRST_NAMES,
    .read = read_decoder_variance};

const struct body_field FIELD_TERMS = {
    .name = "terms",
    .help = "elbo: answer the term and the error of each timestep, not their sums alone",
    .schema = "{\"type\":\"boolean\",\"default\":true}",
    .read = read_terms};
