/* DDIM run from data to noise (Song et al. 2020, section 4.3) as diffusers' DDIMInverseScheduler
 * computes it: timesteps rise, and the step to t begins at the level of t - T/n, 1 or the first of
 * the table below it. The network is asked at the target t or, in the variant of the paper, at the
 * level that x has; where that is no level of the table, about x shrunk to the first one. */
#include "core/diffusion/update.h"

#include <math.h>

static double ddim_inverse_default(const struct process *process, enum sampler_option option)
{
    (void)process;
    return option == OPTION_SPACING ? (double)SPACING_LEADING : (double)VARIANT_DIFFUSERS;
}

static bool is_of_paper(const struct plan *plan)
{
    return plan->options.value[OPTION_VARIANT] == (double)VARIANT_PAPER;
}

static double level_below(const struct plan *plan, long index)
{
    if (index < 0 && given_or(plan->process->config.schedule.set_alpha_to_one, true))
        return 1.0;
    return plan_alpha_bar(plan, index < 0 ? 0 : index);
}

static void ask_at(struct plan_step *step, const struct plan *plan, struct level from, long index)
{
    step_ask(step, plan->process, from, 1.0,
             process_model_time_at_index(plan->process, (double)index));
    step->model_level = level_of_alpha_bar(plan_alpha_bar(plan, index));
}

/* The network sees sqrt(alpha_bar_t) x at t; the noise that it says there is in x_0, too. */
static void ask_shrunk(struct plan_step *step, const struct plan *plan, struct level from,
                       long index)
{
    const struct level level = level_of_alpha_bar(plan_alpha_bar(plan, index));
    struct conversion *by = &step->conversion;

    step_ask(step, plan->process, from, level.alpha,
             process_model_time_at_index(plan->process, (double)index));
    step->model_level = level;
    *by = process_conversion(plan->process, level);
    by->x0_x = (1.0 / level.alpha - from.sigma * by->epsilon_x) / from.alpha;
    by->x0_o = -from.sigma * by->epsilon_o / from.alpha;
}

static bool fill_step(struct plan_step *step, const struct plan *plan, int timestep,
                      struct error *error)
{
    const struct schedule_config *config = &plan->process->config.schedule;
    const long below = (long)timestep - (long)(config->timesteps / plan->steps);
    const struct level from = level_of_alpha_bar(level_below(plan, below));

    if (!is_of_paper(plan))
        ask_at(step, plan, from, timestep);
    else if (below >= 0)
        ask_at(step, plan, from, below);
    else
        ask_shrunk(step, plan, from, timestep);
    step->to = level_of_alpha_bar(plan_alpha_bar(plan, timestep));
    if (isnan(step->conversion.epsilon_x) || isnan(step->conversion.x0_x) ||
        isinf(step->conversion.x0_x))
        return error_set(error, ERROR_INVALID,
                         "ddim_inverse begins at the data, where the model's output, %s, does not "
                         "say the noise",
                         head_name(process_head(plan->process)));
    step->coefficient[UPDATE_X0] = step->to.alpha;
    step->coefficient[UPDATE_X] = step->to.sigma * step->conversion.epsilon_x * step->input_scale;
    step->coefficient[UPDATE_OUTPUT] = step->to.sigma * step->conversion.epsilon_o;
    return true;
}

static bool fill(struct plan *plan, int *timesteps, struct error *error)
{
    const enum spacing spacing = (enum spacing)plan->options.value[OPTION_SPACING];
    const struct schedule *table = process_table(plan->process);

    if (!schedule_timesteps(table, spacing, plan->steps, timesteps, error) ||
        !steps_allocate(plan, plan->steps, error))
        return false;
    for (size_t i = 0; i < plan->steps; i++)
        if (!fill_step(&plan->step[i], plan, timesteps[plan->steps - 1 - i], error))
            return false;
    plan->start_scale = 1.0;
    return true;
}

static bool ddim_inverse_plan(struct plan *plan, struct error *error)
{
    return with_timesteps(plan, fill, error);
}

const struct sampler sampler_ddim_inverse = {
    .name = "ddim_inverse",
    .title = "DDIM from data to noise",
    .options = {OPTION_SPACING, OPTION_VARIANT},
    .option_count = 2,
    .spacings = SPACING_BIT(LEADING) | SPACING_BIT(TRAILING),
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .takes_no_picture = true,
    .needs = "a beta table",
    .clip = KNOWS_CLIP_SAMPLE | CLIPS_BY_DEFAULT,
    .option_default = ddim_inverse_default,
    .plan = ddim_inverse_plan,
    .begin = steps_begin,
    .advance = update_advance,
};
