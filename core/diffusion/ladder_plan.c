#include "core/diffusion/ladder_plan.h"

#include <math.h>

static bool is_true(const struct plan *plan, enum sampler_option option)
{
    return plan->options.given[option] && plan->options.value[option] != 0.0;
}

static double number(const struct plan *plan, enum sampler_option option)
{
    return plan->options.given[option] ? plan->options.value[option] : (double)NAN;
}

/* One that the request asks for replaces the config's other. */
static bool settle_rows(struct plan *plan, struct error *error)
{
    const bool karras = plan->asked[OPTION_USE_KARRAS_SIGMAS];
    const bool exponential = plan->asked[OPTION_USE_EXPONENTIAL_SIGMAS];

    if (!is_true(plan, OPTION_USE_KARRAS_SIGMAS) || !is_true(plan, OPTION_USE_EXPONENTIAL_SIGMAS))
        return true;
    if (karras == exponential)
        return error_set(error, ERROR_INVALID,
                         "use_karras_sigmas and use_exponential_sigmas cannot both be true");
    plan->options.value[karras ? OPTION_USE_EXPONENTIAL_SIGMAS : OPTION_USE_KARRAS_SIGMAS] = 0.0;
    return true;
}

static bool check_bound(struct plan *plan, enum sampler_option option, struct error *error)
{
    if (is_true(plan, OPTION_USE_KARRAS_SIGMAS) || is_true(plan, OPTION_USE_EXPONENTIAL_SIGMAS))
        return true;
    if (plan->asked[option] && !isnan(plan->options.value[option]))
        return error_set(error, ERROR_INVALID,
                         "%s has no meaning without use_karras_sigmas or use_exponential_sigmas",
                         option_describe(option)->name);
    plan->options.given[option] = false;
    return true;
}

/* Of a request or config that gives one end of the range, or both. */
static bool check_falling(const struct ladder *ladder, const struct ladder_request *request,
                          struct error *error)
{
    const double high = isnan(request->sigma_max) ? ladder->sigma[0] : request->sigma_max;
    const double low =
        isnan(request->sigma_min) ? ladder->sigma[ladder->n - 1] : request->sigma_min;

    if (low < high || (isnan(request->sigma_min) && isnan(request->sigma_max)))
        return true;
    return error_set(error, ERROR_INVALID, "sigma_min %g is not below sigma_max %g", low, high);
}

bool ladder_plan(struct ladder *ladder, struct plan *plan, const struct ladder_request *request,
                 struct error *error)
{
    struct ladder_request whole = *request;

    if (!settle_rows(plan, error) || !check_bound(plan, OPTION_SIGMA_MIN, error) ||
        !check_bound(plan, OPTION_SIGMA_MAX, error))
        return false;
    whole.schedule = process_table(plan->process);
    whole.n = plan->steps;
    whole.spacing = (enum spacing)plan->options.value[OPTION_SPACING];
    whole.karras = is_true(plan, OPTION_USE_KARRAS_SIGMAS);
    whole.exponential = is_true(plan, OPTION_USE_EXPONENTIAL_SIGMAS);
    whole.sigma_min = number(plan, OPTION_SIGMA_MIN);
    whole.sigma_max = number(plan, OPTION_SIGMA_MAX);
    whole.final_is_sigma_min = number(plan, OPTION_FINAL_SIGMAS_TYPE) == (double)FINAL_SIGMA_MIN;
    if (!ladder_init(ladder, &whole, error))
        return false;
    if (check_falling(ladder, &whole, error))
        return true;
    ladder_finish(ladder);
    return false;
}

bool ladder_plan_euler(struct ladder *ladder, struct plan *plan, struct error *error)
{
    const struct ladder_request request = {.family = LADDER_EULER,
                                           .lambda_min_clipped = (double)-INFINITY};

    if (!ladder_plan(ladder, plan, &request, error))
        return false;
    plan->start_scale = ladder->start_scale;
    plan_warn_of_one_step(plan);
    return true;
}

void step_ask_on_ladder(struct plan_step *step, const struct process *process,
                        const struct ladder *ladder, size_t i)
{
    const double sigma = ladder->sigma[i];

    step_ask(step, process, (struct level){.alpha = 1.0, .sigma = sigma},
             level_of_sigma(sigma).alpha,
             process_model_time_at_index(process, ladder->timestep[i]));
}
