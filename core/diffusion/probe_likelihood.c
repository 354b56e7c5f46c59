#include "core/diffusion/probe_likelihood.h"

#include "core/diffusion/ode.h"
#include "core/diffusion/ode_rk45.h"
#include "core/diffusion/prior.h"

#include <math.h>
#include <string.h>

/* Where the flow is followed from; on a table from its first entry (Song et al. 2021, C.2). */
#define TIME_MIN   1e-5
#define TOLERANCE  1e-5
#define POINTS_MAX 10000

/* Of a central difference, in units of the model's input: what float32 leaves of shorter ones is
 * noise, longer ones miss the curvature. */
#define OFFSET .001

#define SIGNS_PER_WORD 32

/* row->number, behind the solver's: evaluations beside the point, two a probe, then the point's
 * own; what v.o was on the first side. */
enum { ROW_TURN = ODE_NUMBERS, ROW_DOT };

const char *trace_name(enum trace trace)
{
    static const char *const names[] = {
#define NAME(code, name) name,
        TRACES(NAME)
#undef NAME
    };

    return names[trace];
}

/* --- plan ------------------------------------------------------------------------------------- */

static double start_of(const struct process *process)
{
    return process->config.type == PROCESS_TABLE ? 1.0 / (double)process->config.schedule.timesteps
                                                 : TIME_MIN;
}

static double time_at(const struct plan *plan, size_t i)
{
    const double start = start_of(plan->process), end = process_t_max(plan->process);

    return i == plan->steps ? end : start + (double)i * (end - start) / (double)plan->steps;
}

/* Behind the figures that are answered each probe has its own integral. */
static size_t probes_of(const struct plan *plan)
{
    return (plan->figure_count - LIKELIHOOD_FIGURES) * sizeof(double) / sizeof(struct rk45_side);
}

static struct rk45_side *sides_of(const struct row *row)
{
    return (struct rk45_side *)(void *)(row->figures + LIKELIHOOD_FIGURES);
}

static size_t sign_words(const struct plan *plan)
{
    return (probes_of(plan) + SIGNS_PER_WORD - 1) / SIGNS_PER_WORD * plan->dim;
}

static bool check(const struct likelihood_question *question, struct error *error)
{
    if (!sampler_runs_on(&probe_likelihood, question->process, error))
        return false;
    if (question->trace == TRACE_EXACT && !question->knows_divergence)
        return error_set(error, ERROR_INVALID,
                         "trace exact is known of mixtures and point networks alone: this model's "
                         "can be estimated, by hutchinson");
    if (question->trace == TRACE_HUTCHINSON &&
        (question->probes < 1 || question->probes > LIKELIHOOD_PROBES_MAX))
        return error_set(error, ERROR_INVALID, "probes must be 1..%d, got %zu",
                         LIKELIHOOD_PROBES_MAX, question->probes);
    if (question->solver != METHOD_RK45 &&
        (question->steps < 1 || question->steps > LIKELIHOOD_STEPS_MAX))
        return error_set(error, ERROR_INVALID, "steps must be 1..%d, got %zu", LIKELIHOOD_STEPS_MAX,
                         question->steps);
    return true;
}

static bool plan_rk45(struct plan *plan, struct error *error)
{
    const struct ode_rk45_path path = {.start = start_of(plan->process),
                                       .end = process_t_max(plan->process),
                                       .points_max = POINTS_MAX,
                                       .integrals = 1};

    plan->options.value[OPTION_RTOL] = TOLERANCE;
    plan->options.value[OPTION_ATOL] = TOLERANCE;
    return ode_rk45_plan(plan, &path, error);
}

static bool plan_steps(struct plan *plan, const struct likelihood_question *question,
                       struct error *error)
{
    static const struct ode_method *const methods[] = {
        [METHOD_EULER] = &ode_euler, [METHOD_HEUN] = &ode_heun, [METHOD_RK4] = &ode_rk4};
    const struct ode_method *method = methods[question->solver];

    plan->steps = question->steps;
    if (!ode_plan(plan, &(struct ode_path){.time = time_at, .method = method, .last = method},
                  error))
        return false;
    plan->evaluations_due = plan->evaluations;
    return true;
}

static bool fill(struct plan *plan, const struct likelihood_question *question, struct error *error)
{
    const size_t probes = question->trace == TRACE_HUTCHINSON ? question->probes : 0;

    if (!(question->solver == METHOD_RK45 ? plan_rk45(plan, error)
                                          : plan_steps(plan, question, error)))
        return false;
    plan->figure_count = LIKELIHOOD_FIGURES + probes * sizeof(struct rk45_side) / sizeof(double);
    plan->evaluations *= 1 + 2 * probes;
    plan->evaluations_due *= 1 + 2 * probes;
    plan->state_floats += sign_words(plan);
    return true;
}

struct plan *likelihood_plan(const struct likelihood_question *question, struct error *error)
{
    struct plan *plan;

    if (!check(question, error))
        return NULL;
    plan =
        plan_new(&probe_likelihood, question->process, question->dim, question->output_dim, error);
    if (plan == NULL || fill(plan, question, error))
        return plan;
    plan_destroy(plan);
    return NULL;
}

/* --- row: beside the point -------------------------------------------------------------------- */

/* Behind what the solver keeps: a word has the signs of 32 probes in one coordinate. */
static uint32_t *signs_of(const struct row *row, const struct plan *plan, size_t probe)
{
    uint32_t *words = (uint32_t *)(void *)(row->state + plan->state_floats - sign_words(plan));

    return words + probe / SIGNS_PER_WORD * plan->dim;
}

static double sign_at(const uint32_t *signs, size_t probe, size_t i)
{
    return (signs[i] >> probe % SIGNS_PER_WORD & 1) != 0 ? 1.0 : -1.0;
}

static void draw_signs(struct row *row, const struct plan *plan)
{
    for (size_t probe = 0; probe < probes_of(plan); probe++) {
        uint32_t *signs = signs_of(row, plan, probe);

        for (size_t i = 0; i < plan->dim; i++)
            signs[i] |= (rng_word(&row->rng) & 1) << probe % SIGNS_PER_WORD;
    }
}

/* Of the two sides of each probe, then of the point itself, which is row->x. */
static void ask(struct row *row, const struct plan *plan)
{
    const size_t turn = (size_t)row->number[ROW_TURN], probe = turn / 2;
    const double offset = turn % 2 == 0 ? OFFSET : -OFFSET;
    const uint32_t *signs;

    if (probe == probes_of(plan)) {
        memcpy(row->input, row->x, plan->dim * sizeof(*row->x));
        return;
    }
    signs = signs_of(row, plan, probe);
    for (size_t i = 0; i < plan->dim; i++)
        row->input[i] = (float)((double)row->x[i] + offset * sign_at(signs, probe, i));
}

/* v.(o(x + h v) - o(x - h v)) / 2h (Hutchinson 1989), an answer at a time. */
static void take(struct row *row, const struct plan *plan, const float *output)
{
    const size_t turn = (size_t)row->number[ROW_TURN], probe = turn / 2;
    const uint32_t *signs = signs_of(row, plan, probe);
    double dot = 0.0;

    for (size_t i = 0; i < plan->dim; i++)
        dot += sign_at(signs, probe, i) * (double)output[i];
    if (turn % 2 == 0)
        row->number[ROW_DOT] = dot;
    else
        sides_of(row)[probe].slope = (row->number[ROW_DOT] - dot) / (2.0 * OFFSET);
    row->number[ROW_TURN] = (double)(turn + 1);
    row->evaluations++;
    ask(row, plan);
}

/* --- row -------------------------------------------------------------------------------------- */

/* Steps of its own keep their point elsewhere: x is free until the end. */
static void begin_point(struct row *row, const struct plan *plan)
{
    if (probes_of(plan) == 0)
        return;
    if (plan->is_adaptive)
        memcpy(row->x, row->input, plan->dim * sizeof(*row->x));
    row->number[ROW_TURN] = 0.0;
    ask(row, plan);
}

static void likelihood_begin(struct row *row, const struct plan *plan)
{
    (plan->is_adaptive ? ode_rk45_begin : steps_begin)(row, plan);
    row->wants_divergence = probes_of(plan) == 0;
    draw_signs(row, plan);
    begin_point(row, plan);
}

/* div(dx/dt) from the trace of the output's derivative; each probe's own takes its trace's place.
 */
static double rate_of(struct row *row, const struct plan *plan)
{
    const struct linear velocity =
        plan->is_adaptive ? ode_rk45_velocity(row) : ode_step_velocity(&plan->step[row->step]);
    const double of_x = (double)plan->dim * velocity.x;
    const size_t probes = probes_of(plan);
    struct rk45_side *sides = sides_of(row);
    double sum = 0.0;

    if (probes == 0)
        return of_x + velocity.o * row->divergence;
    for (size_t i = 0; i < probes; i++) {
        sides[i].slope = of_x + velocity.o * sides[i].slope;
        sum += sides[i].slope;
    }
    return sum / (double)probes;
}

static enum advance advance_steps(struct row *row, const struct plan *plan, const float *output)
{
    const double weight = ode_step_weight(&plan->step[row->step]);
    struct rk45_side *sides = sides_of(row);

    row->figures[LIKELIHOOD_DELTA] += weight * rate_of(row, plan);
    for (size_t i = 0; i < probes_of(plan); i++)
        sides[i].value += weight * sides[i].slope;
    return ode_advance(row, plan, output);
}

static enum advance advance_rk45(struct row *row, const struct plan *plan, const float *output)
{
    const double rate = rate_of(row, plan);
    const struct ode_rates rates = {
        .integrals = &rate, .sides = sides_of(row), .side_count = probes_of(plan)};
    const enum advance outcome = ode_rk45_advance(row, plan, output, &rates);

    if (outcome == ADVANCE_DONE)
        row->figures[LIKELIHOOD_DELTA] = ode_rk45_integral(row, plan, 0);
    return outcome;
}

static double standard_error(const struct row *row, size_t probes)
{
    const struct rk45_side *sides = sides_of(row);
    double mean = 0.0, square = 0.0;

    if (probes < 2)
        return (double)NAN;
    for (size_t i = 0; i < probes; i++)
        mean += sides[i].value / (double)probes;
    for (size_t i = 0; i < probes; i++)
        square += (sides[i].value - mean) * (sides[i].value - mean);
    return sqrt(square / (double)(probes - 1) / (double)probes);
}

static enum advance end(struct row *row, const struct plan *plan)
{
    double *figures = row->figures;

    figures[LIKELIHOOD_LOG_PRIOR] = prior_log_density(plan->process, row->x, plan->dim);
    figures[LIKELIHOOD_NATS] = -(figures[LIKELIHOOD_LOG_PRIOR] + figures[LIKELIHOOD_DELTA]);
    figures[LIKELIHOOD_STANDARD_ERROR] = standard_error(row, probes_of(plan));
    return isfinite(figures[LIKELIHOOD_DELTA]) ? ADVANCE_DONE : ADVANCE_FAILED;
}

static enum advance likelihood_advance(struct row *row, const struct plan *plan,
                                       const float *output)
{
    enum advance outcome;

    if ((size_t)row->number[ROW_TURN] < 2 * probes_of(plan)) {
        take(row, plan, output);
        return ADVANCE_EVALUATE;
    }
    outcome = (plan->is_adaptive ? advance_rk45 : advance_steps)(row, plan, output);
    if (outcome == ADVANCE_EVALUATE)
        begin_point(row, plan);
    return outcome == ADVANCE_DONE ? end(row, plan) : outcome;
}

const struct sampler probe_likelihood = {
    .name = "likelihood",
    .title = "How likely data are, by the process's own ordinary differential equation",
    .runs_on = RUNS_ON_SIGMA,
    .needs_continuous = true,
    .needs = "a process in continuous time",
    .begin = likelihood_begin,
    .advance = likelihood_advance,
};
