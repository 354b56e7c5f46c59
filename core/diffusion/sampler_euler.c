/* Euler's method with churn (Karras et al. 2022, algorithm 2 without its second-order correction)
 * as diffusers' EulerDiscreteScheduler runs it. Without churn no noise is drawn.
 *
 * x is in VE coordinates, x_0 + sigma noise. A step that churns has asked the model at sigma before
 * it raises x to hat = sigma (1 + gamma): what the output says of x_0 there is
 * x_0 = a x_hat + b output, and Euler from hat to the next level is linear in x, output, noise. */
#include "core/diffusion/ladder_plan.h"
#include "core/diffusion/single_step.h"
#include "core/diffusion/update.h"

#include <math.h>

/* plan_step.coefficient behind update's: x_0 of a step that churns. */
enum { X0_X = UPDATE_COUNT, X0_OUTPUT, X0_NOISE };

/* How much one step raises the level, relatively. */
static double gamma_of(const struct plan *plan, double sigma)
{
    const double *value = plan->options.value;
    const double highest = isnan(value[OPTION_S_TMAX]) ? (double)INFINITY : value[OPTION_S_TMAX];

    if (sigma < value[OPTION_S_TMIN] || sigma > highest)
        return 0.0;
    return fmin(value[OPTION_S_CHURN] / (double)plan->step_count, sqrt(2.0) - 1.0);
}

/* An output that says the noise is taken from x_hat at its own level; one that speaks of x, as if
 * x_hat were still at sigma. */
static void fill_x0(struct plan_step *step, double hat)
{
    const bool says_noise = step->conversion.epsilon_x == 0.0;

    step->coefficient[X0_X] = says_noise ? 1.0 : step->conversion.x0_x * step->input_scale;
    step->coefficient[X0_OUTPUT] =
        says_noise ? -hat * step->conversion.epsilon_o : step->conversion.x0_o;
}

static void fill_step(struct plan_step *step, const struct plan *plan, double sigma, double next)
{
    const double gamma = gamma_of(plan, sigma), hat = sigma * (1.0 + gamma);
    const double kept = next / hat; /* x' = x_0 + kept (x_hat - x_0) */
    const double raised =
        plan->options.value[OPTION_S_NOISE] * sqrt(fmax(hat * hat - sigma * sigma, 0.0));

    fill_x0(step, hat);
    step->to = (struct level){.alpha = 1.0, .sigma = next};
    step->draws = gamma > 0.0;
    step->coefficient[UPDATE_X] = kept + (1.0 - kept) * step->coefficient[X0_X];
    step->coefficient[UPDATE_OUTPUT] = (1.0 - kept) * step->coefficient[X0_OUTPUT];
    step->coefficient[UPDATE_NOISE] = step->coefficient[UPDATE_X] * raised;
    step->coefficient[X0_NOISE] = step->coefficient[X0_X] * raised;
}

static bool fill(struct plan *plan, const struct ladder *ladder, struct error *error)
{
    if (!steps_allocate(plan, ladder->n, error))
        return false;
    for (size_t i = 0; i < ladder->n; i++) {
        step_ask_on_ladder(&plan->step[i], plan->process, ladder, i);
        fill_step(&plan->step[i], plan, ladder->sigma[i], ladder->sigma[i + 1]);
    }
    return steps_check_x0(plan, error);
}

static bool euler_plan(struct plan *plan, struct error *error)
{
    struct ladder ladder;
    bool is_good;

    if (!ladder_plan_euler(&ladder, plan, error))
        return false;
    is_good = fill(plan, &ladder, error);
    ladder_finish(&ladder);
    return is_good;
}

static bool euler_plan_step(struct plan *plan, const struct step_times *times, struct error *error)
{
    struct rungs rungs;
    const struct ladder ladder = ladder_of_step(&rungs, plan, times);

    return fill(plan, &ladder, error);
}

/* The noise that the step will draw, from a copy of the row's generator. */
static void euler_predicted_x0(const struct plan *plan, const struct row *row, const float *output,
                               float *x_0)
{
    const double *c = plan->step[row->step].coefficient;
    struct rng ahead = row->rng;

    rng_randn(&ahead, row->noise, plan->dim);
    for (size_t i = 0; i < plan->dim; i++)
        x_0[i] = (float)(c[X0_X] * (double)row->x[i] + c[X0_OUTPUT] * (double)output[i] +
                         c[X0_NOISE] * (double)row->noise[i]);
}

static double euler_default(const struct process *process, enum sampler_option option)
{
    static const double defaults[OPTION_COUNT] = {[OPTION_SPACING] = SPACING_LINSPACE,
                                                  [OPTION_SIGMA_MIN] = (double)NAN,
                                                  [OPTION_SIGMA_MAX] = (double)NAN,
                                                  [OPTION_S_TMAX] = (double)NAN,
                                                  [OPTION_S_NOISE] = 1.0};

    (void)process;
    return defaults[option];
}

const struct sampler sampler_euler = {
    .name = "euler",
    .title = "Euler: one step of the ODE per level; deterministic unless s_churn is above 0",
    .options = {OPTION_SPACING, OPTION_USE_KARRAS_SIGMAS, OPTION_USE_EXPONENTIAL_SIGMAS,
                OPTION_SIGMA_MIN, OPTION_SIGMA_MAX, OPTION_FINAL_SIGMAS_TYPE, OPTION_S_CHURN,
                OPTION_S_TMIN, OPTION_S_TMAX, OPTION_S_NOISE},
    .option_count = 10,
    .spacings = SPACINGS_OF_DIFFUSERS,
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .option_default = euler_default,
    .plan = euler_plan,
    .plan_step = euler_plan_step,
    .step_variance = update_variance,
    .begin = steps_begin,
    .predicted_x0 = euler_predicted_x0,
    .advance = update_advance,
};
