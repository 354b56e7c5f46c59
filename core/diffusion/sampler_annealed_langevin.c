/* Annealed Langevin dynamics (Song & Ermon 2019, algorithm 1): steps_per_level steps at each level
 * of a falling row, of size epsilon (sigma / sigma_min)^2. The row is the model's `levels` where it
 * has them, else geometric in as many levels as there are steps. */
#include "core/diffusion/langevin.h"
#include "core/diffusion/sigmas.h"
#include "core/diffusion/steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A model with levels of its own is run at these. */
static bool take_levels(struct plan *plan, struct error *error)
{
    const struct process_config *config = &plan->process->config;

    if (plan->asked[OPTION_SIGMA_MIN] || plan->asked[OPTION_SIGMA_MAX])
        return error_set(error, ERROR_INVALID,
                         "sigma_min and sigma_max have no meaning: this model has levels");
    if (plan->steps_asked && plan->steps != config->level_count)
        return error_set(error, ERROR_INVALID, "steps must be %zu, the model's levels, got %zu",
                         config->level_count, plan->steps);
    plan->steps = config->level_count;
    plan->options.value[OPTION_SIGMA_MAX] = config->levels[0];
    plan->options.value[OPTION_SIGMA_MIN] = config->levels[plan->steps - 1];
    /* What must not be asked for is not told either. */
    plan->options.given[OPTION_SIGMA_MAX] = plan->options.given[OPTION_SIGMA_MIN] = false;
    return true;
}

static bool check_range(struct plan *plan, struct error *error)
{
    double *value = plan->options.value;

    if (plan->steps < 2)
        return error_set(error, ERROR_INVALID,
                         "annealed_langevin needs at least 2 steps: each is a noise level");
    for (int i = 0; i < 2; i++) {
        const enum sampler_option option = i == 0 ? OPTION_SIGMA_MIN : OPTION_SIGMA_MAX;

        if (isnan(value[option]))
            value[option] = langevin_default(plan->process, option);
    }
    if (isnan(value[OPTION_SIGMA_MAX]))
        return error_set(error, ERROR_INVALID,
                         "sigma_max must be given: %s has no largest noise level",
                         plan->process->kind->title);
    if (!(value[OPTION_SIGMA_MIN] < value[OPTION_SIGMA_MAX]))
        return error_set(error, ERROR_INVALID, "sigma_min %g is not below sigma_max %g",
                         value[OPTION_SIGMA_MIN], value[OPTION_SIGMA_MAX]);
    return plan_check_sigma(plan, value[OPTION_SIGMA_MIN], error) &&
           plan_check_sigma(plan, value[OPTION_SIGMA_MAX], error);
}

static void fill(struct plan *plan, const double *sigma)
{
    double *value = plan->options.value;
    const double last = value[OPTION_SIGMA_MIN];

    if (isnan(value[OPTION_EPSILON]))
        value[OPTION_EPSILON] = .1 * last * last;
    langevin_repeat(plan, (size_t)value[OPTION_STEPS_PER_LEVEL]);
    for (size_t i = 0; i < plan->steps; i++) {
        const double ratio = sigma[i] / last;

        langevin_fill(plan, i, sigma[i], value[OPTION_EPSILON] * ratio * ratio, 1.0);
    }
}

static bool annealed_langevin_plan(struct plan *plan, struct error *error)
{
    const double *levels = plan->process->config.levels;
    double *value = plan->options.value;
    double *sigma;

    if (levels != NULL ? !take_levels(plan, error) : !check_range(plan, error))
        return false;
    sigma = malloc(plan->steps * sizeof(*sigma));
    if (sigma == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu levels", plan->steps);
    if (levels != NULL)
        memcpy(sigma, levels, plan->steps * sizeof(*sigma));
    else
        sigmas_exponential(sigma, plan->steps, value[OPTION_SIGMA_MAX], value[OPTION_SIGMA_MIN]);
    if (!steps_allocate(plan, plan->steps, error)) {
        free(sigma);
        return false;
    }
    fill(plan, sigma);
    free(sigma);
    return true;
}

/* Keys of that name in a config are of other samplers. */
static bool takes_config(enum sampler_option option, double value)
{
    (void)value;
    return option != OPTION_SIGMA_MIN && option != OPTION_SIGMA_MAX;
}

const struct sampler sampler_annealed_langevin = {
    .name = "annealed_langevin",
    .title = "Langevin dynamics at one falling noise level after another",
    .options = {OPTION_SIGMA_MIN, OPTION_SIGMA_MAX, OPTION_STEPS_PER_LEVEL, OPTION_EPSILON,
                OPTION_START_RANGE},
    .option_count = 5,
    .runs_on = RUNS_ON_SIGMA,
    .needs_sigma = true,
    .takes_no_picture = true,
    .needs = "noise that is N(0, I) at every level",
    .option_default = langevin_default,
    .takes_config = takes_config,
    .plan = annealed_langevin_plan,
    .draw = langevin_draw,
    .begin = langevin_begin,
    .advance = langevin_advance,
};
