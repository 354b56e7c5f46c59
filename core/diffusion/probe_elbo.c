#include "core/diffusion/probe_elbo.h"

#include "core/base/math.h"
#include "core/diffusion/conditioning.h"
#include "core/diffusion/decoder.h"
#include "core/diffusion/posterior.h"
#include "core/diffusion/steps.h"
#include "core/diffusion/variance.h"

#include <assert.h>
#include <math.h>

#define LOG_2PI 1.83787706640934548356

/* Of entry k, timestep t = T-1-k. A term of one dimension is
 *
 *   (ln s^2 - offset + (posterior + weight d^2) / s^2) / 2, d = x_0-hat - x_0
 *
 * with offset = ln posterior + 1, weight = c0^2 (Ho et al. 2020, eq. 7 and 8); the density of x_0
 * has the same form, with weight 1, posterior 0 and offset -ln 2 pi. */
enum elbo_coefficient {
    ELBO_LOG_VARIANCE, /* ln s^2: the fixed one, or where a learned range has v = 0 */
    ELBO_SLOPE,        /* d ln s^2 / d v of a learned range */
    ELBO_OFFSET,
    ELBO_POSTERIOR,
    ELBO_WEIGHT,
    ELBO_IS_BIN /* not the density of x_0 but the probability of its bin */
};

static enum variance_type variance_of(const struct plan *plan)
{
    return (enum variance_type)plan->options.value[OPTION_VARIANCE_TYPE];
}

/* --- plan ------------------------------------------------------------------------------------- */

struct bounds {
    double posterior, beta; /* of s^2 */
};

static void fill_variance(struct plan_step *step, enum variance_type type, struct bounds bounds)
{
    const double largest = math_log(bounds.beta), smallest = math_log(bounds.posterior);

    if (type == VARIANCE_LEARNED_RANGE) {
        step->coefficient[ELBO_LOG_VARIANCE] = (largest + smallest) / 2.0;
        step->coefficient[ELBO_SLOPE] = (largest - smallest) / 2.0;
    } else {
        step->coefficient[ELBO_LOG_VARIANCE] = type == VARIANCE_FIXED_LARGE ? largest : smallest;
    }
}

/* L_t of timestep t > 0. */
static void fill_divergence(struct plan_step *step, const struct schedule *table, size_t t,
                            enum variance_type type)
{
    const struct posterior posterior = posterior_at(table, t);

    step->coefficient[ELBO_OFFSET] = math_log(posterior.variance) + 1.0;
    step->coefficient[ELBO_POSTERIOR] = posterior.variance;
    step->coefficient[ELBO_WEIGHT] = posterior.c0 * posterior.c0;
    fill_variance(step, type,
                  (struct bounds){.posterior = posterior.variance, .beta = table->beta[t]});
}

/* L_0: the posterior variance is 0, and that of the step before it stands in. */
static void fill_first(struct plan_step *step, const struct schedule *table,
                       const struct elbo_question *question, enum variance_type type)
{
    const bool by_beta = question->has_first && question->first == ELBO_FIRST_BETA;

    step->coefficient[ELBO_OFFSET] = -LOG_2PI;
    step->coefficient[ELBO_WEIGHT] = 1.0;
    step->coefficient[ELBO_IS_BIN] = question->is_eight_bit ? 1.0 : 0.0;
    if (!variance_is_learned(type))
        type = by_beta ? VARIANCE_FIXED_LARGE : VARIANCE_FIXED_SMALL;
    fill_variance(
        step, type,
        (struct bounds){.posterior = posterior_at(table, 1).variance, .beta = table->beta[0]});
}

static bool fill_steps(struct plan *plan, const struct elbo_question *question, struct error *error)
{
    const struct schedule *table = process_table(plan->process);
    const size_t steps = table->config.timesteps;

    if (!steps_allocate(plan, steps, error))
        return false;
    for (size_t t = 0; t < steps; t++) {
        struct plan_step *step = &plan->step[steps - 1 - t];

        if (!(table->beta[t] > 0.0))
            return error_set(error, ERROR_INVALID,
                             "elbo needs betas above 0; this model's beta %zu is 0", t + 1);
        step_ask(step, plan->process, level_of_alpha_bar(table->alpha_bar[t]), 1.0,
                 process_model_time_at_index(plan->process, (double)t));
        step->draws = true;
        if (t > 0)
            fill_divergence(step, table, t, variance_of(plan));
        else
            fill_first(step, table, question, variance_of(plan));
    }
    return steps_check_x0(plan, error);
}

static bool check_variances(const struct elbo_question *question, enum variance_type type,
                            struct error *error)
{
    if (!variance_check(question->process, type, question->output_dim == 2 * question->dim, error))
        return false;
    if (question->has_first && variance_is_learned(type))
        return error_set(error, ERROR_INVALID,
                         "decoder_variance must not be given: the model predicts the variance");
    return true;
}

static bool fill_plan(struct plan *plan, const struct elbo_question *question, struct error *error)
{
    const enum variance_type type =
        question->has_variance ? question->variance : variance_of_config(question->process);

    plan->options.given[OPTION_VARIANCE_TYPE] = true;
    plan->options.value[OPTION_VARIANCE_TYPE] = (double)type;
    plan->clip = sampler_clip_rule(plan->sampler, plan->process);
    if (!check_variances(question, type, error) || !fill_steps(plan, question, error))
        return false;
    plan->evaluations_due = plan->evaluations;
    plan->figure_count = ELBO_FIGURES + (question->keeps_terms ? 2 * plan->step_count : 0);
    return true;
}

struct plan *elbo_plan(const struct elbo_question *question, struct error *error)
{
    struct plan *plan;

    if (!sampler_runs_on(&probe_elbo, question->process, error))
        return NULL;
    plan = plan_new(&probe_elbo, question->process, question->dim, question->output_dim, error);
    if (plan == NULL || fill_plan(plan, question, error))
        return plan;
    plan_destroy(plan);
    return NULL;
}

/* --- row -------------------------------------------------------------------------------------- */

/* x_t by one draw from q(x_t | x_0): row->x stays x_0. */
static void ask(struct row *row, const struct plan *plan)
{
    const struct plan_step *step = &plan->step[row->step];

    rng_randn(&row->rng, row->noise, plan->dim);
    for (size_t i = 0; i < plan->dim; i++)
        row->input[i] = (float)(step->from.alpha * (double)row->x[i] +
                                step->from.sigma * (double)row->noise[i]);
    row->time = step->model_time;
    row->level = step->model_level;
    row->conversion = step->conversion;
}

static void elbo_begin(struct row *row, const struct plan *plan)
{
    const bool is_given = row_begin_given(row, plan);
    double energy = 0.0;

    assert(is_given);
    (void)is_given;
    for (size_t i = 0; i < plan->dim; i++)
        energy += (double)row->x[i] * (double)row->x[i];
    row->figures[ELBO_PRIOR] = schedule_prior_kl(process_table(plan->process), plan->dim, energy);
    row->figures[ELBO_RATE] = row->figures[ELBO_PRIOR];
    ask(row, plan);
}

/* ln s^2 of a value, where the network says something of it. */
static double log_variance(const struct plan *plan, const struct plan_step *step,
                           const float *output, size_t i)
{
    if (variance_of(plan) == VARIANCE_LEARNED)
        return math_log((double)output[plan->dim + i]);
    if (variance_of(plan) == VARIANCE_LEARNED_RANGE)
        return step->coefficient[ELBO_LOG_VARIANCE] +
               step->coefficient[ELBO_SLOPE] * (double)output[plan->dim + i];
    return step->coefficient[ELBO_LOG_VARIANCE];
}

/* A network may say a variance of 0, of which no bin's probability is known. */
static double bin_term(double x_0, double predicted, double deviation)
{
    return deviation > 0.0 ? -decoder_log_probability(x_0, predicted, deviation) : (double)NAN;
}

static double term(const struct plan_step *step, double x_0, double predicted, double log_variance)
{
    const double squared = (predicted - x_0) * (predicted - x_0);

    if (step->coefficient[ELBO_IS_BIN] > 0.0)
        return bin_term(x_0, predicted, math_exp(log_variance / 2.0));
    return (log_variance - step->coefficient[ELBO_OFFSET] +
            (step->coefficient[ELBO_POSTERIOR] + step->coefficient[ELBO_WEIGHT] * squared) *
                math_exp(-log_variance)) /
           2.0;
}

/* The term of the step in progress; `error` is the root mean square of x_0-hat - x_0. */
static double measure(const struct row *row, const struct plan *plan, const float *output,
                      double *error)
{
    const struct plan_step *step = &plan->step[row->step];
    const struct conversion *conversion = &row->conversion;
    const struct clip clip =
        clip_for(&plan->clip, conversion, row->input, output, plan->dim, row->scratch);
    double sum = 0.0, squares = 0.0;

    for (size_t i = 0; i < plan->dim; i++) {
        const double x_0 = (double)row->x[i];
        const double said =
            conversion->x0_x * (double)row->input[i] + conversion->x0_o * (double)output[i];
        const double predicted = clip.scale * clip_value(&clip, said);

        sum += term(step, x_0, predicted, log_variance(plan, step, output, i));
        squares += (predicted - x_0) * (predicted - x_0);
    }
    *error = sqrt(squares / (double)plan->dim);
    return sum;
}

static void keep(const struct row *row, const struct plan *plan, double term, double error)
{
    const size_t t = plan->step_count - 1 - row->step;

    row->figures[t > 0 ? ELBO_RATE : ELBO_DISTORTION] += term;
    if (plan->figure_count == ELBO_FIGURES)
        return;
    row->figures[ELBO_FIGURES + t] = term;
    row->figures[ELBO_FIGURES + plan->step_count + t] = error;
}

static enum advance elbo_advance(struct row *row, const struct plan *plan, const float *output)
{
    double error;
    const double term = measure(row, plan, output, &error);

    keep(row, plan, term, error);
    row->evaluations++;
    row->step++;
    if (row->step < plan->step_count) {
        ask(row, plan);
        return ADVANCE_EVALUATE;
    }
    row->figures[ELBO_NATS] = row->figures[ELBO_RATE] + row->figures[ELBO_DISTORTION];
    return isfinite(row->figures[ELBO_NATS]) ? ADVANCE_DONE : ADVANCE_FAILED;
}

const struct sampler probe_elbo = {
    .name = "elbo",
    .title = "the variational bound on -ln p, term by term",
    .runs_on = RUNS_ON_TABLE,
    .needs_table = true,
    .needs = "a beta table",
    .clip = KNOWS_CLIP_SAMPLE | CLIPS_BY_DEFAULT | KNOWS_THRESHOLDING,
    .begin = elbo_begin,
    .advance = elbo_advance,
};
