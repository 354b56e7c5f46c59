#include "core/diffusion/ve_tutorial.h"

#include "core/diffusion/single_step.h"
#include "core/diffusion/update.h"

#include <math.h>

double ve_tutorial_default(const struct process *process, enum sampler_option option)
{
    const double largest = process_sigma_max(process);

    (void)option;
    if (process->config.type == PROCESS_VE_LINEAR)
        return process->config.sigma_q;
    return isfinite(largest) ? largest : (double)NAN;
}

static bool check_sigma_q(const struct plan *plan, double sigma_q, struct error *error)
{
    const struct process *process = plan->process;

    if (isnan(sigma_q))
        return error_set(error, ERROR_INVALID,
                         "sigma_q must be given: %s has no largest noise level",
                         process->kind->title);
    if (process->config.type == PROCESS_VE_LINEAR && sigma_q != process->config.sigma_q)
        return error_set(error, ERROR_INVALID, "sigma_q of this model is %g and cannot be changed",
                         process->config.sigma_q);
    return plan_check_sigma(plan, sigma_q, error) &&
           plan_check_sigma(plan, sigma_q * sqrt(1.0 / (double)plan->steps), error);
}

/* x' = x + share (x_0 - x) + deviation z; of x_0, `conversion` is that of input_scale * x. */
static void fill_step(struct plan_step *step, double share, double deviation)
{
    const struct conversion *conversion = &step->conversion;

    step->draws = deviation > 0.0;
    step->coefficient[UPDATE_X] = 1.0 - share + share * conversion->x0_x * step->input_scale;
    step->coefficient[UPDATE_OUTPUT] = share * conversion->x0_o;
    step->coefficient[UPDATE_NOISE] = deviation;
}

/* The fraction is of times that are as the squares of sigma, whatever sigma_q. */
bool ve_tutorial_plan_step(struct plan *plan, double (*fraction)(double t, double next),
                           double noise, const struct step_times *times, struct error *error)
{
    struct plan_step *step;
    double sigma[2];

    if (!sigmas_of_step(sigma, plan, times, error) || !steps_allocate(plan, 1, error))
        return false;
    step = &plan->step[0];
    step_ask_at_sigma(step, plan->process, sigma[0]);
    step->to = (struct level){.alpha = 1.0, .sigma = sigma[1]};
    fill_step(step, fraction(sigma[0] * sigma[0], sigma[1] * sigma[1]),
              noise * sqrt((sigma[0] - sigma[1]) * (sigma[0] + sigma[1])));
    return steps_check_x0(plan, error);
}

bool ve_tutorial_plan(struct plan *plan, double (*fraction)(double t, double next), double noise,
                      struct error *error)
{
    const double sigma_q = plan->options.value[OPTION_SIGMA_Q], n = (double)plan->steps;

    if (!check_sigma_q(plan, sigma_q, error) || !steps_allocate(plan, plan->steps, error))
        return false;
    plan->start_scale = sigma_q;
    for (size_t i = 0; i < plan->steps; i++) {
        const double t = (double)(plan->steps - i) / n, next = (double)(plan->steps - i - 1) / n;
        struct plan_step *step = &plan->step[i];

        step_ask_at_sigma(step, plan->process, sigma_q * sqrt(t));
        step->to = (struct level){.alpha = 1.0, .sigma = sigma_q * sqrt(next)};
        fill_step(step, fraction(t, next), noise * sigma_q * sqrt(1.0 / n));
    }
    return steps_check_x0(plan, error);
}
