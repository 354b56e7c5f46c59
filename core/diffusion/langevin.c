#include "core/diffusion/langevin.h"

#include "core/diffusion/conditioning.h"
#include "core/diffusion/update.h"

#include <math.h>

void langevin_repeat(struct plan *plan, size_t repeats)
{
    plan->evaluations = plan->step_count * repeats;
    plan->start_scale = 1.0;
}

/* S of x in VE coordinates, -epsilon / sigma; `input` is what the model sees of x. */
static struct linear score_of(const struct plan_step *step)
{
    const double sigma = step->from.sigma;

    if (sigma == 0.0)
        return (struct linear){.x = 0.0, .o = 1.0};
    return (struct linear){.x = -step->conversion.epsilon_x * step->input_scale / sigma,
                           .o = -step->conversion.epsilon_o / sigma};
}

void langevin_fill(struct plan *plan, size_t i, double sigma, double size, double noise)
{
    struct plan_step *step = &plan->step[i];
    struct linear score;

    if (sigma == 0.0) {
        step_ask(step, plan->process, (struct level){.alpha = 1.0, .sigma = 0.0}, 1.0, 0.0);
        step->conversion = prediction_conversion(HEAD_SCORE, step->from);
    } else {
        step_ask_at_sigma(step, plan->process, sigma);
    }
    score = score_of(step);
    step->to = step->from;
    step->draws = noise > 0.0;
    step->coefficient[UPDATE_X] = 1.0 + size / 2.0 * score.x;
    step->coefficient[UPDATE_OUTPUT] = size / 2.0 * score.o;
    step->coefficient[UPDATE_NOISE] = noise * sqrt(size);
}

bool langevin_plan_level(struct plan *plan, double noise, struct error *error)
{
    const double sigma = plan->options.value[OPTION_SIGMA];

    if (!plan_check_sigma(plan, sigma, error) || !steps_allocate(plan, 1, error))
        return false;
    langevin_repeat(plan, plan->steps);
    langevin_fill(plan, 0, sigma, plan->options.value[OPTION_STEP_SIZE], noise);
    return true;
}

double langevin_default(const struct process *process, enum sampler_option option)
{
    const bool knows_data = process->network.is_exact && process->network.is_exact_at_zero;
    const double defaults[OPTION_COUNT] = {
        [OPTION_STEP_SIZE] = .1,
        [OPTION_SIGMA] = knows_data ? 0.0 : process_sigma_min(process),
        [OPTION_SIGMA_MIN] = process_sigma_min(process),
        [OPTION_SIGMA_MAX] = process_sigma_max(process),
        [OPTION_STEPS_PER_LEVEL] = 100.0,
        [OPTION_EPSILON] = (double)NAN,
        [OPTION_START_RANGE] = process->network.is_points ? 8.0 : 1.0,
    };

    return isfinite(defaults[option]) ? defaults[option] : (double)NAN;
}

/* --- row -------------------------------------------------------------------------------------- */

void langevin_draw(const struct plan *plan, struct rng *rng, float *x)
{
    const double range = plan->options.value[OPTION_START_RANGE];

    rng_rand(rng, x, plan->dim);
    for (size_t i = 0; i < plan->dim; i++)
        x[i] = (float)(range * (2.0 * (double)x[i] - 1.0));
}

void langevin_begin(struct row *row, const struct plan *plan)
{
    if (!row_begin_given(row, plan))
        plan_draw(plan, &row->rng, row->x);
    row->wants_score = plan->step[0].from.sigma == 0.0;
    row_ask(row, plan);
}

/* row->stage counts the steps at the level in progress. */
enum advance langevin_advance(struct row *row, const struct plan *plan, const float *output)
{
    const size_t repeats = plan->evaluations / plan->step_count;

    if (plan->step[row->step].draws)
        update_with_noise(row, plan, output);
    else
        update_without_noise(row, plan, output);
    row->stage = (row->stage + 1) % repeats;
    return row->stage > 0 ? row_repeat(row, plan) : row_next(row, plan);
}
