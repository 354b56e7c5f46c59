/* The probability flow ODE of a process (Song et al. 2021, section 4.3), or a flow's own, from
 * t_max down to sampling_eps, or up from data to noise: by Euler, Heun or RK4 in even steps, or by
 * RK45 in steps of its own for each sample. Euler down VE takes the levels of its discrete form, as
 * the paper's code does.
 *
 * RK45's plan has one entry: the first evaluation, the times of both ends as its coefficients. A
 * row keeps the solver's vectors in row->state, in double, the rest in row->number, and behind it
 * what the time of the evaluation under way says of x's way: it is a time of this row alone. */
#include "core/base/math.h"
#include "core/diffusion/ode.h"
#include "core/diffusion/rk45.h"

#include <math.h>

enum { PF_ODE_START, PF_ODE_END };

/* row->number: dx/dt = BY_X * input + BY_OUTPUT * o, at time ASKED. */
enum { ROW_ASKED = RK45_NUMBERS, ROW_BY_X, ROW_BY_OUTPUT };

static double pf_ode_default(const struct process *process, enum sampler_option option)
{
    const double defaults[OPTION_COUNT] = {
        [OPTION_METHOD] = METHOD_HEUN,
        [OPTION_RTOL] = 1e-5,
        [OPTION_ATOL] = 1e-5,
        [OPTION_MAX_NFE] = 10000.0,
        [OPTION_SAMPLING_EPS] = process_sampling_eps(process),
    };

    return defaults[option];
}

static enum method method_of(const struct plan *plan)
{
    return (enum method)plan->options.value[OPTION_METHOD];
}

static bool is_upward(const struct plan *plan)
{
    return plan->sampler == &sampler_pf_ode_inverse;
}

static double start_of(const struct plan *plan)
{
    return is_upward(plan) ? plan->options.value[OPTION_SAMPLING_EPS]
                           : process_t_max(plan->process);
}

static double end_of(const struct plan *plan)
{
    return is_upward(plan) ? process_t_max(plan->process)
                           : plan->options.value[OPTION_SAMPLING_EPS];
}

static double time_at(const struct plan *plan, size_t i)
{
    const double start = start_of(plan), end = end_of(plan);

    return i == plan->steps ? end : start + (double)i * (end - start) / (double)plan->steps;
}

/* --- plan: euler on VE ------------------------------------------------------------------------ */

/* Of level `left` from the end; below the lowest there is no noise. */
static double discrete_sigma(const struct plan *plan, size_t left)
{
    if (left == 0)
        return 0.0;
    return process_level(plan->process, (double)(left - 1) / (double)(plan->steps - 1)).sigma;
}

/* x' = x + (s_k^2 - s_{k-1}^2) S / 2. */
static void fill_ve_step(struct plan_step *step, const struct plan *plan, size_t i)
{
    const double end = plan->options.value[OPTION_SAMPLING_EPS];
    const double t = 1.0 - (double)i * (1.0 - end) / (double)(plan->steps - 1);
    const double from = discrete_sigma(plan, plan->steps - i);
    const double to = discrete_sigma(plan, plan->steps - i - 1);

    step_ask_at_time(step, plan->process, t);
    step->to = (struct level){.alpha = 1.0, .sigma = to};
    ode_fill_only(step, process_score(plan->process, step->from), (from - to) * (from + to) / 2.0);
}

static bool plan_ve_euler(struct plan *plan, struct error *error)
{
    if (plan->steps < 2)
        return error_set(error, ERROR_INVALID, "method euler needs at least 2 steps on process ve");
    if (!steps_allocate(plan, plan->steps, error))
        return false;
    plan->start_scale = process_start_scale(plan->process);
    for (size_t i = 0; i < plan->steps; i++)
        fill_ve_step(&plan->step[i], plan, i);
    return true;
}

/* --- plan ------------------------------------------------------------------------------------- */

static struct rk45_rule rule_of(const struct plan *plan)
{
    return (struct rk45_rule){.start = plan->step[0].coefficient[PF_ODE_START],
                              .end = plan->step[0].coefficient[PF_ODE_END],
                              .rtol = plan->options.value[OPTION_RTOL],
                              .atol = plan->options.value[OPTION_ATOL],
                              .evaluations_max = plan->evaluations,
                              .dim = plan->dim};
}

static bool plan_rk45(struct plan *plan, struct error *error)
{
    const double start = start_of(plan), end = end_of(plan);
    struct rk45_rule rule;

    if (plan->steps_asked)
        return error_set(error, ERROR_INVALID, "method rk45 chooses its steps itself");
    if (!ode_check_time(plan, start, error) || !ode_check_time(plan, end, error) ||
        !steps_allocate(plan, 1, error))
        return false;
    step_ask_at_time(&plan->step[0], plan->process, start);
    plan->step[0].to = process_level(plan->process, end);
    plan->step[0].coefficient[PF_ODE_START] = start;
    plan->step[0].coefficient[PF_ODE_END] = end;
    plan->steps = 0;
    plan->evaluations = (size_t)plan->options.value[OPTION_MAX_NFE];
    plan->is_adaptive = true;
    rule = rule_of(plan);
    plan->evaluations_due = rk45_evaluations_due(&rule);
    plan->state_floats = RK45_VECTORS * plan->dim * (sizeof(double) / sizeof(float));
    plan->start_scale = process_start_scale(plan->process);
    return true;
}

static bool take_back_tolerances(struct plan *plan, struct error *error)
{
    static const enum sampler_option options[] = {OPTION_RTOL, OPTION_ATOL, OPTION_MAX_NFE};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (plan->asked[options[i]])
            return error_set(error, ERROR_INVALID, "%s is of method rk45",
                             option_describe(options[i])->name);
        plan->options.given[options[i]] = false;
    }
    return true;
}

static bool pf_ode_plan(struct plan *plan, struct error *error)
{
    static const struct ode_method *const methods[] = {
        [METHOD_EULER] = &ode_euler, [METHOD_HEUN] = &ode_heun, [METHOD_RK4] = &ode_rk4};
    const enum method method = method_of(plan);

    if (!plan_check_sampling_eps(plan, error))
        return false;
    if (method == METHOD_RK45)
        return plan_rk45(plan, error);
    if (!take_back_tolerances(plan, error))
        return false;
    if (method == METHOD_EULER && plan->process->config.type == PROCESS_VE && !is_upward(plan))
        return plan_ve_euler(plan, error);
    return ode_plan(
        plan,
        &(struct ode_path){.time = time_at, .method = methods[method], .last = methods[method]},
        error);
}

/* --- row: rk45 -------------------------------------------------------------------------------- */

static struct rk45 solver_of(struct row *row, const struct rk45_rule *rule)
{
    return (struct rk45){.rule = rule,
                         .values = (double *)(void *)row->state,
                         .number = row->number,
                         .stage = row->stage,
                         .evaluations = row->evaluations};
}

/* Time, level, conversion and velocity of an evaluation. */
static void ask_at(struct row *row, const struct plan *plan, double t)
{
    struct linear velocity;

    row->time = process_model_time(plan->process, t);
    row->level = process_level(plan->process, t);
    row->conversion = process_conversion(plan->process, row->level);
    velocity = ode_velocity_at(plan->process, t, row->level, &row->conversion);
    row->number[ROW_ASKED] = t;
    row->number[ROW_BY_X] = velocity.x;
    row->number[ROW_BY_OUTPUT] = velocity.o;
}

static void pf_ode_begin(struct row *row, const struct plan *plan)
{
    steps_begin(row, plan);
    if (plan->is_adaptive) {
        const struct rk45_rule rule = rule_of(plan);
        struct rk45 solver = solver_of(row, &rule);

        for (size_t i = 0; i < plan->dim; i++)
            rk45_solution(&solver)[i] = (double)row->x[i];
        rk45_begin(&solver);
        row->stage = solver.stage;
        ask_at(row, plan, rk45_time(&solver));
    }
}

/* The last two evaluations of a step are at one time. */
static void ask(struct row *row, const struct plan *plan, const struct rk45 *solver)
{
    const double t = rk45_time(solver), *restrict point = rk45_point(solver);
    float *restrict input = row->input;

    for (size_t i = 0; i < plan->dim; i++)
        input[i] = (float)point[i];
    if (t != row->number[ROW_ASKED])
        ask_at(row, plan, t);
}

static enum advance end(struct row *row, const struct plan *plan, struct rk45 *solver)
{
    for (size_t i = 0; i < plan->dim; i++)
        row->x[i] = (float)rk45_solution(solver)[i];
    row->step++;
    return math_all_finite(row->x, plan->dim) ? ADVANCE_DONE : ADVANCE_FAILED;
}

static enum advance advance_rk45(struct row *row, const struct plan *plan, const float *output)
{
    const struct rk45_rule rule = rule_of(plan);
    struct rk45 solver = solver_of(row, &rule);
    const double by_x = row->number[ROW_BY_X], by_output = row->number[ROW_BY_OUTPUT];
    const float *restrict input = row->input;
    double *restrict slope = rk45_slope(&solver);
    enum rk45_outcome outcome;

    for (size_t i = 0; i < plan->dim; i++)
        slope[i] = by_x * (double)input[i] + by_output * (double)output[i];
    outcome = rk45_advance(&solver);
    row->stage = solver.stage;
    row->evaluations = solver.evaluations;
    if (outcome == RK45_NOT_CONVERGED)
        return ADVANCE_NOT_CONVERGED;
    if (outcome == RK45_DONE)
        return end(row, plan, &solver);
    ask(row, plan, &solver);
    return ADVANCE_EVALUATE;
}

static enum advance pf_ode_advance(struct row *row, const struct plan *plan, const float *output)
{
    return plan->is_adaptive ? advance_rk45(row, plan, output) : ode_advance(row, plan, output);
}

const struct sampler sampler_pf_ode = {
    .name = "pf_ode",
    .title = "The process's own ordinary differential equation: no noise but the start's",
    .options = {OPTION_METHOD, OPTION_RTOL, OPTION_ATOL, OPTION_MAX_NFE, OPTION_SAMPLING_EPS},
    .option_count = 5,
    .runs_on = RUNS_ON_SIGMA,
    .needs_continuous = true,
    .needs = "a process in continuous time",
    .option_default = pf_ode_default,
    .plan = pf_ode_plan,
    .begin = pf_ode_begin,
    .advance = pf_ode_advance,
};

const struct sampler sampler_pf_ode_inverse = {
    .name = "pf_ode_inverse",
    .title = "The process's own ordinary differential equation, from data to noise",
    .options = {OPTION_METHOD, OPTION_RTOL, OPTION_ATOL, OPTION_MAX_NFE, OPTION_SAMPLING_EPS},
    .option_count = 5,
    .runs_on = RUNS_ON_SIGMA,
    .needs_continuous = true,
    .needs = "a process in continuous time",
    .option_default = pf_ode_default,
    .plan = pf_ode_plan,
    .begin = pf_ode_begin,
    .advance = pf_ode_advance,
};
