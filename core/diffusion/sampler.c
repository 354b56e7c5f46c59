#include "core/diffusion/sampler.h"
#include "core/diffusion/clip.h"
#include "core/diffusion/conditioning.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLER_ENTRY(name) &sampler_##name,
static const struct sampler *const samplers[] = {SAMPLERS(SAMPLER_ENTRY)};
static const struct sampler *const encoders[] = {ENCODERS(SAMPLER_ENTRY)};
#undef SAMPLER_ENTRY
#define PROBE_ENTRY(name) &probe_##name,
static const struct sampler *const probes[] = {PROBES(PROBE_ENTRY) NULL};
#undef PROBE_ENTRY

#define SAMPLER_COUNT (sizeof(samplers) / sizeof(samplers[0]))
#define ENCODER_COUNT (sizeof(encoders) / sizeof(encoders[0]))

static const struct sampler *find(const struct sampler *const *table, size_t count,
                                  const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

const struct sampler *sampler_find(const char *name)
{
    return find(samplers, SAMPLER_COUNT, name);
}

const struct sampler *encoder_find(const char *name)
{
    return find(encoders, ENCODER_COUNT, name);
}

const struct sampler *sampler_at(size_t index)
{
    return index < SAMPLER_COUNT ? samplers[index] : NULL;
}

const struct sampler *sampler_any_at(size_t number)
{
    if (number < SAMPLER_COUNT)
        return samplers[number];
    if (number < SAMPLER_TOTAL)
        return encoders[number - SAMPLER_COUNT];
    return number < RUNNER_TOTAL ? probes[number - SAMPLER_TOTAL] : NULL;
}

size_t sampler_number(const struct sampler *sampler)
{
    size_t number = 0;

    while (number < RUNNER_TOTAL && sampler_any_at(number) != sampler)
        number++;
    return number;
}

/* What a process does not have of what the sampler needs. */
static bool has_all(const struct sampler *sampler, const struct process *process)
{
    return (sampler->runs_on & (1u << process->config.type)) != 0 &&
           (!sampler->needs_table || process_table(process) != NULL) &&
           (!sampler->needs_sigma || process_has_sigma(process)) &&
           (!sampler->needs_continuous || process_is_continuous(process));
}

/* Why a process of the right kind will not do, or "". */
static const char *detail(const struct process *process)
{
    if (process->config.type == PROCESS_FLOW && !process_has_sigma(process))
        return " from another base than N(0, I)";
    if (!process_is_continuous(process))
        return " whose alpha_bar ends at 0";
    if (process->config.type == PROCESS_VP && process_table(process) == NULL)
        return " with too few num_train_timesteps for betas below 1";
    return "";
}

bool sampler_runs_on(const struct sampler *sampler, const struct process *process,
                     struct error *error)
{
    if (has_all(sampler, process))
        return true;
    return error_set(error, ERROR_INVALID, "%s needs %s; this model's process is %s%s",
                     sampler->name, sampler->needs, process->kind->title, detail(process));
}

bool sampler_has_option(const struct sampler *sampler, enum sampler_option option)
{
    for (size_t i = 0; i < sampler->option_count; i++)
        if (sampler->options[i] == option)
            return true;
    return false;
}

bool sampler_has_choice(const struct sampler *sampler, enum sampler_option option, size_t choice)
{
    return option != OPTION_SPACING || (sampler->spacings & (1u << choice)) != 0;
}

bool option_is_used(enum sampler_option option)
{
    for (size_t i = 0; i < SAMPLER_COUNT; i++)
        if (sampler_has_option(samplers[i], option))
            return true;
    return false;
}

bool choice_is_used(enum sampler_option option, size_t choice)
{
    for (size_t i = 0; i < SAMPLER_TOTAL; i++)
        if (sampler_has_option(sampler_any_at(i), option) &&
            sampler_has_choice(sampler_any_at(i), option, choice))
            return true;
    return false;
}

double sampler_option_default(const struct sampler *sampler, const struct process *process,
                              enum sampler_option option)
{
    const double own = sampler->option_default(process, option);
    const double value = process_option(process, option, own);

    if (option_describe(option)->type == OPTION_CHOICE &&
        !sampler_has_choice(sampler, option, (size_t)value))
        return own;
    return sampler->takes_config == NULL || sampler->takes_config(option, value) ? value : own;
}

static bool check_value(const struct sampler *sampler, enum sampler_option option, double value,
                        struct error *error)
{
    const struct option_description *description = option_describe(option);

    if (!sampler_has_option(sampler, option))
        return error_set(error, ERROR_INVALID, "%s is not an option of sampler %s",
                         description->name, sampler->name);
    if (!option_allows(option, value))
        return error_set(error, ERROR_INVALID, "%s must be %g..%g, got %g", description->name,
                         description->minimum, description->maximum, value);
    if (description->type == OPTION_CHOICE && !sampler_has_choice(sampler, option, (size_t)value))
        return error_set(error, ERROR_INVALID, "sampler %s has no %s %s", sampler->name,
                         description->name, description->choices[(size_t)value]);
    return true;
}

static bool check_given(const struct sampler *sampler, const struct option_values *given,
                        struct error *error)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (given->given[i] &&
            !check_value(sampler, (enum sampler_option)i, given->value[i], error))
            return false;
    return true;
}

/* The lists are copied: the request's may go before the plan does. */
static bool resolve_options(struct plan *plan, const struct option_values *given,
                            struct error *error)
{
    const struct option_values *config = &plan->process->config.options;
    int *end;

    plan->lists = malloc((size_t)OPTION_LISTS * OPTION_LIST_MAX * sizeof(*plan->lists));
    if (plan->lists == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a plan");
    end = plan->lists;
    for (size_t i = 0; i < plan->sampler->option_count; i++) {
        const enum sampler_option option = plan->sampler->options[i];
        const struct option_values *from = given->given[option] ? given : config;

        plan->asked[option] = given->given[option];
        plan->options.given[option] = true;
        plan->options.value[option] =
            given->given[option] ? given->value[option]
                                 : sampler_option_default(plan->sampler, plan->process, option);
        if (option_describe(option)->type != OPTION_LIST || !from->given[option])
            continue;
        plan->options.list[option] = end;
        for (size_t k = 0; k < (size_t)from->value[option]; k++)
            *end++ = from->list[option][k];
    }
    return true;
}

struct clip_rule sampler_clip_rule(const struct sampler *sampler, const struct process *process)
{
    const struct schedule_config *config = &process->config.schedule;
    const bool clips = (sampler->clip & KNOWS_CLIP_SAMPLE) != 0 &&
                       given_or(config->clip_sample, (sampler->clip & CLIPS_BY_DEFAULT) != 0);

    return (struct clip_rule){
        .limit = clips ? config->clip_sample_range : (double)INFINITY,
        .thresholding = config->thresholding && (sampler->clip & KNOWS_THRESHOLDING) != 0,
        .ratio = config->dynamic_thresholding_ratio,
        .maximum = config->sample_max_value,
    };
}

const struct sampler *plan_sampler(const struct process *process, const char *name,
                                   const struct option_values *options, struct error *error)
{
    const struct sampler *encoder = encoder_find(name);
    const struct sampler *sampler = encoder != NULL ? encoder : sampler_find(name);

    if (sampler == NULL) {
        error_write(error, ERROR_INVALID, "there is no sampler of that name");
        return NULL;
    }
    if (!sampler_runs_on(sampler, process, error) || !check_given(sampler, options, error))
        return NULL;
    return sampler;
}

bool plan_resolve(struct plan *plan, const struct option_values *options, struct error *error)
{
    plan->clip = sampler_clip_rule(plan->sampler, plan->process);
    return resolve_options(plan, options, error);
}

static bool check_steps(const struct plan_request *request, struct error *error)
{
    const size_t limit = process_steps_limit(request->process);

    if (request->steps >= 1 && request->steps <= limit)
        return true;
    return error_set(error, ERROR_INVALID, "steps must be 1..%zu%s, got %zu", limit,
                     request->process->config.type == PROCESS_TABLE
                         ? ", the timesteps that the model was trained with"
                         : "",
                     request->steps);
}

struct plan *plan_new(const struct sampler *sampler, const struct process *process, size_t dim,
                      size_t output_dim, struct error *error)
{
    struct plan *plan = calloc(1, sizeof(*plan));

    if (plan == NULL) {
        error_write(error, ERROR_NO_MEMORY, "no memory for a plan");
        return NULL;
    }
    plan->sampler = sampler;
    plan->process = process;
    plan->dim = dim;
    plan->output_dim = output_dim;
    plan->strength = 1.0;
    return plan;
}

struct plan *plan_create(const struct plan_request *request, struct error *error)
{
    const struct sampler *sampler =
        plan_sampler(request->process, request->sampler, request->options, error);
    struct plan *plan;

    if (sampler == NULL || !check_steps(request, error))
        return NULL;
    plan = plan_new(sampler, request->process, request->dim, request->output_dim, error);
    if (plan == NULL)
        return NULL;
    plan->steps = request->steps;
    plan->steps_asked = request->steps_asked;
    if (request->has_picture)
        plan->strength = request->strength;
    if (plan_resolve(plan, request->options, error) && sampler->plan(plan, error) &&
        (!request->has_picture || conditioning_plan(plan, error))) {
        assert(plan->state_floats <= PLAN_STATE_FLOATS_MAX(plan->dim));
        if (!plan->is_adaptive)
            plan->evaluations_due = plan->evaluations;
        return plan;
    }
    plan_destroy(plan);
    return NULL;
}

void plan_destroy(struct plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->step);
    free(plan->lists);
    for (size_t i = 0; i < 2; i++)
        plan_destroy(plan->leg[i]);
    free(plan);
}

size_t plan_bytes(const struct plan *plan)
{
    size_t bytes = sizeof(*plan) + plan->step_count * sizeof(*plan->step);

    for (size_t i = 0; i < 2; i++)
        if (plan->leg[i] != NULL)
            bytes += plan_bytes(plan->leg[i]);
    return bytes;
}

size_t plan_whole_steps(const struct plan *plan)
{
    size_t whole = 0;

    /* Where entries are shared by evaluations, each evaluation is a step. */
    if (plan->evaluations != plan->step_count - plan->first)
        return plan->evaluations;
    for (size_t i = plan->first; i < plan->step_count; i++)
        whole += !plan->step[i].is_inner;
    return whole;
}

bool plan_draws(const struct plan *plan)
{
    for (size_t i = plan->first; i < plan->step_count; i++)
        if (plan->step[i].draws)
            return true;
    return false;
}

void plan_draw(const struct plan *plan, struct rng *rng, float *x)
{
    if (plan->sampler->draw != NULL) {
        plan->sampler->draw(plan, rng, x);
        return;
    }
    process_draw(plan->process, rng, x, plan->dim);
    for (size_t i = 0; i < plan->dim; i++)
        x[i] = (float)(plan->start_scale * (double)x[i]);
}

void plan_predicted_x0(const struct plan *plan, const struct row *row, const float *output,
                       float *x_0)
{
    const struct conversion *conversion = &row->conversion;
    struct clip clip;

    if (plan->sampler->predicted_x0 != NULL && plan->step[row->step].draws) {
        plan->sampler->predicted_x0(plan, row, output, x_0);
        return;
    }
    clip = clip_for(&plan->clip, conversion, row->input, output, plan->dim, row->scratch);
    for (size_t i = 0; i < plan->dim; i++)
        x_0[i] = (float)(clip.scale * clip_value(&clip, conversion->x0_x * (double)row->input[i] +
                                                            conversion->x0_o * (double)output[i]));
}
