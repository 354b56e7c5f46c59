#include "core/diffusion/sampler.h"
#include "core/diffusion/clip.h"

#include <stdlib.h>
#include <string.h>

static const struct sampler *const samplers[] = {
#define SAMPLER_ENTRY(name) &sampler_##name,
    SAMPLERS(SAMPLER_ENTRY)
#undef SAMPLER_ENTRY
};

#define SAMPLER_COUNT (sizeof(samplers) / sizeof(samplers[0]))

const struct sampler *sampler_find(const char *name)
{
    for (size_t i = 0; i < SAMPLER_COUNT; i++)
        if (strcmp(samplers[i]->name, name) == 0)
            return samplers[i];
    return NULL;
}

const struct sampler *sampler_at(size_t index)
{
    return index < SAMPLER_COUNT ? samplers[index] : NULL;
}

const char *sampler_refuses(const struct sampler *sampler, const struct schedule *schedule)
{
    return sampler->refuses == NULL ? NULL : sampler->refuses(schedule);
}

bool sampler_has_option(const struct sampler *sampler, enum sampler_option option)
{
    for (size_t i = 0; i < sampler->option_count; i++)
        if (sampler->options[i] == option)
            return true;
    return false;
}

static bool check_given(const struct sampler *sampler, const struct option_values *given,
                        struct error *error)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const enum sampler_option option = (enum sampler_option)i;
        const struct option_description *description = option_describe(option);

        if (!given->given[i])
            continue;
        if (!sampler_has_option(sampler, option))
            return error_set(error, ERROR_INVALID, "%s is not an option of sampler %s",
                             description->name, sampler->name);
        if (!option_allows(option, given->value[i]))
            return error_set(error, ERROR_INVALID, "%s must be %g..%g, got %g", description->name,
                             description->minimum, description->maximum, given->value[i]);
    }
    return true;
}

static void resolve_options(struct plan *plan, const struct option_values *given)
{
    for (size_t i = 0; i < plan->sampler->option_count; i++) {
        const enum sampler_option option = plan->sampler->options[i];

        plan->options.given[option] = true;
        plan->options.value[option] = given->given[option]
                                          ? given->value[option]
                                          : plan->sampler->option_default(plan->schedule, option);
    }
}

static const struct sampler *find_usable(const struct plan_request *request, struct error *error)
{
    const struct sampler *sampler = sampler_find(request->sampler);
    const char *reason;

    if (sampler == NULL) {
        error_write(error, ERROR_INVALID, "there is no sampler of that name");
        return NULL;
    }
    reason = sampler_refuses(sampler, request->schedule);
    if (reason != NULL) {
        error_write(error, ERROR_INVALID, "sampler %s: %s", sampler->name, reason);
        return NULL;
    }
    return check_given(sampler, request->options, error) ? sampler : NULL;
}

struct plan *plan_create(const struct plan_request *request, struct error *error)
{
    const struct sampler *sampler = find_usable(request, error);
    struct plan *plan;

    if (sampler == NULL)
        return NULL;
    plan = calloc(1, sizeof(*plan));
    if (plan == NULL) {
        error_write(error, ERROR_NO_MEMORY, "no memory for a plan");
        return NULL;
    }
    plan->sampler = sampler;
    plan->schedule = request->schedule;
    plan->steps = request->steps;
    plan->dim = request->dim;
    plan->output_dim = request->output_dim;
    resolve_options(plan, request->options);
    if (sampler->plan(plan, error))
        return plan;
    plan_destroy(plan);
    return NULL;
}

void plan_destroy(struct plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->step);
    free(plan);
}

void plan_predicted_x0(const struct plan *plan, const struct row *row, const float *output,
                       float *x_0)
{
    const struct conversion *conversion = &plan->step[row->step].conversion;
    const struct clip clip =
        clip_for(&plan->schedule->config, conversion, row->input, output, plan->dim, row->scratch);

    for (size_t i = 0; i < plan->dim; i++)
        x_0[i] = (float)(clip.scale * clip_value(&clip, conversion->x0_x * (double)row->input[i] +
                                                            conversion->x0_o * (double)output[i]));
}
