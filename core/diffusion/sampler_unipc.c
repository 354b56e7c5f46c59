/* UniPC (Zhao et al. 2023) of order 1 to 3 in the variant bh2, as diffusers'
 * UniPCMultistepScheduler computes it: each evaluation first corrects the x that it was made at,
 * then predicts the next one from the corrected x. */
#include "core/base/math.h"
#include "core/diffusion/multistep.h"

#include <math.h>

/* corrected = x * KEPT + last * LAST + sum of past_j * PAST_j + now * NOW
 * x'        = corrected * X + now * FRESH + past_1 * BEFORE + past_2 * BEFORE_THAT
 * where `now` is the x_0 of this evaluation, past_j that of j before, `last` the corrected x of the
 * step before. */
enum {
    UNIPC_KEPT,
    UNIPC_LAST,
    UNIPC_PAST_1,
    UNIPC_PAST_2,
    UNIPC_PAST_3,
    UNIPC_NOW,
    UNIPC_X,
    UNIPC_FRESH,
    UNIPC_BEFORE,
    UNIPC_BEFORE_THAT
};

/* state: the last corrected x, then three x_0; that of step i in third i mod 3, where the one of
 * i - 3 was. */
#define UNIPC_HISTORY 3

/* --- the plan --------------------------------------------------------------------------------- */

static double unipc_default(const struct process *process, enum sampler_option option)
{
    static const double defaults[OPTION_COUNT] = {
        [OPTION_SPACING] = SPACING_LINSPACE,     [OPTION_SOLVER_ORDER] = 2.0,
        [OPTION_FINAL_SIGMAS_TYPE] = FINAL_ZERO, [OPTION_LOWER_ORDER_FINAL] = 1.0,
        [OPTION_SIGMA_MIN] = (double)NAN,        [OPTION_SIGMA_MAX] = (double)NAN,
    };

    (void)process;
    return defaults[option];
}

static bool corrects_after(const struct plan *plan, size_t i)
{
    const int *list = plan->options.list[OPTION_DISABLE_CORRECTOR];
    const size_t count = (size_t)plan->options.value[OPTION_DISABLE_CORRECTOR];

    for (size_t k = 0; k < count; k++)
        if ((size_t)list[k] == i)
            return false;
    return true;
}

/* As many predictions as there are, and no more than steps are left. */
static size_t order_at(const struct plan *plan, const struct ladder *ladder, size_t i)
{
    const size_t order = (size_t)plan->options.value[OPTION_SOLVER_ORDER], left = ladder->n - i;

    return plan->options.value[OPTION_LOWER_ORDER_FINAL] != 0.0 && left < order ? left : order;
}

/* The weights of `count` nodes, 2 or 3: sum_j weight_j node_j^(q-1) = moment_q, q = 1..count. */
static void solve(const double *node, const double *moment, size_t count, double *weight)
{
    for (size_t j = 0; j < count; j++) {
        const double a = node[(j + 1) % count], b = node[(j + 2) % count];

        weight[j] = count == 2 ? (moment[1] - a * moment[0]) / (node[j] - a)
                               : (moment[2] - (a + b) * moment[1] + a * b * moment[0]) /
                                     ((node[j] - a) * (node[j] - b));
    }
}

/* Weights of the differences to the newest stored x_0: of those before it at nodes r_1, r_2, and
 * last of the one at node 1, where the corrector has it. Zhao et al. 2023, section 3 and eq. 5; a
 * single difference weighs a half. */
static size_t difference_weights(const struct multistep_span *span, size_t order, bool corrector,
                                 double node[MULTISTEP_ORDER_MAX],
                                 double weight[MULTISTEP_ORDER_MAX])
{
    const double h = span->h, one = multistep_phi(1, -h);
    const double moment[MULTISTEP_ORDER_MAX] = {multistep_phi(2, -h) / one,
                                                2.0 * multistep_phi(3, -h) / one,
                                                6.0 * multistep_phi(4, -h) / one};
    size_t count = order - 1;

    for (size_t j = 1; j < order; j++)
        node[j - 1] = -span->gap[j] / h;
    if (corrector)
        node[count++] = 1.0;
    if (count == 1)
        weight[0] = .5;
    else if (count > 1)
        solve(node, moment, count, weight);
    return count;
}

/* From the level before: its span, and the order that the prediction had. */
static void fill_corrector(struct plan_step *step, const struct multistep_span *span, size_t order)
{
    const double factor = -span->to.alpha * math_expm1(-span->h);
    double node[MULTISTEP_ORDER_MAX] = {0}, weight[MULTISTEP_ORDER_MAX] = {0};
    const size_t count = difference_weights(span, order, true, node, weight);
    double *c = step->coefficient, *past = c + UNIPC_PAST_1;

    c[UNIPC_KEPT] = 0.0;
    c[UNIPC_LAST] = span->to.sigma / span->from.sigma;
    past[0] = factor;
    for (size_t j = 0; j < count; j++) {
        const double each = factor * weight[j] / node[j];

        past[0] -= each;
        if (j + 1 == count)
            c[UNIPC_NOW] = each;
        else
            past[j + 1] = each;
    }
}

static void fill_predictor(struct plan_step *step, const struct multistep_span *span, size_t order)
{
    const double factor = -span->to.alpha * math_expm1(-span->h);
    double node[MULTISTEP_ORDER_MAX] = {0}, weight[MULTISTEP_ORDER_MAX] = {0};
    const size_t count = difference_weights(span, order, false, node, weight);
    double *c = step->coefficient;

    c[UNIPC_X] = span->to.sigma / span->from.sigma;
    c[UNIPC_FRESH] = factor;
    for (size_t j = 0; j < count; j++) {
        const double each = factor * weight[j] / node[j];

        c[UNIPC_FRESH] -= each;
        c[UNIPC_BEFORE + j] = each;
    }
}

static bool check_corrector(const struct plan *plan, const struct ladder *ladder,
                            struct error *error)
{
    const int *list = plan->options.list[OPTION_DISABLE_CORRECTOR];
    const size_t count = (size_t)plan->options.value[OPTION_DISABLE_CORRECTOR];

    for (size_t k = 0; plan->asked[OPTION_DISABLE_CORRECTOR] && k < count; k++)
        if (list[k] < 0 || (size_t)list[k] >= ladder->n)
            return error_set(error, ERROR_INVALID, "disable_corrector must be steps 0..%zu, got %d",
                             ladder->n - 1, list[k]);
    return true;
}

static bool fill(struct plan *plan, const struct ladder *ladder, struct error *error)
{
    const size_t first = steps_first(plan);
    struct multistep_span before = {.h = 0.0};
    size_t order_before = 0;

    if (!check_corrector(plan, ladder, error))
        return false;
    for (size_t i = first; i < ladder->n; i++) {
        const struct multistep_span span = multistep_span(ladder, first, i);
        const size_t order = multistep_order(&span, order_at(plan, ladder, i));

        plan->step[i].coefficient[UNIPC_KEPT] = 1.0;
        if (i > first && corrects_after(plan, i - 1))
            fill_corrector(&plan->step[i], &before, order_before);
        fill_predictor(&plan->step[i], &span, order);
        before = span;
        order_before = order;
    }
    plan->state_floats = (1 + UNIPC_HISTORY) * plan->dim;
    return true;
}

static bool unipc_plan(struct plan *plan, struct error *error)
{
    static const struct ladder_request request = {
        .family = LADDER_DPM, .final_repeats = true, .lambda_min_clipped = -(double)INFINITY};
    const double *value = plan->options.value;

    if (value[OPTION_LOWER_ORDER_FINAL] == 0.0 &&
        value[OPTION_FINAL_SIGMAS_TYPE] == (double)FINAL_ZERO)
        return error_set(error, ERROR_INVALID,
                         "lower_order_final false needs final_sigmas_type sigma_min: a step to "
                         "level zero is of first order");
    return multistep_plan(plan, &request, fill, error);
}

/* The predictor alone: there is nothing to correct. */
static bool unipc_plan_step(struct plan *plan, const struct step_times *times, struct error *error)
{
    return multistep_plan_step(plan, times, fill, error);
}

/* --- the row ---------------------------------------------------------------------------------- */

/* Of one row. */
struct move {
    const double *c;
    const struct conversion *conversion;
    struct clip clip;
    const float *output, *past_1, *past_2;
    float *past_3, *last, *x; /* past_3 gives way to the x_0 of this evaluation */
};

static inline void move(const struct move *by, size_t i, bool both)
{
    const double *c = by->c;
    const double_pair x = pair_load(by->x + i, both), last = pair_load(by->last + i, both);
    const double_pair past_1 = pair_load(by->past_1 + i, both),
                      past_2 = pair_load(by->past_2 + i, both);
    const double_pair past_3 = pair_load(by->past_3 + i, both),
                      output = pair_load(by->output + i, both);
    const double_pair x_0 = by->conversion->x0_x * x + by->conversion->x0_o * output;
    const double_pair now = by->clip.scale * clip_pair(&by->clip, x_0);
    const double_pair corrected = c[UNIPC_KEPT] * x + c[UNIPC_LAST] * last +
                                  c[UNIPC_PAST_1] * past_1 + c[UNIPC_PAST_2] * past_2 +
                                  c[UNIPC_PAST_3] * past_3 + c[UNIPC_NOW] * now;

    pair_store(by->x + i,
               c[UNIPC_X] * corrected + c[UNIPC_FRESH] * now + c[UNIPC_BEFORE] * past_1 +
                   c[UNIPC_BEFORE_THAT] * past_2,
               both);
    pair_store(by->last + i, corrected, both);
    pair_store(by->past_3 + i, now, both);
}

static enum advance unipc_advance(struct row *row, const struct plan *plan, const float *output)
{
    const struct plan_step *step = &plan->step[row->step];
    const size_t dim = plan->dim, newest = row->step % UNIPC_HISTORY;
    float *past = row->state + dim;
    const struct move by = {
        .c = step->coefficient,
        .conversion = &step->conversion,
        .clip = clip_for(&plan->clip, &step->conversion, row->x, output, dim, row->scratch),
        .output = output,
        .past_1 = past + (newest + 2) % UNIPC_HISTORY * dim,
        .past_2 = past + (newest + 1) % UNIPC_HISTORY * dim,
        .past_3 = past + newest * dim,
        .last = row->state,
        .x = row->x};

    PAIRS(dim, move, &by);
    return row_next(row, plan);
}

const struct sampler sampler_unipc = {
    .name = "unipc",
    .title = "UniPC: predicts and corrects with one evaluation a step; deterministic",
    .options = {OPTION_SPACING, OPTION_SOLVER_ORDER, OPTION_USE_KARRAS_SIGMAS,
                OPTION_USE_EXPONENTIAL_SIGMAS, OPTION_SIGMA_MIN, OPTION_SIGMA_MAX,
                OPTION_FINAL_SIGMAS_TYPE, OPTION_LOWER_ORDER_FINAL, OPTION_DISABLE_CORRECTOR},
    .option_count = 9,
    .spacings = SPACINGS_OF_DIFFUSERS,
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .clip = KNOWS_THRESHOLDING,
    .option_default = unipc_default,
    .plan = unipc_plan,
    .plan_step = unipc_plan_step,
    .begin = steps_begin,
    .advance = unipc_advance,
};
