#include "core/diffusion/sde.h"

#include "core/diffusion/moment.h"
#include "core/diffusion/update.h"

#include <assert.h>
#include <math.h>

/* plan_step.coefficient behind update's, of a corrector whose step size depends on the output:
 * size = LANGEVIN_SIZE |z|^2 / |S|^2 with S = SCORE_X x + SCORE_OUTPUT o. Elsewhere 0. */
enum { LANGEVIN_SIZE = UPDATE_COUNT, SCORE_X, SCORE_OUTPUT };

/* --- times and discrete forms ----------------------------------------------------------------- */

/* Of step j; N - 1 is the last. */
static double time_of(const struct plan *plan, size_t j)
{
    const double end = process_t_max(plan->process);
    const double span = end - plan->options.value[OPTION_SAMPLING_EPS];

    return end - span * (double)j / (double)(plan->steps - 1);
}

/* Of the discrete VP process with as many steps: of a table what its alpha_bar falls by. */
static double beta_of(const struct plan *plan, size_t j)
{
    const struct process_config *config = &plan->process->config;
    const double n = (double)plan->steps, k = (double)(plan->steps - 1 - j);

    if (config->type == PROCESS_TABLE) {
        const double alpha = process_level(plan->process, time_of(plan, j)).alpha;
        const double next =
            j + 1 < plan->steps ? process_level(plan->process, time_of(plan, j + 1)).alpha : 1.0;

        return 1.0 - alpha * alpha / (next * next);
    }
    return (config->beta_min + k * (config->beta_max - config->beta_min) / (n - 1.0)) / n;
}

/* Of the discrete VE process with as many steps; 0 behind the last. */
static double sigma_of(const struct plan *plan, size_t j)
{
    return j == plan->steps
               ? 0.0
               : process_level(plan->process, 1.0 - (double)j / (double)(plan->steps - 1)).sigma;
}

/* --- predictors ------------------------------------------------------------------------------- */

/* What predictors know of their step. */
struct stretch {
    double t, length; /* where it begins, in the process's own time; how far it goes */
    double beta;      /* of the discrete form; of VE: */
    double from, to;  /* its levels */
};

static struct stretch stretch_of(const struct plan *plan, size_t j)
{
    struct stretch stretch = {.t = time_of(plan, j),
                              .length = process_t_max(plan->process) / (double)plan->steps};

    if (plan->process->config.type == PROCESS_VE) {
        stretch.from = sigma_of(plan, j);
        stretch.to = sigma_of(plan, j + 1);
    } else {
        stretch.beta = beta_of(plan, j);
    }
    return stretch;
}

/* x' = x * x + score * S + noise * z. */
struct move {
    double x, score, noise;
};

static struct move euler_maruyama(const struct process *process, const struct stretch *stretch)
{
    const double d = stretch->length;
    const struct drift drift = process_drift(process, stretch->t);

    return (struct move){
        .x = 1.0 - d * drift.f, .score = d * drift.g2, .noise = sqrt(d * drift.g2)};
}

static struct move reverse_diffusion(const struct process *process, const struct stretch *stretch)
{
    const double beta = stretch->beta;

    if (process->config.type == PROCESS_VE) {
        const double fall = (stretch->from - stretch->to) * (stretch->from + stretch->to);

        return (struct move){.x = 1.0, .score = fall, .noise = sqrt(fall)};
    }
    return (struct move){.x = 2.0 - sqrt(1.0 - beta), .score = beta, .noise = sqrt(beta)};
}

static struct move ancestral(const struct process *process, const struct stretch *stretch)
{
    struct move move;
    double kept;

    if (process->config.type == PROCESS_VE) {
        move = reverse_diffusion(process, stretch);
        move.noise *= stretch->to / stretch->from;
        return move;
    }
    move.noise = sqrt(stretch->beta);
    kept = sqrt(1.0 - stretch->beta);
    move.x = 1.0 / kept;
    move.score = stretch->beta / kept;
    return move;
}

static void fill_move(struct plan_step *step, const struct plan *plan, const struct move *move)
{
    const struct linear score = process_score(plan->process, step->from);

    step->coefficient[UPDATE_X] = move->x + move->score * score.x;
    step->coefficient[UPDATE_OUTPUT] = move->score * score.o;
    step->coefficient[UPDATE_NOISE] = move->noise;
}

static void fill_prediction(struct plan_step *step, const struct plan *plan,
                            const struct stretch *stretch, enum predictor predictor)
{
    static struct move (*const predictors[])(const struct process *process,
                                             const struct stretch *stretch) = {
        [PREDICTOR_REVERSE_DIFFUSION] = reverse_diffusion,
        [PREDICTOR_ANCESTRAL] = ancestral,
        [PREDICTOR_EULER_MARUYAMA] = euler_maruyama,
    };
    struct move move = predictors[predictor](plan->process, stretch);

    if (step->to.sigma == 0.0)
        move.noise = 0.0;
    fill_move(step, plan, &move);
}

static struct level level_after(const struct plan *plan, size_t j)
{
    return j + 1 < plan->steps ? process_level(plan->process, time_of(plan, j + 1))
                               : (struct level){.alpha = 1.0, .sigma = 0.0};
}

/* --- correctors ------------------------------------------------------------------------------- */

static bool is_vp_like(const struct process *process)
{
    return process->config.type == PROCESS_VP || process->config.type == PROCESS_SUB_VP;
}

/* x' = x + c S + sqrt(2 c) z. langevin: c = 2 w (snr |z| / |S|)^2 of this sample's own norms; ald:
 * c = 2 w (snr sigma)^2. w = 1 - beta, or 1 on VE. */
static void fill_correction(struct plan_step *step, const struct plan *plan, size_t j)
{
    const struct process *process = plan->process;
    const double *value = plan->options.value;
    const double kept = process->config.type == PROCESS_VE ? 1.0 : 1.0 - beta_of(plan, j);
    const double size = 2.0 * kept * value[OPTION_SNR] * value[OPTION_SNR];
    const double sigma = step->from.sigma;

    step->to = step->from;
    if ((enum corrector)value[OPTION_CORRECTOR] == CORRECTOR_ALD) {
        const double c = size * sigma * sigma;

        fill_move(step, plan, &(struct move){.x = 1.0, .score = c, .noise = sqrt(2.0 * c)});
        return;
    }
    step->coefficient[LANGEVIN_SIZE] = size;
    step->coefficient[SCORE_X] = process_score(process, step->from).x;
    step->coefficient[SCORE_OUTPUT] = process_score(process, step->from).o;
}

/* --- plan ------------------------------------------------------------------------------------- */

/* Euler-Maruyama steps of a continuous process need no discrete form of it. */
static bool needs_betas(const struct plan *plan, const struct sde_step *parts)
{
    return is_vp_like(plan->process) &&
           (parts->corrections > 0 || parts->predictor != PREDICTOR_EULER_MARUYAMA);
}

static bool check(const struct plan *plan, const struct sde_step *parts, struct error *error)
{
    const struct process_config *config = &plan->process->config;

    if (plan->steps < 2)
        return error_set(error, ERROR_INVALID, "%s needs at least 2 steps", plan->sampler->name);
    if (parts->predicts && config->type == PROCESS_SUB_VP &&
        parts->predictor != PREDICTOR_EULER_MARUYAMA)
        return error_set(error, ERROR_INVALID,
                         "predictor must be euler_maruyama: it is the only one of process sub_vp");
    if (needs_betas(plan, parts) && !((double)plan->steps > config->beta_max))
        return error_set(
            error, ERROR_INVALID, "%s needs more steps than beta_max, %g, on process %s, got %zu",
            plan->sampler->name, config->beta_max, plan->process->kind->name, plan->steps);
    return plan_check_sampling_eps(plan, error);
}

/* 1 - (1 - sampling_eps) may be 0. */
static bool check_levels(const struct plan *plan, struct error *error)
{
    for (size_t i = 0; i < plan->step_count; i++)
        if (!(plan->step[i].from.sigma > 0.0))
            return error_set(error, ERROR_INVALID,
                             "%s would ask the model at sigma 0, where there is no score",
                             plan->sampler->name);
    return true;
}

bool sde_plan(struct plan *plan, const struct sde_step *parts, struct error *error)
{
    const size_t each = parts->corrections + parts->predicts;

    if (!check(plan, parts, error) || !steps_allocate(plan, plan->steps * each, error))
        return false;
    plan->start_scale = process_start_scale(plan->process);
    assert(each > 0);
    for (size_t i = 0; i < plan->step_count; i++) {
        const size_t j = i / each;
        struct plan_step *step = &plan->step[i];

        step_ask_at_time(step, plan->process, time_of(plan, j));
        step->draws = true;
        step->is_inner = i % each + 1 < each;
        if (i % each < parts->corrections) {
            fill_correction(step, plan, j);
        } else {
            const struct stretch stretch = stretch_of(plan, j);

            step->to = level_after(plan, j);
            fill_prediction(step, plan, &stretch, parts->predictor);
        }
    }
    return check_levels(plan, error);
}

/* A step covers its time whole. (N steps of a row are N - 1 intervals apart, so that each covers a
 * little less, as the paper's code has it.) */
static struct stretch single_stretch(const struct process *process, double from, double to)
{
    const struct level above = process_level(process, from);
    const struct level below =
        to > 0.0 ? process_level(process, to) : (struct level){.alpha = 1.0, .sigma = 0.0};
    struct stretch stretch = {
        .t = from, .length = from - to, .from = above.sigma, .to = below.sigma};

    if (process->config.type == PROCESS_TABLE)
        stretch.beta = 1.0 - above.alpha * above.alpha / (below.alpha * below.alpha);
    if (is_vp_like(process))
        stretch.beta = process_drift(process, from).g2 * stretch.length;
    return stretch;
}

bool sde_plan_step(struct plan *plan, enum predictor predictor, const struct step_times *times,
                   struct error *error)
{
    const struct process *process = plan->process;
    const double from = moment_time(process, times->from);
    const double to = isnan(times->to) ? 0.0 : moment_time(process, times->to);
    const struct stretch stretch = single_stretch(process, from, to);
    struct plan_step *step;

    if (predictor != PREDICTOR_EULER_MARUYAMA && !(stretch.beta < 1.0))
        return error_set(error, ERROR_INVALID,
                         "t_next must be nearer to t: over so long a step the beta of %s would be "
                         "%g, not below 1",
                         plan->sampler->name, stretch.beta);
    if (!steps_allocate(plan, 1, error))
        return false;
    step = &plan->step[0];
    step_ask_at_time(step, process, from);
    step->to = (struct level){.alpha = 1.0, .sigma = 0.0};
    if (to > 0.0)
        step->to = process_level(process, to);
    step->draws = to > 0.0;
    fill_prediction(step, plan, &stretch, predictor);
    return check_levels(plan, error);
}

double sde_default(const struct process *process, enum sampler_option option)
{
    const double defaults[OPTION_COUNT] = {
        [OPTION_PREDICTOR] = process->config.type == PROCESS_SUB_VP ? PREDICTOR_EULER_MARUYAMA
                                                                    : PREDICTOR_REVERSE_DIFFUSION,
        [OPTION_CORRECTOR] = process->network.is_points ? CORRECTOR_ALD : CORRECTOR_LANGEVIN,
        [OPTION_SNR] = .16,
        [OPTION_CORRECT_STEPS] = 1.0,
        [OPTION_SAMPLING_EPS] = process_sampling_eps(process),
    };

    return defaults[option];
}

/* --- row -------------------------------------------------------------------------------------- */

static double square_norm(const float *values, size_t dim)
{
    double sum = 0.0;

    for (size_t i = 0; i < dim; i++)
        sum += (double)values[i] * (double)values[i];
    return sum;
}

static double square_score(const struct row *row, const double *c, const float *output, size_t dim)
{
    double sum = 0.0;

    for (size_t i = 0; i < dim; i++) {
        const double score = c[SCORE_X] * (double)row->x[i] + c[SCORE_OUTPUT] * (double)output[i];

        sum += score * score;
    }
    return sum;
}

/* Norms are those of this row alone: a batch average, as the paper's code has it, would make a
 * sample depend on its neighbours. */
static void correct_by_norms(struct row *row, const struct plan *plan, const float *output)
{
    const double *c = plan->step[row->step].coefficient;
    float *restrict x = row->x;
    double size, by_x, by_output, by_noise;

    rng_randn(&row->rng, row->noise, plan->dim);
    size = c[LANGEVIN_SIZE] * square_norm(row->noise, plan->dim) /
           square_score(row, c, output, plan->dim);
    by_x = 1.0 + size * c[SCORE_X];
    by_output = size * c[SCORE_OUTPUT];
    by_noise = sqrt(2.0 * size);
    for (size_t i = 0; i < plan->dim; i++)
        x[i] = (float)(by_x * (double)x[i] + by_output * (double)output[i] +
                       by_noise * (double)row->noise[i]);
}

enum advance sde_advance(struct row *row, const struct plan *plan, const float *output)
{
    if (plan->step[row->step].coefficient[LANGEVIN_SIZE] == 0.0)
        return update_advance(row, plan, output);
    correct_by_norms(row, plan, output);
    return row_next(row, plan);
}
