/* Heun's method in VE coordinates (Karras et al. 2022, algorithm 1) as diffusers'
 * HeunDiscreteScheduler runs it: the slope dx/dsigma = (x - x_0) / sigma at a level and, where
 * Euler's step has led, at the next; the step is made with their mean. The last step, down to 0,
 * is Euler's. Evaluations with an even index begin a step. */
#include "core/diffusion/ladder_plan.h"
#include "core/diffusion/single_step.h"
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

static bool fill(struct plan *plan, const struct ladder *ladder, size_t evaluations,
                 struct error *error)
{
    if (!steps_allocate(plan, evaluations, error))
        return false;
    for (size_t i = 0; i < evaluations; i++)
        fill_step(plan, ladder, i);
    plan->state_floats = STATE_COUNT * plan->dim;
    return steps_check_x0(plan, error);
}

static bool heun_plan(struct plan *plan, struct error *error)
{
    struct ladder ladder;
    bool is_good;

    if (!ladder_plan_euler(&ladder, plan, error))
        return false;
    is_good = fill(plan, &ladder, 2 * ladder.n - 1, error);
    ladder_finish(&ladder);
    return is_good;
}

static bool heun_plan_step(struct plan *plan, const struct step_times *times, struct error *error)
{
    struct rungs rungs;
    const struct ladder ladder = ladder_of_step(&rungs, plan, times);

    return fill(plan, &ladder, ladder.sigma[1] > 0.0 ? 2 : 1, error);
}

/* Of one row. What the second evaluation needs of the first is kept in `start` and `slope`. */
struct move {
    struct update update;
    double length;
    const float *output;
    float *start, *slope, *x;
};

static inline void move_by_euler(const struct move *by, size_t i, bool both)
{
    const double_pair x = pair_load(by->x + i, both);
    const double_pair slope = update_mean_pair(&by->update, x, pair_load(by->output + i, both));

    pair_store(by->start + i, x, both);
    pair_store(by->slope + i, slope, both);
    pair_store(by->x + i, x + by->length * slope, both);
}

static inline void move_by_both(const struct move *by, size_t i, bool both)
{
    const double_pair x = pair_load(by->x + i, both), start = pair_load(by->start + i, both);
    const double_pair slope = update_mean_pair(&by->update, x, pair_load(by->output + i, both));

    pair_store(by->x + i, start + by->length / 2.0 * (pair_load(by->slope + i, both) + slope),
               both);
}

static enum advance heun_advance(struct row *row, const struct plan *plan, const float *output)
{
    const size_t dim = plan->dim;
    const struct move by = {.update = update_for(row, plan, output),
                            .length = plan->step[row->step].coefficient[LENGTH],
                            .output = output,
                            .start = row->state + STATE_X * dim,
                            .slope = row->state + STATE_SLOPE * dim,
                            .x = row->x};

    if (row->step % 2 == 0)
        PAIRS(dim, move_by_euler, &by);
    else
        PAIRS(dim, move_by_both, &by);
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
    .plan_step = heun_plan_step,
    .begin = steps_begin,
    .advance = heun_advance,
};
