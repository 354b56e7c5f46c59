#include "core/diffusion/update.h"

#include "core/base/math.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct update update_for(const struct row *row, const struct plan *plan, const float *output)
{
    const struct plan_step *step = &plan->step[row->step];
    const struct clip clip = clip_for(&plan->schedule->config, &step->conversion, row->x, output,
                                      plan->dim, row->scratch);

    return (struct update){.x0_x = step->conversion.x0_x,
                           .x0_o = step->conversion.x0_o,
                           .clip = clip,
                           .x0 = step->coefficient[UPDATE_X0] * clip.scale,
                           .x = step->coefficient[UPDATE_X],
                           .output = step->coefficient[UPDATE_OUTPUT],
                           .noise = step->coefficient[UPDATE_NOISE]};
}

void update_without_noise(struct row *row, const struct plan *plan, const float *output)
{
    const struct update update = update_for(row, plan, output);
    float *restrict x = row->x;

    for (size_t i = 0; i < plan->dim; i++)
        x[i] = (float)update_mean(&update, (double)x[i], (double)output[i]);
}

void update_with_noise(struct row *row, const struct plan *plan, const float *output)
{
    const struct update update = update_for(row, plan, output);
    const float *noise = row->noise;
    float *restrict x = row->x;

    rng_randn(&row->rng, row->noise, plan->dim);
    for (size_t i = 0; i < plan->dim; i++)
        x[i] = (float)(update_mean(&update, (double)x[i], (double)output[i]) +
                       update.noise * (double)noise[i]);
}

double update_alpha_bar(const struct plan *plan, long timestep)
{
    return plan->schedule->alpha_bar_parity[timestep];
}

struct level update_level(double alpha_bar)
{
    return (struct level){.alpha = sqrt(alpha_bar), .sigma = sqrt(1.0 - alpha_bar)};
}

bool update_plan(struct plan *plan, struct error *error)
{
    const enum spacing spacing = (enum spacing)plan->options.value[OPTION_SPACING];
    int *timesteps;
    bool is_valid;

    if (!schedule_check_steps(plan->schedule, plan->steps, error))
        return false;
    timesteps = malloc(plan->steps * sizeof(*timesteps));
    plan->step = calloc(plan->steps, sizeof(*plan->step));
    if (timesteps == NULL || plan->step == NULL) {
        free(timesteps);
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu steps", plan->steps);
    }
    is_valid = schedule_timesteps(plan->schedule, spacing, plan->steps, timesteps, error);
    for (size_t i = 0; is_valid && i < plan->steps; i++) {
        struct plan_step *step = &plan->step[i];

        step->from = update_level(update_alpha_bar(plan, timesteps[i]));
        step->model_time = (double)timesteps[i];
        step->conversion = prediction_conversion(plan->schedule->config.head, step->from);
    }
    free(timesteps);
    plan->step_count = plan->steps;
    plan->evaluations = plan->steps;
    plan->start_scale = 1.0;
    if (plan->steps == 1 && spacing != SPACING_TRAILING)
        plan->warning = "one step with spacing leading or linspace is the last timestep alone: "
                        "the answer is noise; trailing starts at the first";
    return is_valid;
}

static void ask(struct row *row, const struct plan *plan)
{
    const struct plan_step *step = &plan->step[row->step];

    memcpy(row->input, row->x, plan->dim * sizeof(*row->x));
    row->time = step->model_time;
    row->level = step->from;
}

void update_begin(struct row *row, const struct plan *plan)
{
    rng_randn(&row->rng, row->x, plan->dim);
    for (size_t i = 0; i < plan->dim; i++)
        row->x[i] = (float)(plan->start_scale * (double)row->x[i]);
    row->step = 0;
    row->evaluations = 0;
    ask(row, plan);
}

enum advance update_end(struct row *row, const struct plan *plan)
{
    row->evaluations++;
    row->step++;
    if (!math_all_finite(row->x, plan->dim))
        return ADVANCE_FAILED;
    if (row->step == plan->step_count)
        return ADVANCE_DONE;
    ask(row, plan);
    return ADVANCE_EVALUATE;
}
