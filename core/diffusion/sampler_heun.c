/* Heun's method in VE coordinates (Karras et al. 2022, algorithm 1) as diffusers'
 * HeunDiscreteScheduler runs it: the slope dx/dsigma = (x - x_0) / sigma at a level and, where
 * Euler's step has led, at the next; the step is made with their mean. The last step, down to 0,
 * is Euler's. Evaluations with an even index begin a step. */
#include "core/diffusion/ladder_plan.h"
#include "core/diffusion/update.h"

/* plan_step.coefficient: update's make the slope; then the way from level to level. */
enum { LENGTH = UPDATE_COUNT };

/* row->state, D floats each: the x that the step began with, its slope there. */
enum { STATE_X, STATE_SLOPE, STATE_COUNT };

static void fill_step(struct plan *plan, const struct ladder *ladder, size_t evaluation)
{
    const size_t i = evaluation / 2, asked = (evaluation + 1) / 2;
    struct plan_step *step = &plan->step[evaluation];

    step_ask_on_ladder(step, plan->process, ladder, asked);
    step->to = (struct level){.alpha = 1.0, .sigma = ladder->sigma[i + 1]};
    step->is_inner = asked == i && ladder->sigma[i + 1] > 0.0;
    step->coefficient[UPDATE_X] = 1.0 / ladder->sigma[asked];
    step->coefficient[UPDATE_X0] = -1.0 / ladder->sigma[asked];
    step->coefficient[LENGTH] = ladder->sigma[i + 1] - ladder->sigma[i];
}

static bool heun_plan(struct plan *plan, struct error *error)
{
    struct ladder ladder;
    bool is_good;

    if (!ladder_plan_euler(&ladder, plan, error))
        return false;
    is_good = steps_allocate(plan, 2 * ladder.n - 1, error);
    for (size_t i = 0; is_good && i < plan->step_count; i++)
        fill_step(plan, &ladder, i);
    plan->state_floats = STATE_COUNT * plan->dim;
    ladder_finish(&ladder);
    return is_good && steps_check_x0(plan, error);
}

/* What the second evaluation needs of the first is kept. */
static void step_by_euler(const struct update *update, double length, const float *restrict output,
                          float *restrict start, float *restrict slopes, float *restrict x,
                          size_t dim)
{
    const struct update by = *update;

    for (size_t i = 0; i < dim; i++) {
        const double slope = update_mean(&by, (double)x[i], (double)output[i]);

        start[i] = x[i];
        slopes[i] = (float)slope;
        x[i] = (float)((double)x[i] + length * slope);
    }
}

static void step_by_both(const struct update *update, double length, const float *restrict output,
                         const float *restrict start, const float *restrict slopes,
                         float *restrict x, size_t dim)
{
    const struct update by = *update;
    const double half = length / 2.0;

    for (size_t i = 0; i < dim; i++) {
        const double slope = update_mean(&by, (double)x[i], (double)output[i]);

        x[i] = (float)((double)start[i] + half * ((double)slopes[i] + slope));
    }
}

static enum advance heun_advance(struct row *row, const struct plan *plan, const float *output)
{
    const struct update update = update_for(row, plan, output);
    const double length = plan->step[row->step].coefficient[LENGTH];
    float *start = row->state + STATE_X * plan->dim, *slopes = row->state + STATE_SLOPE * plan->dim;

    if (row->step % 2 == 0)
        step_by_euler(&update, length, output, start, slopes, row->x, plan->dim);
    else
        step_by_both(&update, length, output, start, slopes, row->x, plan->dim);
    return row_next(row, plan);
}

static double heun_default(const struct process *process, enum sampler_option option)
{
    (void)process;
    return option == OPTION_SPACING ? (double)SPACING_LINSPACE : 0.0;
}

const struct sampler sampler_heun = {
    .name = "heun",
    .title = "Heun: second order by two evaluations a step; deterministic",
    .options = {OPTION_SPACING, OPTION_USE_KARRAS_SIGMAS, OPTION_USE_EXPONENTIAL_SIGMAS},
    .option_count = 3,
    .spacings = SPACINGS_OF_DIFFUSERS,
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .clip = KNOWS_CLIP_SAMPLE,
    .option_default = heun_default,
    .plan = heun_plan,
    .begin = steps_begin,
    .advance = heun_advance,
};
