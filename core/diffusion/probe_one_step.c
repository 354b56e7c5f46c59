#include "core/diffusion/probe_one_step.h"

#include "core/diffusion/moment.h"
#include "core/diffusion/steps.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Options that say what a row of steps looks like, not what one of them does. */
static const bool is_of_row[OPTION_COUNT] = {
    [OPTION_SPACING] = true,
    [OPTION_SOLVER_ORDER] = true,
    [OPTION_SOLVER_TYPE] = true,
    [OPTION_USE_KARRAS_SIGMAS] = true,
    [OPTION_USE_EXPONENTIAL_SIGMAS] = true,
    [OPTION_FINAL_SIGMAS_TYPE] = true,
    [OPTION_LOWER_ORDER_FINAL] = true,
    [OPTION_EULER_AT_FINAL] = true,
    [OPTION_SIGMA_MIN] = true,
    [OPTION_SIGMA_MAX] = true,
    [OPTION_DISABLE_CORRECTOR] = true,
    [OPTION_SHIFT] = true,
    [OPTION_SIGMA_Q] = true,
    [OPTION_SAMPLING_EPS] = true,
    [OPTION_RTOL] = true,
    [OPTION_ATOL] = true,
    [OPTION_MAX_NFE] = true,
    [OPTION_TIMESTEPS] = true,
};

bool one_step_has(const struct sampler *sampler)
{
    return sampler->plan_step != NULL;
}

bool one_step_reads(const struct sampler *sampler, enum sampler_option option)
{
    return sampler_has_option(sampler, option) && !is_of_row[option];
}

size_t one_step_variances(const struct plan *plan)
{
    return plan->figure_count - plan->dim;
}

bool one_step_draws(const struct plan *plan)
{
    return plan->step[0].draws;
}

struct level one_step_from(const struct plan *plan)
{
    return plan->step[0].from;
}

struct level one_step_to(const struct plan *plan)
{
    return plan->step[plan->step_count - 1].to;
}

/* --- plan ------------------------------------------------------------------------------------- */

/* "ddpm, ddim, ...": those that have a single step. */
static void list_samplers(char *text, size_t size)
{
    const struct sampler *sampler;
    size_t end = 0;

    text[0] = '\0';
    for (size_t i = 0; (sampler = sampler_at(i)) != NULL && end < size; i++)
        if (one_step_has(sampler))
            end += (size_t)snprintf(text + end, size - end, "%s%s", end > 0 ? ", " : "",
                                    sampler->name);
}

static const struct sampler *find(const struct one_step_question *question, struct error *error)
{
    const struct sampler *sampler =
        plan_sampler(question->process, question->sampler, question->options, error);
    char list[300];

    if (sampler == NULL || one_step_has(sampler))
        return sampler;
    list_samplers(list, sizeof list);
    error_write(error, ERROR_INVALID, "sampler %s has no single step between two times; %s have",
                sampler->name, list);
    return NULL;
}

static bool check_times(const struct one_step_question *question, struct error *error)
{
    struct moment moment;

    if (!moment_at(&moment, question->process, question->t, "t", error))
        return false;
    if (isnan(question->t_next))
        return true;
    if (!moment_at(&moment, question->process, question->t_next, "t_next", error))
        return false;
    return question->t_next < question->t ||
           error_set(error, ERROR_INVALID,
                     "t_next must be below t, %g, or left out for a step to the data, got %g",
                     question->t, question->t_next);
}

/* What a single step does not read is not given, whoever says it. */
static bool settle_options(struct plan *plan, struct error *error)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (plan->asked[i] && is_of_row[i])
            return error_set(error, ERROR_INVALID,
                             "%s is an option of a row of steps: one step has none",
                             option_describe((enum sampler_option)i)->name);
        plan->options.given[i] = plan->options.given[i] && !is_of_row[i];
    }
    return true;
}

static bool fill(struct plan *plan, const struct one_step_question *question, struct error *error)
{
    const struct step_times times = {.from = question->t, .to = question->t_next};
    const struct sampler *sampler = plan->sampler;
    bool draws;

    plan->steps = 1;
    if (!check_times(question, error) || !plan_resolve(plan, question->options, error) ||
        !settle_options(plan, error) || !sampler->plan_step(plan, &times, error))
        return false;
    draws = one_step_draws(plan);
    assert(!draws || (plan->step_count == 1 && sampler->step_variance != NULL));
    plan->stepped = sampler;
    plan->sampler = &probe_one_step;
    plan->evaluations_due = plan->evaluations;
    plan->figure_count = plan->dim + 1;
    if (sampler->learns_variance && plan->output_dim == 2 * plan->dim)
        plan->figure_count = 2 * plan->dim;
    plan->state_floats += draws ? plan->dim : 0;
    return true;
}

struct plan *one_step_plan(const struct one_step_question *question, struct error *error)
{
    const struct sampler *sampler = find(question, error);
    struct plan *plan = sampler == NULL ? NULL
                                        : plan_new(sampler, question->process, question->dim,
                                                   question->output_dim, error);

    if (plan == NULL || fill(plan, question, error))
        return plan;
    plan_destroy(plan);
    return NULL;
}

/* --- row -------------------------------------------------------------------------------------- */

static void one_step_begin(struct row *row, const struct plan *plan)
{
    assert(row->given != NULL);
    steps_begin(row, plan);
}

static void measure_mean(struct row *row, const struct plan *plan)
{
    for (size_t i = 0; i < plan->dim; i++)
        row->figures[i] = (double)row->x[i];
}

static void measure_variance(struct row *row, const struct plan *plan, const float *output)
{
    for (size_t i = 0; i < one_step_variances(plan); i++)
        row->figures[plan->dim + i] = plan->stepped->step_variance(plan, output, i);
}

/* The step whose noise is zeros, which stand behind the sampler's own state; then x goes back to
 * where it began. */
static enum advance step_without_noise(struct row *row, const struct plan *plan,
                                       const float *output)
{
    const size_t own = plan->state_floats - plan->dim;
    const float *noise = row->given_noise;
    enum advance outcome;

    row->given_noise = row->state + own;
    outcome = plan->stepped->advance(row, plan, output);
    measure_mean(row, plan);
    row->given_noise = noise;
    row->step = 0;
    row->evaluations = 0;
    memset(row->state, 0, own * sizeof *row->state);
    memcpy(row->x, row->given, plan->dim * sizeof *row->x);
    return outcome;
}

static enum advance one_step_advance(struct row *row, const struct plan *plan, const float *output)
{
    enum advance outcome;

    if (one_step_draws(plan)) {
        outcome = step_without_noise(row, plan, output);
        if (outcome != ADVANCE_DONE)
            return outcome;
        measure_variance(row, plan, output);
        return plan->stepped->advance(row, plan, output);
    }
    outcome = plan->stepped->advance(row, plan, output);
    if (outcome == ADVANCE_DONE)
        measure_mean(row, plan);
    return outcome;
}

const struct sampler probe_one_step = {
    .name = "one_step",
    .title = "One reverse step of a sampler",
    .runs_on = RUNS_ON_ANY,
    .begin = one_step_begin,
    .advance = one_step_advance,
};
