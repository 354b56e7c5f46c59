/* Consistency models (Song et al. 2023, algorithm 1) as diffusers' CMStochasticIterativeScheduler
 * samples them: each evaluation goes to the data at once; between two of them noise is added up to
 * the next level of the falling row. x is x_0 + sigma noise. */
#include "core/diffusion/sigmas.h"
#include "core/diffusion/update.h"

#include <math.h>
#include <stdlib.h>

static double consistency_default(const struct process *process, enum sampler_option option)
{
    (void)process;
    (void)option;
    return 0.0; /* no list: `steps` says it */
}

static bool check_list(const int *timesteps, size_t count, size_t limit, struct error *error)
{
    if (count == 0)
        return error_set(error, ERROR_INVALID, "timesteps must be at least one integer");
    for (size_t i = 0; i < count; i++)
        if (timesteps[i] < 0 || (size_t)timesteps[i] >= limit ||
            (i > 0 && timesteps[i] >= timesteps[i - 1]))
            return error_set(error, ERROR_INVALID,
                             "timesteps must be falling integers 0..%zu: timesteps[%zu] is %d",
                             limit - 1, i, timesteps[i]);
    return true;
}

/* timesteps, if the request gives them, or i (T / n). */
static bool choose_timesteps(struct plan *plan, struct error *error)
{
    const size_t limit = plan->process->config.schedule.timesteps;

    if (!plan->asked[OPTION_TIMESTEPS]) {
        plan->options.given[OPTION_TIMESTEPS] = false;
        return true;
    }
    if (plan->steps_asked)
        return error_set(error, ERROR_INVALID,
                         "timesteps stand in place of steps: give one of the two");
    plan->steps = (size_t)plan->options.value[OPTION_TIMESTEPS];
    return check_list(plan->options.list[OPTION_TIMESTEPS], plan->steps, limit, error);
}

static int timestep(const struct plan *plan, size_t i)
{
    const size_t stride = plan->process->config.schedule.timesteps / plan->steps;

    return plan->options.given[OPTION_TIMESTEPS] ? plan->options.list[OPTION_TIMESTEPS][i]
                                                 : (int)((plan->steps - 1 - i) * stride);
}

/* Karras' row, rising timesteps along falling levels: the last timestep has the first level. */
static double sigma_at_step(const struct plan *plan, const double *row, size_t i)
{
    return i == plan->steps ? plan->process->config.sigma_min
                            : row[timestep(plan, plan->steps - 1 - i)];
}

static void fill_step(struct plan_step *step, const struct plan *plan, double sigma, double next)
{
    const struct process_config *config = &plan->process->config;

    step_ask(step, plan->process, (struct level){.alpha = 1.0, .sigma = sigma},
             1.0 / sqrt(sigma * sigma + config->sigma_data * config->sigma_data),
             process_model_time(plan->process, sigma));
    step->to = (struct level){.alpha = 1.0, .sigma = next};
    step->coefficient[UPDATE_X0] = 1.0;
    step->coefficient[UPDATE_NOISE] =
        config->s_noise * sqrt(fmax(next * next - config->sigma_min * config->sigma_min, 0.0));
}

static double clip_limit(const struct plan *plan)
{
    return plan->process->config.clip_denoised ? 1.0 : (double)INFINITY;
}

static bool consistency_plan(struct plan *plan, struct error *error)
{
    const struct process_config *config = &plan->process->config;
    const size_t count = config->schedule.timesteps;
    double *row;

    if (!choose_timesteps(plan, error) || !steps_allocate(plan, plan->steps, error))
        return false;
    row = malloc(count * sizeof(*row));
    if (row == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu levels", count);
    sigmas_karras(row, count, config->sigma_max, config->sigma_min, config->rho);
    for (size_t i = 0; i < plan->steps; i++) {
        fill_step(&plan->step[i], plan, sigma_at_step(plan, row, i),
                  sigma_at_step(plan, row, i + 1));
        plan->step[i].draws = plan->steps > 1;
    }
    free(row);
    plan->clip.limit = clip_limit(plan);
    plan->start_scale = process_start_scale(plan->process);
    return true;
}

static bool consistency_plan_step(struct plan *plan, const struct step_times *times,
                                  struct error *error)
{
    const double least = plan->process->config.sigma_min;
    const double next = isnan(times->to) ? least : times->to;

    if (times->from < least || next < least)
        return error_set(error, ERROR_INVALID,
                         "%s must be at least %g, the least noise of this model",
                         times->from < least ? "t" : "t_next", least);
    if (!steps_allocate(plan, 1, error))
        return false;
    fill_step(&plan->step[0], plan, times->from, next);
    plan->step[0].draws = next > least;
    plan->clip.limit = clip_limit(plan);
    return true;
}

const struct sampler sampler_consistency = {
    .name = "consistency",
    .title = "consistency model: a picture in one evaluation, a better one in a few",
    .options = {OPTION_TIMESTEPS},
    .option_count = 1,
    .runs_on = RUNS_ON_CM,
    .needs = "a consistency model",
    .option_default = consistency_default,
    .plan = consistency_plan,
    .plan_step = consistency_plan_step,
    .step_variance = update_variance,
    .begin = steps_begin,
    .advance = update_advance,
};
