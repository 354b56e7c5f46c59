#include "core/diffusion/dpm_solver.h"
#include "core/base/math.h"
#include "core/diffusion/multistep.h"

#include <math.h>

/* x' = x * X + m0 * M0 + m1 * M1 + m2 * M2 + noise * z, where m0 is the x_0 of this step, m1 and m2
 * those of the two before it. */
enum { DPM_X, DPM_M0, DPM_M1, DPM_M2, DPM_NOISE };

/* state: the x_0 of two steps; that of step i in half i mod 2, where the one of i - 2 was. */
#define DPM_HISTORY 2

/* With this many steps lower_order_final changes nothing. */
#define FEW_STEPS 15

double dpm_solver_default(const struct process *process, enum sampler_option option)
{
    static const double defaults[OPTION_COUNT] = {
        [OPTION_SPACING] = SPACING_LINSPACE,    [OPTION_SOLVER_ORDER] = 2.0,
        [OPTION_SOLVER_TYPE] = SOLVER_MIDPOINT, [OPTION_FINAL_SIGMAS_TYPE] = FINAL_ZERO,
        [OPTION_LOWER_ORDER_FINAL] = 1.0,
    };

    (void)process;
    return defaults[option];
}

/* --- the plan --------------------------------------------------------------------------------- */

/* As many predictions as there are; near the end fewer, where lambda leaps. */
static size_t order_at(const struct plan *plan, const struct ladder *ladder, size_t i)
{
    const double *value = plan->options.value;
    const bool lowers = value[OPTION_LOWER_ORDER_FINAL] != 0.0 && ladder->n < FEW_STEPS;
    const size_t left = ladder->n - i;
    const size_t order = (size_t)value[OPTION_SOLVER_ORDER];

    if (left == 1 &&
        (lowers || value[OPTION_EULER_AT_FINAL] != 0.0 || ladder->sigma[ladder->n] == 0.0))
        return 1;
    return left == 2 && lowers && order > 2 ? 2 : order;
}

/* x' = x * X + m0 * m + first * D1 + second * D2 + noise * z, D1 and D2 the first and second
 * divided difference of the predictions, scaled by h. */
struct weights {
    double x, m, first, second, noise;
};

/* Lu et al. 2022, eq. 9 and appendix B: the exact integral of each power of lambda. */
static struct weights deterministic(const struct multistep_span *span, size_t order, bool midpoint)
{
    const double alpha = span->to.alpha, h = span->h;
    struct weights weights = {.x = span->to.sigma / span->from.sigma, .m = -alpha * math_expm1(-h)};

    if (order == 2 && midpoint)
        weights.first = weights.m / 2.0;
    else if (order >= 2)
        weights.first = alpha * h * multistep_phi(2, -h);
    if (order == 3)
        weights.second = alpha * h * multistep_phi(3, -h);
    return weights;
}

/* The same of the SDE, over 2 h. The second weight is diffusers', not the integral. */
static struct weights stochastic(const struct multistep_span *span, size_t order, bool midpoint)
{
    const double alpha = span->to.alpha, h = 2.0 * span->h, q = -math_expm1(-h);
    struct weights weights = {.x = span->to.sigma / span->from.sigma * math_exp(-span->h),
                              .m = alpha * q,
                              .noise = span->to.sigma * sqrt(fmax(q, 0.0))};

    if (order == 2 && midpoint)
        weights.first = weights.m / 2.0;
    else if (order >= 2)
        weights.first = alpha * h * multistep_phi(2, -h);
    if (order == 3)
        weights.second = -alpha * (multistep_phi(2, -h) + .5);
    return weights;
}

/* D1 and D2 by the predictions themselves:
 *   d = (m0 - m1) / r0, d1 = (m1 - m2) / r1, D2 = (d - d1) / (r0 + r1), D1 = d + r0 D2. */
static void spread(struct plan_step *step, const struct multistep_span *span, size_t order,
                   const struct weights *weights)
{
    const double r0 = span->gap[1] / span->h, r1 = (span->gap[2] - span->gap[1]) / span->h;
    const double second =
        order == 3 ? (weights->first * r0 + weights->second) / (r0 + r1) : 0.0; /* of d - d1 */
    double *c = step->coefficient;

    c[DPM_X] = weights->x;
    c[DPM_M0] = weights->m;
    c[DPM_NOISE] = weights->noise;
    if (order >= 2) {
        c[DPM_M0] += (weights->first + second) / r0;
        c[DPM_M1] = -(weights->first + second) / r0;
    }
    if (order == 3) {
        c[DPM_M1] -= second / r1;
        c[DPM_M2] = second / r1;
    }
}

static void fill(struct plan *plan, const struct ladder *ladder,
                 struct weights (*weigh)(const struct multistep_span *span, size_t order,
                                         bool midpoint))
{
    const bool midpoint = plan->options.value[OPTION_SOLVER_TYPE] == (double)SOLVER_MIDPOINT;
    const size_t first = steps_first(plan);

    for (size_t i = first; i < ladder->n; i++) {
        const struct multistep_span span = multistep_span(ladder, first, i);
        const size_t order = multistep_order(&span, order_at(plan, ladder, i));
        const struct weights weights = weigh(&span, order, midpoint);

        spread(&plan->step[i], &span, order, &weights);
    }
    plan->state_floats = DPM_HISTORY * plan->dim;
}

static bool fill_deterministic(struct plan *plan, const struct ladder *ladder, struct error *error)
{
    (void)error;
    fill(plan, ladder, deterministic);
    return true;
}

static bool fill_stochastic(struct plan *plan, const struct ladder *ladder, struct error *error)
{
    (void)error;
    fill(plan, ladder, stochastic);
    for (size_t i = 0; i < ladder->n; i++)
        plan->step[i].draws = true;
    return true;
}

static struct ladder_request request_for(const struct plan *plan)
{
    const struct schedule_config *config = &plan->process->config.schedule;

    return (struct ladder_request){.family = LADDER_DPM,
                                   .truncates = config->beta_schedule == BETA_SQUAREDCOS_CAP_V2,
                                   .lambda_min_clipped = config->lambda_min_clipped};
}

bool dpm_solver_plan(struct plan *plan, struct error *error)
{
    const struct ladder_request request = request_for(plan);

    return multistep_plan(plan, &request, fill_deterministic, error);
}

bool dpm_solver_plan_with_noise(struct plan *plan, struct error *error)
{
    const struct ladder_request request = request_for(plan);

    return multistep_plan(plan, &request, fill_stochastic, error);
}

bool dpm_solver_plan_step(struct plan *plan, const struct step_times *times, struct error *error)
{
    return multistep_plan_step(plan, times, fill_deterministic, error);
}

bool dpm_solver_plan_step_with_noise(struct plan *plan, const struct step_times *times,
                                     struct error *error)
{
    return multistep_plan_step(plan, times, fill_stochastic, error);
}

double dpm_solver_variance(const struct plan *plan, const float *output, size_t i)
{
    const double deviation = plan->step[0].coefficient[DPM_NOISE];

    (void)output;
    (void)i;
    return deviation * deviation;
}

/* --- the row ---------------------------------------------------------------------------------- */

/* Of one row. */
struct move {
    const double *c;
    const struct conversion *conversion;
    struct clip clip;
    const float *output, *before, *noise;
    float *kept, *x; /* kept: the x_0 of i - 2, which gives way to this one */
};

static inline double_pair mean(const struct move *by, size_t i, bool both)
{
    const double *c = by->c;
    const double_pair x = pair_load(by->x + i, both), output = pair_load(by->output + i, both);
    const double_pair x_0 = by->conversion->x0_x * x + by->conversion->x0_o * output;
    const double_pair m0 = by->clip.scale * clip_pair(&by->clip, x_0);
    const double_pair m1 = pair_load(by->before + i, both), m2 = pair_load(by->kept + i, both);

    pair_store(by->kept + i, m0, both);
    return c[DPM_X] * x + c[DPM_M0] * m0 + c[DPM_M1] * m1 + c[DPM_M2] * m2;
}

static inline void move(const struct move *by, size_t i, bool both)
{
    pair_store(by->x + i, mean(by, i, both), both);
}

/* The mean is rounded as it would be without noise. */
static inline void move_with_noise(const struct move *by, size_t i, bool both)
{
    const double_pair noise = pair_load(by->noise + i, both);

    pair_store(by->x + i, pair_rounded(mean(by, i, both)) + by->c[DPM_NOISE] * noise, both);
}

enum advance dpm_solver_advance(struct row *row, const struct plan *plan, const float *output)
{
    const struct plan_step *step = &plan->step[row->step];
    const size_t dim = plan->dim;
    const struct move by = {
        .c = step->coefficient,
        .conversion = &step->conversion,
        .clip = clip_for(&plan->clip, &step->conversion, row->x, output, dim, row->scratch),
        .output = output,
        .before = row->state + (row->step + 1) % DPM_HISTORY * dim,
        .noise = row->noise,
        .kept = row->state + row->step % DPM_HISTORY * dim,
        .x = row->x};

    if (step->draws) {
        row_draw(row, plan);
        PAIRS(dim, move_with_noise, &by);
    } else {
        PAIRS(dim, move, &by);
    }
    return row_next(row, plan);
}
