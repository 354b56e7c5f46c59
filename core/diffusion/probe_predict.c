#include "core/diffusion/probe_predict.h"

#include "core/diffusion/moment.h"
#include "core/diffusion/ode.h"
#include "core/diffusion/steps.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* plan_step.coefficient: value = BY_INPUT * input + BY_OUTPUT * o. */
enum { BY_INPUT, BY_OUTPUT };

static const char *const names[] = {
#define NAME(code, name) name,
    PREDICTIONS(NAME)
#undef NAME
};

const char *predicted_name(enum predicted as)
{
    return names[as];
}

enum predicted predicted_find(const char *name)
{
    int as = 0;

    while (as < PREDICTED_COUNT && strcmp(names[as], name) != 0)
        as++;
    return (enum predicted)as;
}

struct level predict_level(const struct plan *plan)
{
    return plan->step[0].from;
}

/* --- what is said by input and output --------------------------------------------------------- */

static struct linear eps_of(const struct plan_step *step, const struct process *process, double t)
{
    (void)process;
    (void)t;
    return (struct linear){step->conversion.epsilon_x, step->conversion.epsilon_o};
}

static struct linear x0_of(const struct plan_step *step, const struct process *process, double t)
{
    (void)process;
    (void)t;
    return (struct linear){step->conversion.x0_x, step->conversion.x0_o};
}

/* Of x, not of the input: a consistency model's is scaled. */
static struct linear score_of(const struct plan_step *step, const struct process *process, double t)
{
    const double sigma = step->from.sigma;

    (void)t;
    if (process->config.type != PROCESS_CM)
        return process_score(process, step->from);
    return (struct linear){-step->conversion.epsilon_x / sigma,
                           -step->conversion.epsilon_o / sigma};
}

static struct linear v_of(const struct plan_step *step, const struct process *process, double t)
{
    const struct conversion *by = &step->conversion;
    const struct level level = step->from;
    const double norm = sqrt(level.alpha * level.alpha + level.sigma * level.sigma);

    (void)t;
    if (process_head(process) == HEAD_V)
        return (struct linear){.x = 0.0, .o = 1.0};
    return (struct linear){(level.alpha * by->epsilon_x - level.sigma * by->x0_x) / norm,
                           (level.alpha * by->epsilon_o - level.sigma * by->x0_o) / norm};
}

static struct linear velocity_of(const struct plan_step *step, const struct process *process,
                                 double t)
{
    return ode_velocity_at(process, moment_time(process, t), step->from, &step->conversion);
}

static struct linear raw_of(const struct plan_step *step, const struct process *process, double t)
{
    (void)step;
    (void)process;
    (void)t;
    return (struct linear){.x = 0.0, .o = 1.0};
}

/* --- plan ------------------------------------------------------------------------------------- */

static bool check_process(const struct predict_question *question, struct error *error)
{
    const struct process *process = question->process;

    if (question->as == PREDICTED_SCORE && process->config.type == PROCESS_FLOW &&
        !process_has_sigma(process))
        return error_set(error, ERROR_INVALID,
                         "as must not be score: what this flow starts from is not N(0, I), and its "
                         "noise is no score");
    if (question->as == PREDICTED_VELOCITY && !process_is_continuous(process))
        return error_set(
            error, ERROR_INVALID,
            "as must not be velocity: alpha_bar of this model's table ends at 0, which "
            "no continuous time reaches");
    if (process->config.type == PROCESS_CM && question->t < process->config.sigma_min)
        return error_set(error, ERROR_INVALID,
                         "t must be at least %g, the least noise of this model, got %g",
                         process->config.sigma_min, question->t);
    return true;
}

static bool ask(struct plan_step *step, const struct predict_question *question,
                struct error *error)
{
    const struct process *process = question->process;
    struct moment moment;

    if (!moment_at(&moment, process, question->t, "t", error) || !check_process(question, error))
        return false;
    if (question->as == PREDICTED_VELOCITY && process->config.type == PROCESS_TABLE)
        step_ask_at_time(step, process, moment_time(process, question->t));
    else
        moment_ask(step, process, &moment);
    step->to = step->from;
    return true;
}

static bool fill(struct plan *plan, const struct predict_question *question, struct error *error)
{
    static struct linear (*const answers[])(const struct plan_step *step,
                                            const struct process *process, double t) = {
        [PREDICTED_EPS] = eps_of, [PREDICTED_X0] = x0_of,   [PREDICTED_SCORE] = score_of,
        [PREDICTED_V] = v_of,     [PREDICTED_RAW] = raw_of, [PREDICTED_VELOCITY] = velocity_of,
    };
    struct plan_step *step;
    struct linear by;

    if (!steps_allocate(plan, 1, error))
        return false;
    step = &plan->step[0];
    if (!ask(step, question, error))
        return false;
    by = answers[question->as](step, plan->process, question->t);
    if (!isfinite(by.x) || !isfinite(by.o))
        return error_set(error, ERROR_INVALID,
                         "as must not be %s at alpha %g, sigma %g: the model's output, %s, does "
                         "not say it there",
                         names[question->as], step->from.alpha, step->from.sigma,
                         head_name(process_head(plan->process)));
    step->coefficient[BY_INPUT] = by.x;
    step->coefficient[BY_OUTPUT] = by.o;
    plan->steps = 1;
    plan->evaluations_due = 1;
    plan->figure_count = question->as == PREDICTED_RAW ? plan->output_dim : plan->dim;
    return true;
}

struct plan *predict_plan(const struct predict_question *question, struct error *error)
{
    struct plan *plan =
        plan_new(&probe_predict, question->process, question->dim, question->output_dim, error);

    if (plan == NULL || fill(plan, question, error))
        return plan;
    plan_destroy(plan);
    return NULL;
}

/* --- row -------------------------------------------------------------------------------------- */

static void predict_begin(struct row *row, const struct plan *plan)
{
    assert(row->given != NULL);
    steps_begin(row, plan);
}

/* What a model says beside its output proper, a variance, has no input of its own. */
static enum advance predict_advance(struct row *row, const struct plan *plan, const float *output)
{
    const double *by = plan->step[0].coefficient;

    for (size_t i = 0; i < plan->dim; i++)
        row->figures[i] = by[BY_INPUT] * (double)row->input[i] + by[BY_OUTPUT] * (double)output[i];
    for (size_t i = plan->dim; i < plan->figure_count; i++)
        row->figures[i] = (double)output[i];
    return row_next(row, plan);
}

const struct sampler probe_predict = {
    .name = "predict",
    .title = "What the model says at one point",
    .runs_on = RUNS_ON_ANY,
    .begin = predict_begin,
    .advance = predict_advance,
};
