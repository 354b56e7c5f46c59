#include "core/diffusion/update.h"

#include <stdlib.h>

struct update update_for(const struct row *row, const struct plan *plan, const float *output)
{
    const struct plan_step *step = &plan->step[row->step];
    const struct conversion of_x = {.x0_x = step->conversion.x0_x * step->input_scale,
                                    .x0_o = step->conversion.x0_o};
    const struct clip clip = clip_for(&plan->clip, &of_x, row->x, output, plan->dim, row->scratch);

    return (struct update){.x0_x = of_x.x0_x,
                           .x0_o = of_x.x0_o,
                           .clip = clip,
                           .x0 = step->coefficient[UPDATE_X0] * clip.scale,
                           .x = step->coefficient[UPDATE_X],
                           .output = step->coefficient[UPDATE_OUTPUT],
                           .noise = step->coefficient[UPDATE_NOISE]};
}

/* Loops have functions of their own, here and in other samplers: of parameters, and of nothing
 * else, compilers believe that they do not overlap. */
static void move(const struct update *update, const float *restrict output, float *restrict x,
                 size_t dim)
{
    const struct update by = *update;

    for (size_t i = 0; i < dim; i++)
        x[i] = (float)update_mean(&by, (double)x[i], (double)output[i]);
}

static void move_with_noise(const struct update *update, const float *restrict output,
                            const float *restrict noise, float *restrict x, size_t dim)
{
    const struct update by = *update;

    for (size_t i = 0; i < dim; i++)
        x[i] = (float)(update_mean(&by, (double)x[i], (double)output[i]) +
                       by.noise * (double)noise[i]);
}

void update_without_noise(struct row *row, const struct plan *plan, const float *output)
{
    const struct update update = update_for(row, plan, output);

    move(&update, output, row->x, plan->dim);
}

void update_with_noise(struct row *row, const struct plan *plan, const float *output)
{
    const struct update update = update_for(row, plan, output);

    row_draw(row, plan);
    move_with_noise(&update, output, row->noise, row->x, plan->dim);
}

double update_variance(const struct plan *plan, const float *output, size_t i)
{
    const double deviation = plan->step[0].coefficient[UPDATE_NOISE];

    (void)output;
    (void)i;
    return deviation * deviation;
}

bool with_timesteps(struct plan *plan,
                    bool (*fill)(struct plan *plan, int *timesteps, struct error *error),
                    struct error *error)
{
    int *timesteps;
    bool is_good;

    if (!schedule_check_steps(process_table(plan->process), plan->steps, error))
        return false;
    timesteps = malloc(plan->steps * sizeof(*timesteps));
    if (timesteps == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu steps", plan->steps);
    is_good = fill(plan, timesteps, error);
    free(timesteps);
    return is_good;
}

bool update_plan(struct plan *plan, int *timesteps, struct error *error)
{
    const enum spacing spacing = (enum spacing)plan->options.value[OPTION_SPACING];
    size_t count;

    if (!schedule_timesteps(process_table(plan->process), spacing, plan->steps, timesteps, error))
        return false;
    count = schedule_distinct(timesteps, plan->steps);
    if (!steps_allocate(plan, count, error))
        return false;
    for (size_t i = 0; i < count; i++)
        step_ask_at_index(&plan->step[i], plan->process, timesteps[i]);
    plan->start_scale = 1.0;
    plan_warn_of_one_step(plan);
    if (spacing == SPACING_QUADRATIC)
        plan->warning = "spacing quadratic starts at .8 of the timesteps, not at noise: the answer "
                        "is biased";
    return steps_check_x0(plan, error);
}

enum advance update_advance(struct row *row, const struct plan *plan, const float *output)
{
    if (plan->step[row->step].draws)
        update_with_noise(row, plan, output);
    else
        update_without_noise(row, plan, output);
    return row_next(row, plan);
}
