#include "core/diffusion/ode.h"

#include "core/diffusion/moment.h"

#include <math.h>
#include <string.h>

/* Indices of plan_step.coefficient: the slope is k = by_x * input + by_output * o; the sum takes
 * weight * k, the point of the next stage next * k. */
enum { ODE_BY_X, ODE_BY_OUTPUT, ODE_WEIGHT, ODE_NEXT };

const struct ode_method ode_euler = {.stages = 1, .weight = {1.0}};
const struct ode_method ode_heun = {.stages = 2, .point = {0.0, 1.0}, .weight = {.5, .5}};
const struct ode_method ode_rk4 = {.stages = 4,
                                   .point = {0.0, .5, .5, 1.0},
                                   .weight = {1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0}};

struct linear ode_velocity_at(const struct process *process, double t, struct level level,
                              const struct conversion *conversion)
{
    struct level slope;

    if (process_head(process) == HEAD_VELOCITY)
        return (struct linear){.x = 0.0, .o = 1.0};
    slope = process_slope(process, t, level);
    return (struct linear){
        .x = slope.alpha * conversion->x0_x + slope.sigma * conversion->epsilon_x,
        .o = slope.alpha * conversion->x0_o + slope.sigma * conversion->epsilon_o};
}

struct linear ode_velocity(const struct process *process, double t)
{
    const struct level level = process_level(process, t);
    const struct conversion conversion = process_conversion(process, level);

    return ode_velocity_at(process, t, level, &conversion);
}

bool ode_check_time(const struct plan *plan, double t, struct error *error)
{
    const struct process *process = plan->process;
    const struct level level = process_level(process, t);
    const struct linear velocity = ode_velocity(process, t);

    if (!isfinite(velocity.x) || !isfinite(velocity.o))
        return error_set(error, ERROR_INVALID,
                         "%s would ask the model at alpha %g, sigma %g, where its output, %s, does "
                         "not say how x moves",
                         plan->sampler->name, level.alpha, level.sigma,
                         head_name(process_head(process)));
    if (level.sigma == 0.0 && process->network.is_exact && !process->network.is_exact_at_zero)
        return error_set(error, ERROR_INVALID,
                         "%s would ask the model at sigma 0, where data with single points have no "
                         "density",
                         plan->sampler->name);
    return true;
}

struct linear ode_step_velocity(const struct plan_step *step)
{
    return (struct linear){.x = step->coefficient[ODE_BY_X], .o = step->coefficient[ODE_BY_OUTPUT]};
}

double ode_step_weight(const struct plan_step *step)
{
    return step->coefficient[ODE_WEIGHT];
}

void ode_fill_only(struct plan_step *step, struct linear slope, double length)
{
    step->coefficient[ODE_BY_X] = slope.x;
    step->coefficient[ODE_BY_OUTPUT] = slope.o;
    step->coefficient[ODE_WEIGHT] = length;
}

/* In the process's own time. */
struct ode_step {
    double from, to;
};

/* Exactly the ends, so that one step ends where the next begins. */
static double time_within(double from, double to, double point)
{
    return point == 1.0 ? to : from + point * (to - from);
}

static bool fill_step(struct plan *plan, size_t entry, const struct ode_method *method,
                      const struct ode_step *times, struct error *error)
{
    const double from = times->from, to = times->to;

    for (size_t s = 0; s < method->stages; s++) {
        struct plan_step *step = &plan->step[entry + s];
        const bool is_last = s + 1 == method->stages;
        const double next = is_last ? 1.0 : method->point[s + 1];
        const double here = time_within(from, to, method->point[s]);
        const struct linear velocity = ode_velocity(plan->process, here);

        if (!ode_check_time(plan, here, error))
            return false;
        step_ask_at_time(step, plan->process, here);
        step->to = process_level(plan->process, time_within(from, to, next));
        step->is_inner = !is_last;
        step->coefficient[ODE_BY_X] = velocity.x;
        step->coefficient[ODE_BY_OUTPUT] = velocity.o;
        step->coefficient[ODE_WEIGHT] = method->weight[s] * (to - from);
        step->coefficient[ODE_NEXT] = next * (to - from);
    }
    return true;
}

/* Room for the sum, and, where a stage is neither first nor last, for where the step began. */
static size_t rows_of_state(const struct ode_method *method)
{
    return method->stages > 2 ? 2 : method->stages - 1;
}

bool ode_plan(struct plan *plan, const struct ode_path *path, struct error *error)
{
    if (!steps_allocate(plan, (plan->steps - 1) * path->method->stages + path->last->stages, error))
        return false;
    plan->state_floats = rows_of_state(path->method) * plan->dim;
    plan->start_scale = process_start_scale(plan->process);
    for (size_t i = 0; i < plan->steps; i++) {
        const struct ode_step times = {path->time(plan, i), path->time(plan, i + 1)};

        if (!fill_step(plan, i * path->method->stages,
                       i + 1 < plan->steps ? path->method : path->last, &times, error))
            return false;
    }
    return true;
}

bool ode_plan_step(struct plan *plan, const struct ode_method *method,
                   const struct step_times *times, struct error *error)
{
    const struct process *process = plan->process;
    const struct ode_step step = {moment_time(process, times->from),
                                  isnan(times->to) ? 0.0 : moment_time(process, times->to)};

    plan->state_floats = rows_of_state(method) * plan->dim;
    return steps_allocate(plan, method->stages, error) && fill_step(plan, 0, method, &step, error);
}

/* --- row -------------------------------------------------------------------------------------- */

/* A row and one stage; what the stages share. */
struct stage {
    double by_x, by_output, weight, next;
    const float *input;
    float *sum, *start;
};

static struct stage stage_of(const struct row *row, const struct plan *plan)
{
    const double *coefficient = plan->step[row->step].coefficient;

    return (struct stage){.by_x = coefficient[ODE_BY_X],
                          .by_output = coefficient[ODE_BY_OUTPUT],
                          .weight = coefficient[ODE_WEIGHT],
                          .next = coefficient[ODE_NEXT],
                          .input = row->input,
                          .sum = row->state,
                          .start = row->state + plan->dim};
}

static double slope_of(const struct stage *stage, double input, double output)
{
    return stage->by_x * input + stage->by_output * output;
}

static void only(const struct stage *stage, const float *output, float *restrict x, size_t dim)
{
    for (size_t i = 0; i < dim; i++)
        x[i] = (float)((double)x[i] +
                       stage->weight * slope_of(stage, (double)stage->input[i], (double)output[i]));
}

static void first(const struct stage *stage, const float *output, float *restrict x, size_t dim)
{
    for (size_t i = 0; i < dim; i++) {
        const double k = slope_of(stage, (double)stage->input[i], (double)output[i]);

        stage->sum[i] = (float)((double)x[i] + stage->weight * k);
        x[i] = (float)((double)x[i] + stage->next * k);
    }
}

static void middle(const struct stage *stage, const float *output, float *restrict x, size_t dim)
{
    for (size_t i = 0; i < dim; i++) {
        const double k = slope_of(stage, (double)stage->input[i], (double)output[i]);

        stage->sum[i] = (float)((double)stage->sum[i] + stage->weight * k);
        x[i] = (float)((double)stage->start[i] + stage->next * k);
    }
}

static void last(const struct stage *stage, const float *output, float *restrict x, size_t dim)
{
    for (size_t i = 0; i < dim; i++)
        x[i] = (float)((double)stage->sum[i] +
                       stage->weight * slope_of(stage, (double)stage->input[i], (double)output[i]));
}

/* row->stage counts the stages of the step in progress. */
enum advance ode_advance(struct row *row, const struct plan *plan, const float *output)
{
    const struct stage stage = stage_of(row, plan);
    const struct plan_step *step = &plan->step[row->step];
    const bool is_inner = step->is_inner;

    if (row->stage == 0 && is_inner && step[1].is_inner)
        memcpy(stage.start, row->x, plan->dim * sizeof(*row->x));
    if (row->stage == 0)
        (is_inner ? first : only)(&stage, output, row->x, plan->dim);
    else
        (is_inner ? middle : last)(&stage, output, row->x, plan->dim);
    row->stage = is_inner ? row->stage + 1 : 0;
    return row_next(row, plan);
}
