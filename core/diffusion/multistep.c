#include "core/diffusion/multistep.h"
#include "core/base/math.h"
#include "core/diffusion/single_step.h"

#include <math.h>

/* Levels nearer than this in lambda are one: a table's last step, rounded. */
#define SAME_LEVEL 1e-9

/* --- levels ----------------------------------------------------------------------------------- */

struct multistep_span multistep_span(const struct ladder *ladder, size_t first, size_t index)
{
    const double *sigma = ladder->sigma + index;
    const double lambda = -math_log(sigma[0]);
    struct multistep_span span = {.from = level_of_sigma(sigma[0]), .to = level_of_sigma(sigma[1])};

    span.h = sigma[1] > 0.0 ? -math_log(sigma[1]) - lambda : (double)INFINITY;
    for (size_t j = 1; j < MULTISTEP_ORDER_MAX && first + j <= index; j++)
        span.gap[j] = lambda + math_log(*(sigma - j));
    return span;
}

size_t multistep_order(const struct multistep_span *span, size_t order)
{
    size_t allowed = 1;

    if (span->h < SAME_LEVEL)
        return 1;
    while (allowed < order && span->gap[allowed] - span->gap[allowed - 1] > SAME_LEVEL)
        allowed++;
    return allowed;
}

/* Below 1 the recursion loses digits, and the series, sum of h^j / (j + k)!, is short. */
double multistep_phi(unsigned k, double h)
{
    double factorial = 1.0, term, sum;

    if (fabs(h) < 1.0) {
        for (unsigned i = 2; i <= k; i++)
            factorial *= (double)i;
        term = 1.0 / factorial;
        sum = term;
        for (unsigned j = 1; j < 18; j++) {
            term *= h / (double)(j + k);
            sum += term;
        }
        return sum;
    }
    sum = math_expm1(h) / h;
    for (unsigned i = 1; i < k; i++) {
        factorial *= (double)i;
        sum = (sum - 1.0 / factorial) / h;
    }
    return sum;
}

/* --- the plan --------------------------------------------------------------------------------- */

static bool ask(struct plan *plan, const struct ladder *ladder, struct error *error)
{
    if (!steps_allocate(plan, ladder->n, error))
        return false;
    for (size_t i = 0; i < ladder->n; i++) {
        step_ask(&plan->step[i], plan->process, level_of_sigma(ladder->sigma[i]), 1.0,
                 process_model_time_at_index(plan->process, ladder->timestep[i]));
        plan->step[i].model_level =
            level_of_sigma(sigma_at(process_table(plan->process), ladder->timestep[i]));
        plan->step[i].to = level_of_sigma(ladder->sigma[i + 1]);
    }
    plan->start_scale = 1.0;
    return steps_check_x0(plan, error);
}

bool multistep_plan(struct plan *plan, const struct ladder_request *request,
                    bool (*fill)(struct plan *plan, const struct ladder *ladder,
                                 struct error *error),
                    struct error *error)
{
    struct ladder ladder;
    bool is_good;

    if (!ladder_plan(&ladder, plan, request, error))
        return false;
    is_good = ask(plan, &ladder, error) && fill(plan, &ladder, error);
    ladder_finish(&ladder);
    return is_good;
}

bool multistep_plan_step(struct plan *plan, const struct step_times *times,
                         bool (*fill)(struct plan *plan, const struct ladder *ladder,
                                      struct error *error),
                         struct error *error)
{
    struct rungs rungs;
    struct ladder ladder;

    if (!check_whole_step(plan, times, error))
        return false;
    ladder = ladder_of_step(&rungs, plan, times);
    return ask(plan, &ladder, error) && fill(plan, &ladder, error);
}
