#include "core/diffusion/steps.h"

#include "core/diffusion/conditioning.h"

#include "core/base/math.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool steps_allocate(struct plan *plan, size_t count, struct error *error)
{
    plan->step = calloc(count, sizeof(*plan->step));
    if (plan->step == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu steps", count);
    plan->step_count = count;
    plan->evaluations = count;
    return true;
}

size_t steps_first(const struct plan *plan)
{
    const size_t kept = (size_t)((double)plan->step_count * plan->strength);

    return kept < plan->step_count ? plan->step_count - kept : 0;
}

static struct level scaled(struct level level, double scale)
{
    return (struct level){.alpha = scale * level.alpha, .sigma = scale * level.sigma};
}

void step_ask(struct plan_step *step, const struct process *process, struct level from,
              double input_scale, double model_time)
{
    step->from = from;
    step->input_scale = input_scale;
    step->model_time = model_time;
    step->model_level = scaled(from, input_scale);
    step->conversion = process_conversion(process, step->model_level);
}

void step_ask_at_index(struct plan_step *step, const struct process *process, long index)
{
    const struct schedule *table = process_table(process);

    step_ask(step, process, level_of_alpha_bar(table->alpha_bar_parity[index]), 1.0,
             process_model_time_at_index(process, (double)index));
}

void step_ask_at_time(struct plan_step *step, const struct process *process, double t)
{
    step_ask(step, process, process_level(process, t), 1.0, process_model_time(process, t));
}

void step_ask_at_sigma(struct plan_step *step, const struct process *process, double sigma)
{
    step_ask(step, process, (struct level){.alpha = 1.0, .sigma = sigma},
             process_level_at_sigma(process, sigma).alpha,
             process_model_time_at_sigma(process, sigma));
}

struct level level_of_alpha_bar(double alpha_bar)
{
    return (struct level){.alpha = sqrt(alpha_bar), .sigma = sqrt(1.0 - alpha_bar)};
}

struct level level_of_sigma(double sigma)
{
    const double alpha = 1.0 / sqrt(1.0 + sigma * sigma);

    return (struct level){.alpha = alpha, .sigma = alpha * sigma};
}

/* A table's first entry is where its time begins; a flow may run down to the data. */
bool plan_check_sampling_eps(const struct plan *plan, struct error *error)
{
    const struct process *process = plan->process;
    const enum process_type type = process->config.type;
    const double eps = plan->options.value[OPTION_SAMPLING_EPS];
    const double half = process_t_max(process) / 2.0;
    const double least =
        type == PROCESS_TABLE ? 1.0 / (double)process->config.schedule.timesteps : 0.0;
    const bool takes_least = type == PROCESS_TABLE || type == PROCESS_FLOW;

    if (eps < half && (takes_least ? eps >= least * (1.0 - 1e-12) : eps > least))
        return true;
    return error_set(error, ERROR_INVALID, "sampling_eps must be %s %g and below %g, got %g",
                     takes_least ? "at least" : "above", least, half, eps);
}

double plan_alpha_bar(const struct plan *plan, long index)
{
    return index < 0 ? 1.0 : process_table(plan->process)->alpha_bar_parity[index];
}

static struct level input_level(const struct plan_step *step)
{
    return scaled(step->from, step->input_scale);
}

static bool check_head(const struct plan *plan, bool (*has)(enum head head, struct level level),
                       const char *what, struct error *error)
{
    const enum head head = process_head(plan->process);

    if (plan->process->config.type == PROCESS_CM)
        return true;
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct level level = input_level(&plan->step[i]);

        if (!has(head, level))
            return error_set(error, ERROR_INVALID,
                             "%s would ask the model at alpha %g, sigma %g, where its output, %s, "
                             "does not say %s",
                             plan->sampler->name, level.alpha, level.sigma, head_name(head), what);
    }
    return true;
}

bool steps_check_x0(const struct plan *plan, struct error *error)
{
    return check_head(plan, prediction_has_x0, "x_0", error);
}

bool steps_check_epsilon(const struct plan *plan, struct error *error)
{
    return check_head(plan, prediction_has_epsilon, "the noise", error);
}

bool plan_check_sigma(const struct plan *plan, double sigma, struct error *error)
{
    if (process_allows_sigma(plan->process, sigma))
        return true;
    return error_set(error, ERROR_INVALID,
                     "%s would ask the model at sigma %g, outside the range of its noise",
                     plan->sampler->name, sigma);
}

void plan_warn_of_one_step(struct plan *plan)
{
    if (plan->steps == 1 && (enum spacing)plan->options.value[OPTION_SPACING] != SPACING_TRAILING)
        plan->warning = "one step with spacing leading or linspace is the last timestep alone: "
                        "the answer is noise; trailing starts at the first";
}

/* --- row */

void row_ask(struct row *row, const struct plan *plan)
{
    const struct plan_step *step = &plan->step[row->step];

    if (step->input_scale == 1.0)
        memcpy(row->input, row->x, plan->dim * sizeof(*row->x));
    else
        for (size_t i = 0; i < plan->dim; i++)
            row->input[i] = (float)(step->input_scale * (double)row->x[i]);
    row->time = step->model_time;
    row->level = step->model_level;
    row->conversion = step->conversion;
}

void steps_begin(struct row *row, const struct plan *plan)
{
    if (!row_begin_given(row, plan))
        plan_draw(plan, &row->rng, row->x);
    row_ask(row, plan);
}

void row_draw(struct row *row, const struct plan *plan)
{
    if (row->given_noise == NULL)
        rng_randn(&row->rng, row->noise, plan->dim);
    else
        memcpy(row->noise, row->given_noise, plan->dim * sizeof *row->noise);
}

enum advance row_repeat(struct row *row, const struct plan *plan)
{
    row->evaluations++;
    if (!math_all_finite(row->x, plan->dim))
        return ADVANCE_FAILED;
    if (row->step == plan->step_count)
        return ADVANCE_DONE;
    row_ask(row, plan);
    return ADVANCE_EVALUATE;
}

enum advance row_next(struct row *row, const struct plan *plan)
{
    row->step++;
    return row_repeat(row, plan);
}
