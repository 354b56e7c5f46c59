#include "core/diffusion/moment.h"

#include "core/diffusion/sigmas.h"
#include "core/diffusion/steps.h"

#include <float.h>
#include <math.h>

static bool is_table(const struct process *process)
{
    return process->config.type == PROCESS_TABLE;
}

double moment_alpha_bar(const struct schedule *table, double index)
{
    double sigma;

    if (index == rint(index))
        return table->alpha_bar_parity[(size_t)index];
    sigma = sigma_at(table, index);
    return 1.0 / (1.0 + sigma * sigma);
}

double moment_time(const struct process *process, double t)
{
    return is_table(process) ? (t + 1.0) / (double)process->config.schedule.timesteps : t;
}

static bool check(const struct process *process, double t, const char *name, struct error *error)
{
    const double last = (double)(process->config.schedule.timesteps - 1);

    if (!is_table(process) && !(t > 0.0 && t <= process_t_max(process)))
        return error_set(error, ERROR_INVALID,
                         "%s must be above 0 and at most %g, the time of this model's process, got "
                         "%g",
                         name, process_t_max(process), t);
    if (is_table(process) && !(t >= 0.0 && t <= last))
        return error_set(error, ERROR_INVALID, "%s must be 0..%g, a timestep of this model, got %g",
                         name, last, t);
    return true;
}

/* Consistency models see x at variance 1 (Song et al. 2023, appendix C). */
static double scale_at(const struct process *process, double sigma)
{
    const double data = process->config.sigma_data;

    return process->config.type == PROCESS_CM ? 1.0 / sqrt(sigma * sigma + data * data) : 1.0;
}

bool moment_at(struct moment *moment, const struct process *process, double t, const char *name,
               struct error *error)
{
    if (!check(process, t, name, error))
        return false;
    *moment = (struct moment){
        .t = t,
        .level = is_table(process) ? level_of_alpha_bar(moment_alpha_bar(&process->schedule, t))
                                   : process_level(process, t),
        .model_time = is_table(process) ? process_model_time_at_index(process, t)
                                        : process_model_time(process, t)};
    moment->input_scale = scale_at(process, moment->level.sigma);
    return moment->level.sigma >= (double)FLT_MIN ||
           error_set(error, ERROR_INVALID, "%s is so small that there is no noise: %g", name, t);
}

void moment_ask(struct plan_step *step, const struct process *process, const struct moment *moment)
{
    step_ask(step, process, moment->level, moment->input_scale, moment->model_time);
}
