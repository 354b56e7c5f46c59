/* DDPM (Ho et al. 2020, algorithm 2) on any sub-sequence of the timesteps, as diffusers'
 * DDPMScheduler strides it: beta is 1 - alpha_bar_t / alpha_bar_p, where p is the next timestep of
 * the list and alpha_bar_p is 1 after the last. */
#include "core/base/math.h"
#include "core/diffusion/single_step.h"
#include "core/diffusion/update.h"
#include "core/diffusion/variance.h"

#include <math.h>

/* learned_range only: the logarithm of the deviation is noise + slope * v (Nichol & Dhariwal 2021,
 * eq. 15; v is what the network says, -1..1). */
enum { DDPM_SLOPE = UPDATE_COUNT };

/* diffusers keeps the posterior variance and the logarithms of both bounds from -infinity. */
#define VARIANCE_MIN 1e-20

static void fixed_small(struct plan_step *step, double variance, double beta)
{
    (void)beta;
    step->coefficient[UPDATE_NOISE] = sqrt(variance);
}

static void fixed_large(struct plan_step *step, double variance, double beta)
{
    (void)variance;
    step->coefficient[UPDATE_NOISE] = sqrt(beta);
}

static void learned(struct plan_step *step, double variance, double beta)
{
    (void)step;
    (void)variance;
    (void)beta;
}

/* ln deviation = (f ln beta + (1 - f) ln variance) / 2 with f = (v + 1) / 2. */
static void learned_range(struct plan_step *step, double variance, double beta)
{
    const double largest = math_log(fmax(beta, VARIANCE_MIN)), smallest = math_log(variance);

    step->coefficient[UPDATE_NOISE] = (largest + smallest) / 4.0;
    step->coefficient[DDPM_SLOPE] = (largest - smallest) / 4.0;
}

static void update_learned(struct row *row, const struct plan *plan, const float *output)
{
    const struct update update = update_for(row, plan, output);
    const float *variance = output + plan->dim;

    row_draw(row, plan);
    for (size_t i = 0; i < plan->dim; i++)
        row->x[i] = (float)(update_mean(&update, (double)row->x[i], (double)output[i]) +
                            sqrt((double)variance[i]) * (double)row->noise[i]);
}

static void update_learned_range(struct row *row, const struct plan *plan, const float *output)
{
    const struct update update = update_for(row, plan, output);
    const double slope = plan->step[row->step].coefficient[DDPM_SLOPE];
    const float *v = output + plan->dim;

    row_draw(row, plan);
    for (size_t i = 0; i < plan->dim; i++)
        row->x[i] = (float)(update_mean(&update, (double)row->x[i], (double)output[i]) +
                            math_exp(update.noise + slope * (double)v[i]) * (double)row->noise[i]);
}

static const struct {
    void (*deviation)(struct plan_step *step, double variance, double beta);
    void (*update)(struct row *row, const struct plan *plan, const float *output);
} variances[] = {
    [VARIANCE_FIXED_SMALL] = {fixed_small, update_with_noise},
    [VARIANCE_FIXED_SMALL_LOG] = {fixed_small, update_with_noise},
    [VARIANCE_FIXED_LARGE] = {fixed_large, update_with_noise},
    [VARIANCE_LEARNED] = {learned, update_learned},
    [VARIANCE_LEARNED_RANGE] = {learned_range, update_learned_range},
};

static enum variance_type variance_type(const struct plan *plan)
{
    return (enum variance_type)plan->options.value[OPTION_VARIANCE_TYPE];
}

static double ddpm_default(const struct process *process, enum sampler_option option)
{
    (void)process;
    return option == OPTION_SPACING ? (double)SPACING_LEADING : (double)VARIANCE_FIXED_SMALL;
}

/* Ho et al. 2020, eq. 7. */
static void fill_step(struct plan_step *step, enum variance_type type, double alpha_bar,
                      double alpha_bar_next)
{
    const double alpha = alpha_bar / alpha_bar_next, beta = 1.0 - alpha;
    const double rest = 1.0 - alpha_bar, rest_next = 1.0 - alpha_bar_next;

    step->to = level_of_alpha_bar(alpha_bar_next);
    step->coefficient[UPDATE_X0] = sqrt(alpha_bar_next) * beta / rest;
    step->coefficient[UPDATE_X] = sqrt(alpha) * rest_next / rest;
    variances[type].deviation(step, fmax(rest_next / rest * beta, VARIANCE_MIN), beta);
}

static bool fill(struct plan *plan, int *timesteps, struct error *error)
{
    if (!update_plan(plan, timesteps, error))
        return false;
    for (size_t i = 0; i < plan->step_count; i++) {
        const long next = i + 1 < plan->step_count ? (long)timesteps[i + 1] : -1;

        fill_step(&plan->step[i], variance_type(plan), plan_alpha_bar(plan, timesteps[i]),
                  plan_alpha_bar(plan, next));
        plan->step[i].draws = timesteps[i] > 0;
    }
    return true;
}

static bool check_variance(const struct plan *plan, struct error *error)
{
    return variance_check(plan->process, variance_type(plan), plan->output_dim == 2 * plan->dim,
                          error);
}

static bool ddpm_plan(struct plan *plan, struct error *error)
{
    return check_variance(plan, error) && with_timesteps(plan, fill, error);
}

static bool ddpm_plan_step(struct plan *plan, const struct step_times *times, struct error *error)
{
    struct table_step step;

    if (!check_variance(plan, error) || !table_step_plan(plan, times, &step, error))
        return false;
    fill_step(&plan->step[0], variance_type(plan), step.alpha_bar, step.alpha_bar_next);
    plan->step[0].draws = step.index > 0.0;
    return true;
}

static double ddpm_step_variance(const struct plan *plan, const float *output, size_t i)
{
    const double *c = plan->step[0].coefficient;

    if (variance_type(plan) == VARIANCE_LEARNED)
        return (double)output[plan->dim + i];
    if (variance_type(plan) == VARIANCE_LEARNED_RANGE)
        return math_exp(2.0 * (c[UPDATE_NOISE] + c[DDPM_SLOPE] * (double)output[plan->dim + i]));
    return update_variance(plan, output, i);
}

static enum advance ddpm_advance(struct row *row, const struct plan *plan, const float *output)
{
    if (plan->step[row->step].draws)
        variances[variance_type(plan)].update(row, plan, output);
    else
        update_without_noise(row, plan, output);
    return row_next(row, plan);
}

const struct sampler sampler_ddpm = {
    .name = "ddpm",
    .title = "DDPM: ancestral sampling, fresh noise in every step",
    .options = {OPTION_SPACING, OPTION_VARIANCE_TYPE},
    .option_count = 2,
    .spacings = SPACINGS_OF_DIFFUSERS | SPACING_BIT(QUADRATIC),
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .clip = KNOWS_CLIP_SAMPLE | CLIPS_BY_DEFAULT | KNOWS_THRESHOLDING,
    .option_default = ddpm_default,
    .plan = ddpm_plan,
    .plan_step = ddpm_plan_step,
    .step_variance = ddpm_step_variance,
    .learns_variance = true,
    .begin = steps_begin,
    .advance = ddpm_advance,
};
