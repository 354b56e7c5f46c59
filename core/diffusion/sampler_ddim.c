/* DDIM (Song et al. 2020, eq. 12 and 16) as diffusers' DDIMScheduler computes it: the target of t
 * is t - T/n whatever the spacing, and alpha_bar below timestep 0 is 1 or, with set_alpha_to_one
 * false, that of timestep 0. */
#include "core/diffusion/update.h"

#include <math.h>

static double ddim_default(const struct schedule *schedule, enum sampler_option option)
{
    return option == OPTION_SPACING ? (double)schedule->config.spacing : 0.0;
}

static double target_alpha_bar(const struct plan *plan, const struct plan_step *step)
{
    const struct schedule_config *config = &plan->schedule->config;
    const long target = (long)step->model_time - (long)(config->timesteps / plan->steps);

    if (target < 0 && config->set_alpha_to_one)
        return 1.0;
    return update_alpha_bar(plan, target < 0 ? 0 : target);
}

/* epsilon from the clipped x_0 instead of the head: (x - alpha x_0) / sigma (Nichol et al. 2021,
 * GLIDE). */
static void add_clipped_epsilon(struct plan_step *step, double factor)
{
    step->coefficient[UPDATE_X0] -= factor * step->from.alpha / step->from.sigma;
    step->coefficient[UPDATE_X] = factor / step->from.sigma;
}

static void add_epsilon(struct plan_step *step, double factor)
{
    step->coefficient[UPDATE_X] = factor * step->conversion.epsilon_x;
    step->coefficient[UPDATE_OUTPUT] = factor * step->conversion.epsilon_o;
}

static void fill_step(struct plan_step *step, const struct plan *plan)
{
    const double eta = plan->options.value[OPTION_ETA];
    const double here = update_alpha_bar(plan, (long)step->model_time);
    const double target = target_alpha_bar(plan, step);
    const double deviation = eta * sqrt((1.0 - target) / (1.0 - here) * (1.0 - here / target));
    const double direction = sqrt(fmax(1.0 - target - deviation * deviation, 0.0));

    step->to = update_level(target);
    step->draws = eta > 0.0;
    step->coefficient[UPDATE_X0] = sqrt(target);
    step->coefficient[UPDATE_NOISE] = deviation;
    if (plan->options.value[OPTION_USE_CLIPPED_MODEL_OUTPUT] != 0.0)
        add_clipped_epsilon(step, direction);
    else
        add_epsilon(step, direction);
}

static bool ddim_plan(struct plan *plan, struct error *error)
{
    if (!update_plan(plan, error))
        return false;
    for (size_t i = 0; i < plan->step_count; i++)
        fill_step(&plan->step[i], plan);
    return true;
}

static enum advance ddim_advance(struct row *row, const struct plan *plan, const float *output)
{
    if (plan->step[row->step].draws)
        update_with_noise(row, plan, output);
    else
        update_without_noise(row, plan, output);
    return update_end(row, plan);
}

const struct sampler sampler_ddim = {
    .name = "ddim",
    .title = "DDIM: few steps; deterministic unless eta is above 0",
    .options = {OPTION_SPACING, OPTION_ETA, OPTION_USE_CLIPPED_MODEL_OUTPUT},
    .option_count = 3,
    .option_default = ddim_default,
    .plan = ddim_plan,
    .begin = update_begin,
    .advance = ddim_advance,
};
