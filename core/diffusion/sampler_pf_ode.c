/* The probability flow ODE of a process (Song et al. 2021, section 4.3), or a flow's own, from
 * t_max down to sampling_eps, or up from data to noise: by Euler, Heun or RK4 in even steps, or by
 * RK45 in steps of its own for each sample. Euler down VE takes the levels of its discrete form, as
 * the paper's code does. */
#include "core/diffusion/ode.h"
#include "core/diffusion/ode_rk45.h"
#include "core/diffusion/single_step.h"

static double pf_ode_default(const struct process *process, enum sampler_option option)
{
    const double defaults[OPTION_COUNT] = {
        [OPTION_METHOD] = METHOD_HEUN,
        [OPTION_RTOL] = 1e-5,
        [OPTION_ATOL] = 1e-5,
        [OPTION_MAX_NFE] = 10000.0,
        [OPTION_SAMPLING_EPS] = process_sampling_eps(process),
    };

    return defaults[option];
}

static enum method method_of(const struct plan *plan)
{
    return (enum method)plan->options.value[OPTION_METHOD];
}

static bool is_upward(const struct plan *plan)
{
    return plan->sampler == &sampler_pf_ode_inverse;
}

static double start_of(const struct plan *plan)
{
    return is_upward(plan) ? plan->options.value[OPTION_SAMPLING_EPS]
                           : process_t_max(plan->process);
}

static double end_of(const struct plan *plan)
{
    return is_upward(plan) ? process_t_max(plan->process)
                           : plan->options.value[OPTION_SAMPLING_EPS];
}

static double time_at(const struct plan *plan, size_t i)
{
    const double start = start_of(plan), end = end_of(plan);

    return i == plan->steps ? end : start + (double)i * (end - start) / (double)plan->steps;
}

/* --- plan: euler on VE ------------------------------------------------------------------------ */

/* Of level `left` from the end; below the lowest there is no noise. */
static double discrete_sigma(const struct plan *plan, size_t left)
{
    if (left == 0)
        return 0.0;
    return process_level(plan->process, (double)(left - 1) / (double)(plan->steps - 1)).sigma;
}

/* x' = x + (s_k^2 - s_{k-1}^2) S / 2. */
static void fill_ve_step(struct plan_step *step, const struct plan *plan, double t,
                         const double sigma[2])
{
    const double from = sigma[0], to = sigma[1];

    step_ask_at_time(step, plan->process, t);
    step->to = (struct level){.alpha = 1.0, .sigma = to};
    ode_fill_only(step, process_score(plan->process, step->from), (from - to) * (from + to) / 2.0);
}

static bool plan_ve_euler(struct plan *plan, struct error *error)
{
    if (plan->steps < 2)
        return error_set(error, ERROR_INVALID, "method euler needs at least 2 steps on process ve");
    if (!steps_allocate(plan, plan->steps, error))
        return false;
    plan->start_scale = process_start_scale(plan->process);
    for (size_t i = 0; i < plan->steps; i++) {
        const double end = plan->options.value[OPTION_SAMPLING_EPS];
        const double t = 1.0 - (double)i * (1.0 - end) / (double)(plan->steps - 1);

        fill_ve_step(&plan->step[i], plan, t,
                     (const double[]){discrete_sigma(plan, plan->steps - i),
                                      discrete_sigma(plan, plan->steps - i - 1)});
    }
    return true;
}

static bool plan_ve_euler_step(struct plan *plan, const struct step_times *times,
                               struct error *error)
{
    double sigma[2];

    if (!sigmas_of_step(sigma, plan, times, error) || !steps_allocate(plan, 1, error))
        return false;
    fill_ve_step(&plan->step[0], plan, times->from, sigma);
    return true;
}

/* --- plan ------------------------------------------------------------------------------------- */

static bool plan_rk45(struct plan *plan, struct error *error)
{
    const struct ode_rk45_path path = {.start = start_of(plan),
                                       .end = end_of(plan),
                                       .points_max = (size_t)plan->options.value[OPTION_MAX_NFE]};

    if (plan->steps_asked)
        return error_set(error, ERROR_INVALID, "method rk45 chooses its steps itself");
    return ode_rk45_plan(plan, &path, error);
}

static bool take_back_tolerances(struct plan *plan, struct error *error)
{
    static const enum sampler_option options[] = {OPTION_RTOL, OPTION_ATOL, OPTION_MAX_NFE};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (plan->asked[options[i]])
            return error_set(error, ERROR_INVALID, "%s is of method rk45",
                             option_describe(options[i])->name);
        plan->options.given[options[i]] = false;
    }
    return true;
}

static const struct ode_method *const methods[] = {
    [METHOD_EULER] = &ode_euler, [METHOD_HEUN] = &ode_heun, [METHOD_RK4] = &ode_rk4};

static bool pf_ode_plan_step(struct plan *plan, const struct step_times *times, struct error *error)
{
    const enum method method = method_of(plan);

    if (method == METHOD_RK45)
        return error_set(error, ERROR_INVALID,
                         "method must be euler, heun or rk4: rk45 makes steps of its own");
    if (method == METHOD_EULER && plan->process->config.type == PROCESS_VE)
        return plan_ve_euler_step(plan, times, error);
    return ode_plan_step(plan, methods[method], times, error);
}

static bool pf_ode_plan(struct plan *plan, struct error *error)
{
    const enum method method = method_of(plan);

    if (!plan_check_sampling_eps(plan, error))
        return false;
    if (method == METHOD_RK45)
        return plan_rk45(plan, error);
    if (!take_back_tolerances(plan, error))
        return false;
    if (method == METHOD_EULER && plan->process->config.type == PROCESS_VE && !is_upward(plan))
        return plan_ve_euler(plan, error);
    return ode_plan(
        plan,
        &(struct ode_path){.time = time_at, .method = methods[method], .last = methods[method]},
        error);
}

/* --- row -------------------------------------------------------------------------------------- */

static void pf_ode_begin(struct row *row, const struct plan *plan)
{
    (plan->is_adaptive ? ode_rk45_begin : steps_begin)(row, plan);
}

static enum advance pf_ode_advance(struct row *row, const struct plan *plan, const float *output)
{
    return plan->is_adaptive ? ode_rk45_advance(row, plan, output, NULL)
                             : ode_advance(row, plan, output);
}

const struct sampler sampler_pf_ode = {
    .name = "pf_ode",
    .title = "The process's own ordinary differential equation: no noise but the start's",
    .options = {OPTION_METHOD, OPTION_RTOL, OPTION_ATOL, OPTION_MAX_NFE, OPTION_SAMPLING_EPS},
    .option_count = 5,
    .runs_on = RUNS_ON_SIGMA,
    .needs_continuous = true,
    .needs = "a process in continuous time",
    .option_default = pf_ode_default,
    .plan = pf_ode_plan,
    .plan_step = pf_ode_plan_step,
    .begin = pf_ode_begin,
    .advance = pf_ode_advance,
};

const struct sampler sampler_pf_ode_inverse = {
    .name = "pf_ode_inverse",
    .title = "The process's own ordinary differential equation, from data to noise",
    .options = {OPTION_METHOD, OPTION_RTOL, OPTION_ATOL, OPTION_MAX_NFE, OPTION_SAMPLING_EPS},
    .option_count = 5,
    .runs_on = RUNS_ON_SIGMA,
    .needs_continuous = true,
    .needs = "a process in continuous time",
    .option_default = pf_ode_default,
    .plan = pf_ode_plan,
    .begin = pf_ode_begin,
    .advance = pf_ode_advance,
};
