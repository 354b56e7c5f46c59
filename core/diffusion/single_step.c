#include "core/diffusion/single_step.h"

#include "core/diffusion/moment.h"
#include "core/diffusion/steps.h"

#include <math.h>

/* i / (T - 1) (T - 1) may miss i by this. */
#define INDEX_SLACK 1e-9

static double index_of(const struct process *process, double t)
{
    double index;

    if (isnan(t))
        return -1.0;
    if (process->config.type == PROCESS_TABLE)
        return t;
    index = t * (double)(process_table(process)->config.timesteps - 1);
    return fabs(index - rint(index)) < INDEX_SLACK ? rint(index) : index;
}

bool check_whole_step(const struct plan *plan, const struct step_times *times, struct error *error)
{
    const bool is_table = plan->process->config.type == PROCESS_TABLE;
    const bool has_next = !isnan(times->to);

    if (!is_table ||
        (times->from == rint(times->from) && (!has_next || times->to == rint(times->to))))
        return true;
    return error_set(error, ERROR_INVALID, "%s must be a whole timestep for %s, got %g",
                     times->from == rint(times->from) ? "t_next" : "t", plan->sampler->name,
                     times->from == rint(times->from) ? times->to : times->from);
}

bool table_step_plan(struct plan *plan, const struct step_times *times, struct table_step *step,
                     struct error *error)
{
    const struct process *process = plan->process;
    const struct schedule *table = process_table(process);

    if (!check_whole_step(plan, times, error) || !steps_allocate(plan, 1, error))
        return false;
    step->index = index_of(process, times->from);
    step->next = index_of(process, times->to);
    step->alpha_bar = moment_alpha_bar(table, step->index);
    step->alpha_bar_next = step->next < 0.0 ? 1.0 : moment_alpha_bar(table, step->next);
    step_ask(&plan->step[0], process, level_of_alpha_bar(step->alpha_bar), 1.0,
             process_model_time_at_index(process, step->index));
    return steps_check_x0(plan, error);
}

struct ladder ladder_of_step(struct rungs *rungs, const struct plan *plan,
                             const struct step_times *times)
{
    const struct schedule *table = process_table(plan->process);
    const double index = index_of(plan->process, times->from);
    const double next = index_of(plan->process, times->to);

    *rungs =
        (struct rungs){.timestep = {index, next},
                       .sigma = {sigma_at(table, index), next < 0.0 ? 0.0 : sigma_at(table, next)}};
    return (struct ladder){.n = 1, .timestep = rungs->timestep, .sigma = rungs->sigma};
}

static double sigma_at_moment(const struct process *process, double t)
{
    struct level level;

    if (process->config.type == PROCESS_TABLE)
        return sigma_at(&process->schedule, t);
    level = process_level(process, t);
    return level.sigma / level.alpha;
}

bool sigmas_of_step(double sigma[2], const struct plan *plan, const struct step_times *times,
                    struct error *error)
{
    sigma[0] = sigma_at_moment(plan->process, times->from);
    sigma[1] = isnan(times->to) ? 0.0 : sigma_at_moment(plan->process, times->to);
    return isfinite(sigma[0]) ||
           error_set(error, ERROR_INVALID,
                     "t must be below %g for %s: there x is noise alone, without a place in VE "
                     "coordinates",
                     times->from, plan->sampler->name);
}
