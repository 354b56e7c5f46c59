#include "core/diffusion/ode_rk45.h"

#include "core/base/math.h"

/* Indices of plan_step.coefficient. */
enum { PATH_START, PATH_END, PATH_POINTS_MAX, PATH_INTEGRALS };

static size_t integrals_of(const struct plan *plan)
{
    return (size_t)plan->step[0].coefficient[PATH_INTEGRALS];
}

static struct rk45_rule rule_of(const struct plan *plan)
{
    const double *coefficient = plan->step[0].coefficient;

    return (struct rk45_rule){.start = coefficient[PATH_START],
                              .end = coefficient[PATH_END],
                              .rtol = plan->options.value[OPTION_RTOL],
                              .atol = plan->options.value[OPTION_ATOL],
                              .evaluations_max = (size_t)coefficient[PATH_POINTS_MAX],
                              .dim = plan->dim + integrals_of(plan)};
}

static void fill_entry(struct plan_step *step, const struct process *process,
                       const struct ode_rk45_path *path)
{
    step_ask_at_time(step, process, path->start);
    step->to = process_level(process, path->end);
    step->coefficient[PATH_START] = path->start;
    step->coefficient[PATH_END] = path->end;
    step->coefficient[PATH_POINTS_MAX] = (double)path->points_max;
    step->coefficient[PATH_INTEGRALS] = (double)path->integrals;
}

bool ode_rk45_plan(struct plan *plan, const struct ode_rk45_path *path, struct error *error)
{
    struct rk45_rule rule;

    if (!ode_check_time(plan, path->start, error) || !ode_check_time(plan, path->end, error) ||
        !steps_allocate(plan, 1, error))
        return false;
    fill_entry(&plan->step[0], plan->process, path);
    rule = rule_of(plan);
    plan->steps = 0;
    plan->evaluations = path->points_max;
    plan->is_adaptive = true;
    plan->evaluations_due = rk45_evaluations_due(&rule);
    plan->state_floats = RK45_VECTORS * rule.dim * (sizeof(double) / sizeof(float));
    plan->start_scale = process_start_scale(plan->process);
    return true;
}

/* --- row -------------------------------------------------------------------------------------- */

static struct rk45 solver_of(struct row *row, const struct rk45_rule *rule)
{
    return (struct rk45){.rule = rule,
                         .values = (double *)(void *)row->state,
                         .number = row->number,
                         .stage = row->stage,
                         .evaluations = (size_t)row->number[ODE_POINTS]};
}

/* Time, level, conversion and velocity of an evaluation. */
static void ask_at(struct row *row, const struct plan *plan, double t)
{
    struct linear velocity;

    row->time = process_model_time(plan->process, t);
    row->level = process_level(plan->process, t);
    row->conversion = process_conversion(plan->process, row->level);
    velocity = ode_velocity_at(plan->process, t, row->level, &row->conversion);
    row->number[ODE_ASKED] = t;
    row->number[ODE_ROW_BY_X] = velocity.x;
    row->number[ODE_ROW_BY_OUTPUT] = velocity.o;
}

void ode_rk45_begin(struct row *row, const struct plan *plan)
{
    const struct rk45_rule rule = rule_of(plan);
    struct rk45 solver = solver_of(row, &rule);

    steps_begin(row, plan);
    for (size_t i = 0; i < plan->dim; i++)
        rk45_solution(&solver)[i] = (double)row->x[i];
    rk45_begin(&solver);
    row->stage = solver.stage;
    ask_at(row, plan, rk45_time(&solver));
}

/* The last two evaluations of a step are at one time. */
static void ask(struct row *row, const struct plan *plan, const struct rk45 *solver)
{
    const double t = rk45_time(solver), *restrict point = rk45_point(solver);
    float *restrict input = row->input;

    for (size_t i = 0; i < plan->dim; i++)
        input[i] = (float)point[i];
    if (t != row->number[ODE_ASKED])
        ask_at(row, plan, t);
}

static enum advance end(struct row *row, const struct plan *plan, struct rk45 *solver)
{
    for (size_t i = 0; i < plan->dim; i++)
        row->x[i] = (float)rk45_solution(solver)[i];
    row->step++;
    return math_all_finite(row->x, plan->dim) ? ADVANCE_DONE : ADVANCE_FAILED;
}

static void write_slope(const struct row *row, const struct plan *plan, const float *output,
                        double *restrict slope)
{
    const double by_x = row->number[ODE_ROW_BY_X], by_output = row->number[ODE_ROW_BY_OUTPUT];
    const float *restrict input = row->input;

    for (size_t i = 0; i < plan->dim; i++)
        slope[i] = by_x * (double)input[i] + by_output * (double)output[i];
}

static enum rk45_outcome advance_beside(struct rk45 *solver, const struct ode_rates *rates)
{
    const double time = solver->number[RK45_TIME];
    const bool ends_step = rk45_ends_step(solver);
    enum rk45_outcome outcome;

    for (size_t i = 0; i < rates->side_count; i++)
        rk45_side_add(solver, &rates->sides[i]);
    outcome = rk45_advance(solver);
    for (size_t i = 0; ends_step && i < rates->side_count; i++)
        rk45_side_end(&rates->sides[i], solver->number[RK45_TIME] - time);
    return outcome;
}

enum advance ode_rk45_advance(struct row *row, const struct plan *plan, const float *output,
                              const struct ode_rates *rates)
{
    static const struct ode_rates none = {.side_count = 0};
    const struct rk45_rule rule = rule_of(plan);
    struct rk45 solver = solver_of(row, &rule);
    enum rk45_outcome outcome;

    write_slope(row, plan, output, rk45_slope(&solver));
    for (size_t i = plan->dim; i < rule.dim; i++)
        rk45_slope(&solver)[i] = rates->integrals[i - plan->dim];
    outcome = advance_beside(&solver, rates == NULL ? &none : rates);
    row->stage = solver.stage;
    row->number[ODE_POINTS] = (double)solver.evaluations;
    row->evaluations++;
    if (outcome == RK45_NOT_CONVERGED)
        return ADVANCE_NOT_CONVERGED;
    if (outcome == RK45_DONE)
        return end(row, plan, &solver);
    ask(row, plan, &solver);
    return ADVANCE_EVALUATE;
}

struct linear ode_rk45_velocity(const struct row *row)
{
    return (struct linear){.x = row->number[ODE_ROW_BY_X], .o = row->number[ODE_ROW_BY_OUTPUT]};
}

double ode_rk45_integral(const struct row *row, const struct plan *plan, size_t integral)
{
    return ((const double *)(const void *)row->state)[plan->dim + integral];
}
