#include "core/diffusion/probe_noise.h"

#include "core/diffusion/moment.h"
#include "core/diffusion/steps.h"

#include <assert.h>
#include <math.h>

/* plan_step.coefficient: x' = BY_X * x + BY_NOISE * z. In one shot x is x_0. */
enum { BY_X, BY_NOISE };

struct level noise_level(const struct plan *plan)
{
    return plan->step[plan->step_count - 1].to;
}

/* --- plan ------------------------------------------------------------------------------------- */

static bool is_table(const struct process *process)
{
    return process->config.type == PROCESS_TABLE;
}

static bool check_chain(const struct noise_question *question, struct error *error)
{
    const struct process *process = question->process;

    if (!question->is_chain)
        return true;
    if (question->has_noise)
        return error_set(error, ERROR_INVALID,
                         "eps cannot be given beside chain: each of its steps draws its own");
    if (is_table(process) && question->t != rint(question->t))
        return error_set(error, ERROR_INVALID,
                         "t must be a whole timestep: a chain walks by those of the table, got %g",
                         question->t);
    if (process->config.type == PROCESS_FLOW && !process_has_sigma(process))
        return error_set(error, ERROR_INVALID,
                         "chain must be false: a flow from another base than N(0, I) is a straight "
                         "line, not a chain");
    return true;
}

/* Behind step i of `count`. */
static struct level level_after(const struct plan *plan, const struct moment *end, size_t i,
                                size_t count)
{
    const struct process *process = plan->process;

    if (i + 1 == count)
        return end->level;
    if (is_table(process))
        return level_of_alpha_bar(moment_alpha_bar(&process->schedule, (double)i));
    return process_level(process, end->t * (double)(i + 1) / (double)count);
}

/* x' given x is normal, and x' given x_0 has the level `to`: what is kept of x, and the rest. */
static void fill_step(struct plan_step *step, struct level from, struct level to)
{
    const double kept = to.alpha / from.alpha, remains = kept * from.sigma;

    step->from = from;
    step->to = to;
    step->coefficient[BY_X] = kept;
    step->coefficient[BY_NOISE] = sqrt(fmax((to.sigma - remains) * (to.sigma + remains), 0.0));
    step->draws = true;
}

static size_t steps_of(const struct noise_question *question)
{
    if (!question->is_chain)
        return 1;
    return is_table(question->process) ? (size_t)question->t + 1 : NOISE_CHAIN_STEPS;
}

static bool fill(struct plan *plan, const struct noise_question *question, struct error *error)
{
    struct level level = {.alpha = 1.0, .sigma = 0.0};
    struct moment end;
    size_t count;

    if (!moment_at(&end, question->process, question->t, "t", error) ||
        !check_chain(question, error))
        return false;
    count = steps_of(question);
    if (!steps_allocate(plan, count, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        fill_step(&plan->step[i], level, level_after(plan, &end, i, count));
        level = plan->step[i].to;
    }
    plan->steps = count;
    plan->evaluations = 0;
    plan->figure_count = plan->dim;
    if (question->is_chain)
        plan->state_floats = plan->dim * (sizeof(double) / sizeof(float));
    return true;
}

struct plan *noise_plan(const struct noise_question *question, struct error *error)
{
    struct plan *plan =
        plan_new(&probe_noise, question->process, question->dim, question->output_dim, error);

    if (plan == NULL || fill(plan, question, error))
        return plan;
    plan_destroy(plan);
    return NULL;
}

/* --- row -------------------------------------------------------------------------------------- */

static void shoot(struct row *row, const struct plan *plan)
{
    const struct level level = noise_level(plan);
    const float *noise = row->given_noise;

    if (noise == NULL) {
        process_draw(plan->process, &row->rng, row->noise, plan->dim);
        noise = row->noise;
    }
    for (size_t i = 0; i < plan->dim; i++) {
        row->x[i] = (float)(level.alpha * (double)row->given[i] + level.sigma * (double)noise[i]);
        row->figures[i] = (double)noise[i];
    }
}

/* x stays in double on its way: a thousand roundings would be seen in a small noise. */
static void walk(struct row *row, const struct plan *plan)
{
    const struct level level = noise_level(plan);
    double *restrict x = (double *)(void *)row->state;

    for (size_t i = 0; i < plan->dim; i++)
        x[i] = (double)row->given[i];
    for (row->step = 0; row->step < plan->step_count; row->step++) {
        const double *by = plan->step[row->step].coefficient;

        rng_randn(&row->rng, row->noise, plan->dim);
        for (size_t i = 0; i < plan->dim; i++)
            x[i] = by[BY_X] * x[i] + by[BY_NOISE] * (double)row->noise[i];
    }
    for (size_t i = 0; i < plan->dim; i++) {
        row->x[i] = (float)x[i];
        row->figures[i] = ((double)row->x[i] - level.alpha * (double)row->given[i]) / level.sigma;
    }
}

static void noise_begin(struct row *row, const struct plan *plan)
{
    assert(row->given != NULL);
    if (plan->state_floats > 0)
        walk(row, plan);
    else
        shoot(row, plan);
}

/* Nobody asks the model. */
static enum advance noise_advance(struct row *row, const struct plan *plan, const float *output)
{
    (void)row;
    (void)plan;
    (void)output;
    return ADVANCE_DONE;
}

const struct sampler probe_noise = {
    .name = "noise",
    .title = "The forward process: noise is added to data",
    .runs_on = RUNS_ON_ANY,
    .begin = noise_begin,
    .advance = noise_advance,
};
