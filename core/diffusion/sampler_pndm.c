/* PNDM (Liu et al. 2022, algorithm 2) as diffusers' PNDMScheduler runs it: pseudo Runge-Kutta steps
 * from the three largest timesteps fill a history of predictions, linear multistep of order 4 goes
 * on from there. With skip_prk_steps the order rises from 1 instead, and the first step is made
 * twice.
 *
 * One formula serves every evaluation: a weighted sum of predictions, then the transfer of
 * eq. 11 from the x that the step began with. Only the weights differ. */
#include "core/diffusion/update.h"

#include <math.h>
#include <string.h>

enum { HISTORY = 3, PRK_STEPS = 3, PRK_STAGES = 4, PRK_EVALUATIONS = PRK_STEPS * PRK_STAGES };

/* What an evaluation is to its step. */
enum role { PRK_1, PRK_2, PRK_3, PRK_4, ORDER_1, AGAIN, ORDER_2, ORDER_3, ORDER_4 };

static const struct {
    double now, sum, last[HISTORY]; /* weights: this prediction, those since the step began, and
                                       the remembered ones, newest first */
    double added;                   /* this prediction's share in the sum */
    bool begins;                    /* x is what the step starts from, the sum is empty */
    bool is_remembered;
    bool is_inner;
} roles[] = {
    [PRK_1] = {.now = 1.0, .added = 1.0, .begins = true, .is_remembered = true, .is_inner = true},
    [PRK_2] = {.now = 1.0, .added = 2.0, .is_inner = true},
    [PRK_3] = {.now = 1.0, .added = 2.0, .is_inner = true},
    [PRK_4] = {.now = 1.0 / 6.0, .sum = 1.0 / 6.0},
    [ORDER_1] = {.now = 1.0, .begins = true, .is_remembered = true, .is_inner = true},
    [AGAIN] = {.now = 1.0 / 2.0, .last = {1.0 / 2.0}},
    [ORDER_2] = {.now = 3.0 / 2.0, .last = {-1.0 / 2.0}, .begins = true, .is_remembered = true},
    [ORDER_3] = {.now = 23.0 / 12.0,
                 .last = {-16.0 / 12.0, 5.0 / 12.0},
                 .begins = true,
                 .is_remembered = true},
    [ORDER_4] = {.now = 55.0 / 24.0,
                 .last = {-59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0},
                 .begins = true,
                 .is_remembered = true},
};

/* plan_step.coefficient: prediction = OF_INPUT input + OF_OUTPUT output;
 * x' = OF_X x + OF_SUM (weighted sum of predictions). */
enum { OF_INPUT, OF_OUTPUT, OF_X, OF_SUM };

/* row->state, D floats each: the x that the step began with, the sum, the history as a ring. */
enum { STATE_X, STATE_SUM, STATE_HISTORY, STATE_COUNT = STATE_HISTORY + HISTORY };

static bool skips_prk(const struct plan *plan)
{
    return plan->options.value[OPTION_SKIP_PRK_STEPS] != 0.0;
}

static enum role role_of(const struct plan *plan, size_t evaluation)
{
    static const enum role rising[] = {ORDER_1, AGAIN, ORDER_2, ORDER_3};

    if (skips_prk(plan))
        return evaluation < sizeof(rising) / sizeof(rising[0]) ? rising[evaluation] : ORDER_4;
    return evaluation < PRK_EVALUATIONS ? (enum role)(evaluation % PRK_STAGES) : ORDER_4;
}

/* Where an evaluation asks the model, and between which timesteps it then moves x. */
struct leap {
    long asked, from, to;
};

static struct leap prk_leap(const int *timesteps, size_t evaluation, long half)
{
    const long t = timesteps[evaluation / PRK_STAGES],
               next = timesteps[evaluation / PRK_STAGES + 1];
    const long middle = next + half;
    const struct leap leaps[PRK_STAGES] = {[PRK_1] = {t, t, t - half},
                                           [PRK_2] = {middle, t, middle},
                                           [PRK_3] = {middle, t, next},
                                           [PRK_4] = {next, t, next}};

    return leaps[evaluation % PRK_STAGES];
}

static struct leap leap_of(const struct plan *plan, const int *timesteps, size_t evaluation)
{
    const long stride = (long)(plan->process->config.schedule.timesteps / plan->steps);
    long t;

    if (!skips_prk(plan) && evaluation < PRK_EVALUATIONS)
        return prk_leap(timesteps, evaluation, stride / 2);
    if (skips_prk(plan) && evaluation == 1)
        return (struct leap){timesteps[1], timesteps[1] + stride, timesteps[1]};
    t = timesteps[skips_prk(plan) ? evaluation - (evaluation > 0)
                                  : evaluation - PRK_EVALUATIONS + PRK_STEPS];
    return (struct leap){t, t, t - stride};
}

static double target_alpha_bar(const struct plan *plan, long target)
{
    if (target < 0 && given_or(plan->process->config.schedule.set_alpha_to_one, false))
        return 1.0;
    return plan_alpha_bar(plan, target < 0 ? 0 : target);
}

/* Eq. 11, in its form that is stable as the levels meet. */
static void fill_transfer(struct plan_step *step, double here, double target)
{
    step->coefficient[OF_X] = sqrt(target / here);
    step->coefficient[OF_SUM] =
        (here - target) / (here * sqrt(1.0 - target) + sqrt(here * (1.0 - here) * target));
}

/* diffusers sums raw outputs of a v head, and only then makes noise of the sum, at the level that
 * the step began with; every other head says the noise itself, each at its own level. */
static void fill_prediction(struct plan_step *step, enum head head, double here)
{
    const double transfer = step->coefficient[OF_SUM];

    step->coefficient[OF_INPUT] = step->conversion.epsilon_x;
    step->coefficient[OF_OUTPUT] = step->conversion.epsilon_o;
    if (head != HEAD_V)
        return;
    step->coefficient[OF_INPUT] = 0.0;
    step->coefficient[OF_OUTPUT] = 1.0;
    step->coefficient[OF_X] += transfer * sqrt(1.0 - here);
    step->coefficient[OF_SUM] = transfer * sqrt(here);
}

static bool fill_step(struct plan *plan, size_t evaluation, const struct leap *leap,
                      struct error *error)
{
    struct plan_step *step = &plan->step[evaluation];
    const double here = plan_alpha_bar(plan, leap->from);
    const double target = target_alpha_bar(plan, leap->to);

    if (here == 0.0)
        return error_set(
            error, ERROR_INVALID,
            "pndm cannot leave timestep %ld, where alpha_bar is 0: take a spacing that "
            "does not start there",
            leap->from);
    step_ask_at_index(step, plan->process, leap->asked);
    step->to = level_of_alpha_bar(target);
    step->is_inner = roles[role_of(plan, evaluation)].is_inner && evaluation + 1 < plan->step_count;
    fill_transfer(step, here, target);
    fill_prediction(step, process_head(plan->process), here);
    return true;
}

/* How many of the timesteps are run: from a picture the last ones alone, a list of their own. None
 * is refused once the plan is whole. */
static size_t kept_steps(const struct plan *plan)
{
    const size_t kept = (size_t)((double)plan->steps * plan->strength);

    return kept > 0 && kept < plan->steps ? kept : plan->steps;
}

static bool fill(struct plan *plan, int *timesteps, struct error *error)
{
    const enum spacing spacing = (enum spacing)plan->options.value[OPTION_SPACING];
    const size_t kept = kept_steps(plan);
    const size_t more = skips_prk(plan) ? kept > 1 : PRK_EVALUATIONS - PRK_STEPS;

    if (!schedule_timesteps(process_table(plan->process), spacing, plan->steps, timesteps, error) ||
        !steps_allocate(plan, kept + more, error))
        return false;
    plan->from_picture = kept < plan->steps;
    timesteps += plan->steps - kept;
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct leap leap = leap_of(plan, timesteps, i);

        if (!fill_step(plan, i, &leap, error))
            return false;
    }
    plan->start_scale = 1.0;
    plan->state_floats = STATE_COUNT * plan->dim;
    plan_warn_of_one_step(plan);
    return steps_check_epsilon(plan, error);
}

static bool pndm_plan(struct plan *plan, struct error *error)
{
    if (!skips_prk(plan) && kept_steps(plan) <= PRK_STEPS)
        return error_set(error, ERROR_INVALID,
                         "pndm needs at least %d steps, or skip_prk_steps true; got %zu",
                         PRK_STEPS + 1, kept_steps(plan));
    return with_timesteps(plan, fill, error);
}

static double pndm_default(const struct process *process, enum sampler_option option)
{
    (void)process;
    return option == OPTION_SPACING ? (double)SPACING_LEADING : 0.0;
}

/* Of the remembered predictions, the k-th newest, counted from 0; beyond the first three the oldest
 * gives way. */
static float *remembered(const struct row *row, size_t dim, size_t k)
{
    return row->state + (STATE_HISTORY + (row->stage + HISTORY - 1 - k) % HISTORY) * dim;
}

/* One row's step that is made of one evaluation, from x: nothing of it is needed afterwards but its
 * prediction, which takes the place of the oldest. */
struct leap_at_once {
    const double *c, *last; /* of the step; of its role */
    double now;
    const float *input, *output, *one, *two;
    float *three, *x;
};

static inline void leap_pair(const struct leap_at_once *by, size_t i, bool both)
{
    const double *c = by->c, *last = by->last;
    const double_pair x = pair_load(by->x + i, both), output = pair_load(by->output + i, both);
    const double_pair one = pair_load(by->one + i, both), two = pair_load(by->two + i, both);
    const double_pair three = pair_load(by->three + i, both);
    const double_pair prediction =
        c[OF_INPUT] * pair_load(by->input + i, both) + c[OF_OUTPUT] * output;
    const double_pair all = by->now * prediction + last[0] * one + last[1] * two + last[2] * three;

    pair_store(by->x + i, c[OF_X] * x + c[OF_SUM] * all, both);
    pair_store(by->three + i, prediction, both);
}

static void leap_at_once(const double *c, enum role role, struct row *row, size_t dim,
                         const float *output)
{
    const struct leap_at_once by = {.c = c,
                                    .last = roles[role].last,
                                    .now = roles[role].now,
                                    .input = row->input,
                                    .output = output,
                                    .one = remembered(row, dim, 0),
                                    .two = remembered(row, dim, 1),
                                    .three = remembered(row, dim, 2),
                                    .x = row->x};

    PAIRS(dim, leap_pair, &by);
    row->stage++;
}

/* Any other. */
static void move(const double *c, enum role role, struct row *row, size_t dim, const float *output)
{
    const double now = roles[role].now, *last = roles[role].last;
    const double before = roles[role].sum, kept = roles[role].begins ? 0.0 : 1.0;
    const float *x = row->state + STATE_X * dim;
    const float *one = remembered(row, dim, 0), *two = remembered(row, dim, 1);
    float *three = remembered(row, dim, 2), *sum = row->state + STATE_SUM * dim;

    if (roles[role].begins)
        memcpy(row->state + STATE_X * dim, row->x, dim * sizeof(*row->x));
    for (size_t i = 0; i < dim; i++) {
        const double prediction =
            c[OF_INPUT] * (double)row->input[i] + c[OF_OUTPUT] * (double)output[i];
        const double all = now * prediction + before * (double)sum[i] + last[0] * (double)one[i] +
                           last[1] * (double)two[i] + last[2] * (double)three[i];

        row->x[i] = (float)(c[OF_X] * (double)x[i] + c[OF_SUM] * all);
        sum[i] = (float)(kept * (double)sum[i] + roles[role].added * prediction);
        row->scratch[i] = (float)prediction;
    }
    if (roles[role].is_remembered) {
        memcpy(three, row->scratch, dim * sizeof(*three));
        row->stage++;
    }
}

static enum advance pndm_advance(struct row *row, const struct plan *plan, const float *output)
{
    const double *c = plan->step[row->step].coefficient;
    const enum role role = role_of(plan, row->step);

    if (roles[role].begins && !roles[role].is_inner)
        leap_at_once(c, role, row, plan->dim, output);
    else
        move(c, role, row, plan->dim, output);
    return row_next(row, plan);
}

const struct sampler sampler_pndm = {
    .name = "pndm",
    .title = "PNDM: fourth order from the noise of the last steps; deterministic",
    .options = {OPTION_SPACING, OPTION_SKIP_PRK_STEPS},
    .option_count = 2,
    .spacings = SPACINGS_OF_DIFFUSERS,
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .option_default = pndm_default,
    .plan = pndm_plan,
    .begin = steps_begin,
    .advance = pndm_advance,
};
