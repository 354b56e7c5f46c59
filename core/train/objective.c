#include "core/train/objective.h"

#include "core/base/math.h"
#include "core/diffusion/posterior.h"

#include <math.h>
#include <string.h>

#define TWO_PI 6.28318530717958647692

/* With more of it the few points that hardly any noise has touched drown out the others. */
#define SNR_MAX 100.0

struct description {
    const char *name, *loss;
    enum head head;
    enum { NO_DIRECTIONS, ONE_DIRECTION, ALL_DIRECTIONS } directions;
};

#define SQUARE(head_code)          HEAD_##head_code, NO_DIRECTIONS
#define HEAD_OF_EPSILON            SQUARE(EPSILON)
#define HEAD_OF_X_0                SQUARE(SAMPLE)
#define HEAD_OF_V                  SQUARE(V)
#define HEAD_OF_BOUND              SQUARE(EPSILON)
#define HEAD_OF_DENOISING          SQUARE(SCORE)
#define HEAD_OF_IMPLICIT           HEAD_SCORE, ALL_DIRECTIONS
#define HEAD_OF_SLICED             HEAD_SCORE, ONE_DIRECTION
#define HEAD_OF_FLOW               SQUARE(VELOCITY)
#define DESCRIBE(code, name, loss) [OBJECTIVE_##code] = {name, loss, HEAD_OF_##code},
static const struct description descriptions[] = {OBJECTIVES(DESCRIBE)};
#undef DESCRIBE

enum objective objective_find(const char *name)
{
    int i = 0;
    while (i < OBJECTIVE_COUNT && strcmp(descriptions[i].name, name) != 0)
        i++;
    return (enum objective)i;
}

const char *objective_name(enum objective objective)
{
    return descriptions[objective].name;
}

const char *objective_loss(enum objective objective)
{
    return descriptions[objective].loss;
}

struct process_config objective_process_on(enum objective objective, enum process_type type,
                                           size_t timesteps)
{
    struct process_config config = process_config_default(type);
    config.schedule.timesteps = timesteps;
    config.schedule.head = descriptions[objective].head;
    config.schedule.clip_sample = GIVEN_FALSE;
    config.model_time = MODEL_TIME_TIME;
    if (objective == OBJECTIVE_BOUND) {
        config.options.given[OPTION_VARIANCE_TYPE] = true;
        config.options.value[OPTION_VARIANCE_TYPE] = (double)VARIANCE_FIXED_LARGE;
    }
    return config;
}

struct process_config objective_process(enum objective objective, size_t timesteps)
{
    return objective_process_on(
        objective, objective == OBJECTIVE_FLOW ? PROCESS_FLOW : PROCESS_TABLE, timesteps);
}

bool objective_check(enum objective objective, const struct process_config *config,
                     struct error *error)
{
    const struct description *it = &descriptions[objective];
    double variance = config->options.value[OPTION_VARIANCE_TYPE];
    bool is_flow = config->type == PROCESS_FLOW;
    if (config->schedule.head != it->head)
        return error_set(error, ERROR_INVALID,
                         "objective: %s learns prediction_type %s, the process says %s", it->name,
                         head_name(it->head), head_name(config->schedule.head));
    if (objective == OBJECTIVE_BOUND && config->type != PROCESS_TABLE)
        return error_set(error, ERROR_INVALID, "objective: bound needs a beta table");
    if (objective == OBJECTIVE_BOUND && config->options.given[OPTION_VARIANCE_TYPE] &&
        variance != (double)VARIANCE_FIXED_SMALL && variance != (double)VARIANCE_FIXED_LARGE)
        return error_set(error, ERROR_INVALID,
                         "variance_type: bound needs fixed_small or fixed_large");
    if (config->type == PROCESS_CM)
        return error_set(error, ERROR_INVALID, "process: consistency models are not trained here");
    if (is_flow && config->base != FLOW_BASE_GAUSSIAN && objective != OBJECTIVE_FLOW &&
        objective != OBJECTIVE_X_0)
        return error_set(error, ERROR_INVALID, "objective: from this base only flow and x0 learn");
    return true;
}

/* The posterior's variance and the model's in one step: Ho et al. 2020, eq. 7; that of L_0 as in
 * their code, that of the second step where it would be 0. */
struct variances {
    double posterior, model;
};

static struct variances variances_at(const struct process *process, size_t index)
{
    double posterior = posterior_at(&process->schedule, index > 0 ? index : 1).variance;
    bool is_large = process_option(process, OPTION_VARIANCE_TYPE, (double)VARIANCE_FIXED_SMALL) ==
                    (double)VARIANCE_FIXED_LARGE;
    return (struct variances){posterior, is_large ? process->schedule.beta[index] : posterior};
}

/* Of L_{t-1}, or L_0 at index 0, T times for an even choice of one t: eq. 8 and 12. */
static double bound_weight(const struct process *process, size_t index)
{
    const struct schedule *table = &process->schedule;
    double beta = table->beta[index], rest = 1.0 - table->alpha_bar[index];
    return (double)table->config.timesteps * beta * beta /
           (2.0 * variances_at(process, index).model * (1.0 - beta) * rest);
}

double objective_constant(enum objective objective, const struct process *process, size_t dim)
{
    if (objective != OBJECTIVE_BOUND)
        return 0.0;
    double sum = math_log(TWO_PI * variances_at(process, 0).model);
    for (size_t i = 1; i < process->config.schedule.timesteps; i++) {
        struct variances variances = variances_at(process, i);
        double ratio = variances.posterior / variances.model;
        sum += ratio - 1.0 - math_log(ratio);
    }
    return (double)dim * sum / 2.0;
}

/* Of x_0 the truncated SNR of Salimans & Ho 2022, section 4: without it an error where there is
 * hardly any noise, and the last steps of a sampler are, weighs nothing beside the spread of x_0
 * under much noise. */
static double weight_of(enum objective objective, struct level level)
{
    double variance = level.sigma * level.sigma, power = level.alpha * level.alpha;
    if (objective == OBJECTIVE_X_0)
        return power > SNR_MAX * variance ? SNR_MAX : power > variance ? power / variance : 1.0;
    return descriptions[objective].head == HEAD_SCORE ? variance : 1.0;
}

struct objective_term objective_term(enum objective objective, const struct process *process,
                                     struct level level, size_t index, size_t dim)
{
    const struct description *it = &descriptions[objective];
    if (objective == OBJECTIVE_BOUND)
        return (struct objective_term){.weight = bound_weight(process, index), .of_epsilon = 1.0};
    double weight = weight_of(objective, level);
    if (it->directions != NO_DIRECTIONS)
        return (struct objective_term){.weight = weight};
    return (struct objective_term){.weight = weight / (double)dim,
                                   .of_x0 = prediction_output(it->head, level, 1.0, 0.0),
                                   .of_epsilon = prediction_output(it->head, level, 0.0, 1.0)};
}

size_t objective_directions(enum objective objective, size_t dim)
{
    const size_t counts[] = {[NO_DIRECTIONS] = 0, [ONE_DIRECTION] = 1, [ALL_DIRECTIONS] = dim};
    return counts[descriptions[objective].directions];
}
