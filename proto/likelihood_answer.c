/* What a /likelihood answers, and which pictures it takes. */
#include "proto/likelihood_inside.h"

#include "core/diffusion/decoder.h"
#include "core/diffusion/variance.h"
#include "proto/json_write.h"

#include <math.h>
#include <stdio.h>

#define LN_2         0.69314718055994530942
#define LOG2_OF_BINS 6.99435343685885794 /* log2 127.5: bins are 1 / 127.5 wide */

/* Of a double, with its comma; of what surrounds a row's. */
#define NUMBER_BYTES 26
#define ROW_BYTES    256

uint64_t likelihood_bytes(const struct body_values *values, const struct plan *plan)
{
    const bool by_elbo = values->likelihood.method == LIKELIHOOD_ELBO;
    const uint64_t row =
        bytes_plus(ROW_BYTES, bytes_times(plan->figure_count, by_elbo ? NUMBER_BYTES : 0));
    const uint64_t latents = bytes_times(values->n, plan->dim);

    return bytes_plus(bytes_times(values->n, row), by_elbo
                                                       ? bytes_times(latents, sizeof(float))
                                                       : bytes_of_numbers(latents, ENCODING_ARRAY));
}

/* --- pictures --------------------------------------------------------------------------------- */

/* Value i of a row, C,H,W, where it came from: "/x_0/0/3/2/1". */
static void fault_at(struct work *work, size_t row, size_t i, const char *text)
{
    const struct model_shape *shape = &work->request.model->shape;
    const size_t plane = shape->height * shape->width, at = i % plane;
    char pointer[96];

    if (work->given->start_from.is_packed) {
        (void)snprintf(pointer, sizeof pointer, "/%s", work->given->start_from.field);
        problem_fault(&work->given->problem, pointer, "number %zu %s",
                      row * shape->dim + at * shape->channels + i / plane, text);
        return;
    }
    (void)snprintf(pointer, sizeof pointer, "/%s/%zu/%zu/%zu/%zu", work->given->start_from.name,
                   row, at / shape->width, at % shape->width, i / plane);
    problem_fault(&work->given->problem, pointer, "%s", text);
}

/* Pixels spread over their bins reach half of one beyond the ends. */
static bool is_in_range(double x)
{
    return fabs(x) <= 256.0 / 255.0;
}

static void check_pictures(struct work *work, bool (*is_good)(double x), const char *text)
{
    const size_t dim = work->request.plan->dim;
    const float *x = work->given->start;

    if (work->request.model->shape.is_points || work->given->start_from.name == NULL)
        return;
    for (size_t row = 0; row < work->request.n; row++)
        for (size_t i = 0; i < dim; i++)
            if (!is_good((double)x[row * dim + i])) {
                fault_at(work, row, i, text);
                return;
            }
}

static void prepare_elbo(struct work *work)
{
    check_pictures(work, decoder_is_value,
                   "must be a byte's value, 2 b / 255 - 1: the bound is on the probability of "
                   "8-bit pictures");
}

static void prepare_flow(struct work *work)
{
    check_pictures(work, is_in_range, "must be within -256/255..256/255, as pictures are");
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void number_json(struct buffer *out, double value)
{
    if (isfinite(value))
        json_number(out, value);
    else
        json_null(out);
}

static void member_json(struct buffer *out, const char *key, double value)
{
    json_key(out, key);
    number_json(out, value);
}

/* scale * figure + offset of each row; figure past the plan's: null. */
struct column {
    const char *key;
    size_t figure;
    double scale, offset;
};

static void column_json(const struct work *work, const struct column *column, struct buffer *out)
{
    const size_t count = work->request.plan->figure_count;

    json_key(out, column->key);
    json_open(out, '[');
    for (size_t i = 0; i < work->request.n; i++)
        number_json(out, column->figure < count
                             ? column->scale * work->request.figures[i * count + column->figure] +
                                   column->offset
                             : (double)NAN);
    json_close(out, ']');
}

/* nats and bits per dimension; `offset`: bits from a density to the probability of a bin. */
static void nats_json(const struct work *work, size_t figure, double offset, struct buffer *out)
{
    const double dim = (double)work->request.plan->dim;
    const struct column columns[] = {{"nats", figure, 1.0, 0.0},
                                     {"bits_per_dim", figure, 1.0 / (dim * LN_2), offset}};

    column_json(work, &columns[0], out);
    column_json(work, &columns[1], out);
}

static void terms_json(const struct work *work,
                       void (*row)(const struct plan *, const double *, struct buffer *),
                       struct buffer *out)
{
    const struct plan *plan = work->request.plan;

    json_key(out, "terms");
    json_open(out, '[');
    for (size_t i = 0; i < work->request.n; i++) {
        json_open(out, '{');
        row(plan, work->request.figures + i * plan->figure_count, out);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* --- by the bound ----------------------------------------------------------------------------- */

static void list_json(struct buffer *out, const char *key, const double *values, size_t count)
{
    json_key(out, key);
    json_open(out, '[');
    for (size_t i = 0; i < count; i++)
        number_json(out, values[i]);
    json_close(out, ']');
}

static void elbo_row(const struct plan *plan, const double *figures, struct buffer *out)
{
    const double *terms = figures + ELBO_FIGURES;

    member_json(out, "L_T", figures[ELBO_PRIOR]);
    member_json(out, "rate", figures[ELBO_RATE]);
    member_json(out, "distortion", figures[ELBO_DISTORTION]);
    if (plan->figure_count == ELBO_FIGURES)
        return;
    list_json(out, "L", terms, plan->step_count);
    list_json(out, "rmse", terms + plan->step_count, plan->step_count);
}

static bool elbo_json(struct work *work, struct error *error)
{
    const struct column unknown = {.key = "standard_error", .figure = SIZE_MAX};
    struct buffer *out = &work->answer.body;

    (void)error;
    work_json_begin(work);
    nats_json(work, ELBO_NATS, 0.0, out);
    column_json(work, &unknown, out);
    terms_json(work, elbo_row, out);
    return true;
}

static void elbo_params(const struct work *work, struct buffer *out)
{
    const enum variance_type variance =
        (enum variance_type)work->request.plan->options.value[OPTION_VARIANCE_TYPE];

    json_key(out, "method");
    json_string(out, likelihood_method_name(LIKELIHOOD_ELBO));
    json_key(out, "variance_type");
    json_string(out, variance_type_name(variance));
    if (!variance_is_learned(variance)) {
        json_key(out, "decoder_variance");
        json_string(out, likelihood_first_name(work->likelihood.first));
    }
    json_key(out, "terms");
    json_bool(out, work->likelihood.keeps_terms);
    work_rows_json(work, out);
    work_classes_json(work, out);
}

const struct work_kind likelihood_by_elbo = {.encode = {[FORMAT_JSON] = elbo_json},
                                             .params = elbo_params,
                                             .prepare = prepare_elbo,
                                             .starts_from_picture = true,
                                             .tells_nfe = true};

/* --- by the flow ------------------------------------------------------------------------------ */

static void flow_row(const struct plan *plan, const double *figures, struct buffer *out)
{
    (void)plan;
    member_json(out, "log_prior", figures[LIKELIHOOD_LOG_PRIOR]);
    member_json(out, "delta", figures[LIKELIHOOD_DELTA]);
}

static bool flow_json(struct work *work, struct error *error)
{
    const bool is_points = work->request.model->shape.is_points;
    const struct column errors = {"standard_error", LIKELIHOOD_STANDARD_ERROR, 1.0, 0.0};
    struct buffer *out = &work->answer.body;

    work_json_begin(work);
    json_key(out, "trace");
    json_string(out, trace_name(work->likelihood.trace));
    nats_json(work, LIKELIHOOD_NATS, is_points ? 0.0 : LOG2_OF_BINS, out);
    column_json(work, &errors, out);
    terms_json(work, flow_row, out);
    return work_values_json(work, "x_T", work->request.x, error);
}

static void flow_params(const struct work *work, struct buffer *out)
{
    const struct likelihood_values *asked = &work->likelihood;

    json_key(out, "method");
    json_string(out, likelihood_method_name(LIKELIHOOD_PF_ODE));
    json_key(out, "solver");
    json_string(out, option_describe(OPTION_METHOD)->choices[asked->solver]);
    if (asked->solver != METHOD_RK45) {
        json_key(out, "steps");
        json_integer(out, (int64_t)asked->steps);
    }
    json_key(out, "trace");
    json_string(out, trace_name(asked->trace));
    if (asked->trace != TRACE_EXACT) {
        json_key(out, "probes");
        json_integer(out, (int64_t)asked->probes);
    }
    work_rows_json(work, out);
    work_classes_json(work, out);
}

const struct work_kind likelihood_by_flow = {.encode = {[FORMAT_JSON] = flow_json},
                                             .params = flow_params,
                                             .prepare = prepare_flow,
                                             .starts_from_picture = true,
                                             .tells_nfe = true};
