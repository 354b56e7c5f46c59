/* DDIM (Song et al. 2020, eq. 12 and 16) as diffusers' DDIMScheduler computes it: the target of t
 * is t - T/n whatever the spacing, and alpha_bar below timestep 0 is 1 or, with set_alpha_to_one
 * false, that of timestep 0. */
#include "core/diffusion/single_step.h"
#include "core/diffusion/update.h"

#include <math.h>

static double ddim_default(const struct process *process, enum sampler_option option)
{
    (void)process;
    return option == OPTION_SPACING ? (double)SPACING_LEADING : 0.0;
}

static double target_alpha_bar(const struct plan *plan, long target)
{
    if (target < 0 && given_or(plan->process->config.schedule.set_alpha_to_one, true))
        return 1.0;
    return plan_alpha_bar(plan, target < 0 ? 0 : target);
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

/* What the direction leaves room for, and what is added. Sigma-hat is the deviation of one step of
 * the forward process, added where there is a level to go to. */
static void fill_step(struct plan_step *step, const struct plan *plan, double here, double target,
                      bool is_last)
{
    const bool sigma_hat = plan->options.value[OPTION_SIGMA_HAT] != 0.0;
    const double eta = sigma_hat ? 1.0 : plan->options.value[OPTION_ETA];
    const double deviation = eta * sqrt((1.0 - target) / (1.0 - here) * (1.0 - here / target));
    const double direction = sqrt(fmax(1.0 - target - deviation * deviation, 0.0));
    const double added = is_last ? 0.0 : sqrt(1.0 - here / target);

    step->to = level_of_alpha_bar(target);
    step->draws = eta > 0.0;
    step->coefficient[UPDATE_X0] = sqrt(target);
    step->coefficient[UPDATE_NOISE] = sigma_hat ? added : deviation;
    if (plan->options.value[OPTION_USE_CLIPPED_MODEL_OUTPUT] != 0.0)
        add_clipped_epsilon(step, direction);
    else
        add_epsilon(step, direction);
}

/* quadratic is not even, so its target is the next entry (ermongroup/ddim). */
static long next_timestep(const struct plan *plan, const int *timesteps, size_t i)
{
    const size_t stride = plan->process->config.schedule.timesteps / plan->steps;

    if ((enum spacing)plan->options.value[OPTION_SPACING] != SPACING_QUADRATIC)
        return (long)timesteps[i] - (long)stride;
    return i + 1 < plan->step_count ? (long)timesteps[i + 1] : -1;
}

static bool fill(struct plan *plan, int *timesteps, struct error *error)
{
    if (!update_plan(plan, timesteps, error))
        return false;
    for (size_t i = 0; i < plan->step_count; i++) {
        const long next = next_timestep(plan, timesteps, i);

        fill_step(&plan->step[i], plan, plan_alpha_bar(plan, timesteps[i]),
                  target_alpha_bar(plan, next), next < 0);
    }
    return true;
}

static bool settle_eta(struct plan *plan, struct error *error)
{
    if (plan->options.value[OPTION_SIGMA_HAT] != 0.0) {
        if (plan->asked[OPTION_ETA])
            return error_set(error, ERROR_INVALID, "eta has no meaning beside sigma_hat");
        plan->options.given[OPTION_ETA] = false;
    }
    return true;
}

static bool ddim_plan(struct plan *plan, struct error *error)
{
    return settle_eta(plan, error) && with_timesteps(plan, fill, error);
}

static bool ddim_plan_step(struct plan *plan, const struct step_times *times, struct error *error)
{
    struct table_step step;

    if (!settle_eta(plan, error) || !table_step_plan(plan, times, &step, error))
        return false;
    fill_step(&plan->step[0], plan, step.alpha_bar, step.alpha_bar_next, step.next < 0.0);
    return true;
}

const struct sampler sampler_ddim = {
    .name = "ddim",
    .title = "DDIM: few steps; deterministic unless eta is above 0",
    .options = {OPTION_SPACING, OPTION_ETA, OPTION_SIGMA_HAT, OPTION_USE_CLIPPED_MODEL_OUTPUT},
    .option_count = 4,
    .spacings = SPACINGS_OF_DIFFUSERS | SPACING_BIT(QUADRATIC),
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .clip = KNOWS_CLIP_SAMPLE | CLIPS_BY_DEFAULT | KNOWS_THRESHOLDING,
    .option_default = ddim_default,
    .plan = ddim_plan,
    .plan_step = ddim_plan_step,
    .step_variance = update_variance,
    .begin = steps_begin,
    .advance = update_advance,
};
