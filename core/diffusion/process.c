#include "core/diffusion/process.h"
#include "core/base/math.h"
#include "core/diffusion/sigmas.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

/* The smallest level of a flow: at t = 0 there is nothing left to sample. */
#define FLOW_TIME_MIN .001

static const struct process_kind *const kinds[] = {
#define KIND(code, name) [PROCESS_##code] = &process_##name##_kind,
    PROCESSES(KIND)
#undef KIND
};

#define NAME(code, name) name,
static const char *const model_times[] = {MODEL_TIMES(NAME) NULL};
static const char *const flow_bases[] = {FLOW_BASES(NAME) NULL};
#undef NAME

int process_find(const char *name)
{
    for (int i = 0; i < PROCESS_COUNT; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return i;
    return -1;
}

static int find(const char *const *names, const char *name)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

int model_time_find(const char *name)
{
    return find(model_times, name);
}

int flow_base_find(const char *name)
{
    return find(flow_bases, name);
}

struct process_config process_config_default(enum process_type type)
{
    struct process_config config = {
        .type = type,
        .schedule = schedule_config_default(),
        .beta_min = .1,
        .beta_max = 20.0,
        .sigma_min = type == PROCESS_CM ? .002 : .01,
        .sigma_max = type == PROCESS_CM ? 80.0 : 50.0,
        .sigma_q = 1.0,
        .t_max = 5.0,
        .sigma_data = .5,
        .rho = 7.0,
        .s_noise = 1.0,
        .clip_denoised = true,
        .model_time = type == PROCESS_VE ? MODEL_TIME_SIGMA : MODEL_TIME_TIME,
        .time_scale = (double)NAN,
    };

    if (type == PROCESS_FLOW)
        config.schedule.head = HEAD_VELOCITY;
    if (type != PROCESS_TABLE)
        config.schedule.clip_sample = GIVEN_FALSE;
    return config;
}

static bool is_type(const struct process *process, enum process_type type)
{
    return process->config.type == type;
}

const struct schedule *process_table(const struct process *process)
{
    return process->schedule.beta == NULL ? NULL : &process->schedule;
}

size_t process_steps_limit(const struct process *process)
{
    return is_type(process, PROCESS_TABLE) || is_type(process, PROCESS_CM)
               ? process->config.schedule.timesteps
               : PROCESS_STEPS_MAX;
}

bool process_is_continuous(const struct process *process)
{
    return !is_type(process, PROCESS_TABLE) || process->curve.value != NULL;
}

double process_t_max(const struct process *process)
{
    if (is_type(process, PROCESS_CM))
        return process->config.sigma_max;
    return is_type(process, PROCESS_OU) ? process->config.t_max : 1.0;
}

double process_option(const struct process *process, enum sampler_option option, double absent)
{
    const struct option_values *options = &process->config.options;

    return options->given[option] ? options->value[option] : absent;
}

double process_sampling_eps(const struct process *process)
{
    const double own = is_type(process, PROCESS_TABLE)
                           ? 1.0 / (double)process->config.schedule.timesteps
                           : process->kind->sampling_eps;

    return process_option(process, OPTION_SAMPLING_EPS, own);
}

struct level process_level(const struct process *process, double t)
{
    return process->kind->level(process, t);
}

struct level process_slope(const struct process *process, double t, struct level here)
{
    return process->kind->slope(process, t, here);
}

struct drift process_drift(const struct process *process, double t)
{
    return process->kind->drift(process, t);
}

/* --- what the network counts ------------------------------------------------------------------ */

/* Position of sigma in the falling levels, linear in its logarithm between neighbours. */
static double index_of_level(const struct process_config *config, double sigma)
{
    const double *levels = config->levels;
    size_t i = 0;

    if (!(sigma < levels[0]))
        return 0.0;
    while (i + 2 < config->level_count && sigma < levels[i + 1])
        i++;
    return fmin((double)i + math_log(levels[i] / sigma) / math_log(levels[i] / levels[i + 1]),
                (double)(config->level_count - 1));
}

static double default_time_scale(const struct process_config *config)
{
    const double timesteps = (double)config->schedule.timesteps;

    if (config->type == PROCESS_VP || config->type == PROCESS_SUB_VP)
        return timesteps - 1.0; /* score_sde's 999 t */
    return config->type == PROCESS_OU ? timesteps / config->t_max : timesteps;
}

double process_model_time(const struct process *process, double t)
{
    const struct process_config *config = &process->config;
    struct level level;

    if (config->type == PROCESS_TABLE)
        return t * (double)config->schedule.timesteps - 1.0;
    if (config->type == PROCESS_CM)
        return 250.0 * math_log(t + 1e-44); /* Song et al. 2023: a quarter of 1000 ln sigma */
    if (config->model_time == MODEL_TIME_TIME)
        return config->time_scale * t;
    level = process_level(process, t);
    return config->model_time == MODEL_TIME_SIGMA
               ? level.sigma / level.alpha
               : index_of_level(config, level.sigma / level.alpha);
}

double process_model_time_at_index(const struct process *process, double index)
{
    if (is_type(process, PROCESS_TABLE))
        return index;
    return process_model_time(process, index / (double)(process->config.schedule.timesteps - 1));
}

/* --- VE coordinates --------------------------------------------------------------------------- */

bool process_has_sigma(const struct process *process)
{
    return !is_type(process, PROCESS_CM) &&
           (!is_type(process, PROCESS_FLOW) || process->config.base == FLOW_BASE_GAUSSIAN);
}

static double sigma_at_time(const struct process *process, double t)
{
    const struct level level = process_level(process, t);

    return level.sigma / level.alpha;
}

double process_sigma_min(const struct process *process)
{
    if (is_type(process, PROCESS_TABLE))
        return sigma_at(&process->schedule, 0.0);
    if (process->config.levels != NULL)
        return process->config.sigma_min;
    return sigma_at_time(process, is_type(process, PROCESS_FLOW)
                                      ? fmax(process_sampling_eps(process), FLOW_TIME_MIN)
                                      : process_sampling_eps(process));
}

double process_sigma_max(const struct process *process)
{
    if (is_type(process, PROCESS_TABLE))
        return sigma_at(&process->schedule, (double)(process->config.schedule.timesteps - 1));
    if (is_type(process, PROCESS_FLOW) || is_type(process, PROCESS_OU_FINITE))
        return (double)INFINITY;
    if (is_type(process, PROCESS_VE))
        return process->config.sigma_max;
    return sigma_at_time(process, process_t_max(process));
}

bool process_allows_sigma(const struct process *process, double sigma)
{
    const double ulps = 1.0 + 1e-12; /* the ends are inside, however they were computed */

    if (process->network.is_exact)
        return sigma > 0.0 || (sigma == 0.0 && process->network.is_exact_at_zero);
    if (is_type(process, PROCESS_TABLE))
        return sigma * ulps >= process_sigma_min(process) &&
               sigma <= process_sigma_max(process) * ulps;
    if (is_type(process, PROCESS_VE) && sigma * ulps < process->config.sigma_min)
        return false;
    return sigma > 0.0 && sigma <= process_sigma_max(process) * ulps;
}

struct level process_level_at_sigma(const struct process *process, double sigma)
{
    double alpha;

    if (is_type(process, PROCESS_TABLE))
        alpha = 1.0 / sqrt(1.0 + sigma * sigma);
    else
        alpha = process_level(process, process->kind->time(process, sigma)).alpha;
    return (struct level){.alpha = alpha, .sigma = alpha * sigma};
}

double process_model_time_at_sigma(const struct process *process, double sigma)
{
    if (is_type(process, PROCESS_TABLE))
        return index_of_sigma(&process->schedule, sigma);
    return process_model_time(process, process->kind->time(process, sigma));
}

/* --- what the network says -------------------------------------------------------------------- */

enum head process_head(const struct process *process)
{
    return process->config.schedule.head;
}

/* x_0 = skip x + out o with x in VE coordinates (Song et al. 2023, eq. 5 and appendix C). */
static struct linear consistency(const struct process_config *config, double sigma)
{
    const double data = config->sigma_data, beyond = sigma - config->sigma_min;

    return (struct linear){.x = data * data / (beyond * beyond + data * data),
                           .o = data * beyond / sqrt(sigma * sigma + data * data)};
}

struct conversion process_conversion(const struct process *process, struct level level)
{
    struct linear x_0;
    double sigma;

    if (!is_type(process, PROCESS_CM))
        return prediction_conversion(process_head(process), level);
    sigma = level.sigma / level.alpha;
    x_0 = consistency(&process->config, sigma);
    return (struct conversion){.x0_x = x_0.x / level.alpha,
                               .x0_o = x_0.o,
                               .epsilon_x = (1.0 - x_0.x) / level.sigma,
                               .epsilon_o = -x_0.o / sigma};
}

struct linear process_score(const struct process *process, struct level level)
{
    return prediction_score(process_head(process), level);
}

double process_output(const struct process *process, struct level level, double x_0, double epsilon)
{
    struct linear by;
    double sigma;

    if (!is_type(process, PROCESS_CM))
        return prediction_output(process_head(process), level, x_0, epsilon);
    sigma = level.sigma / level.alpha;
    by = consistency(&process->config, sigma);
    return by.o == 0.0 ? 0.0 : (x_0 - by.x * (x_0 + sigma * epsilon)) / by.o;
}

/* --- the start -------------------------------------------------------------------------------- */

static void draw_annulus(const struct process_config *config, struct rng *rng, float *x)
{
    const double inner = config->base_low * config->base_low;
    const double outer = config->base_high * config->base_high;
    double angle, radius;
    float uniform[2];

    rng_rand(rng, uniform, 2);
    angle = 2.0 * PI * (double)uniform[0];
    radius = sqrt(inner + (outer - inner) * (double)uniform[1]);
    x[0] = (float)(radius * math_cos(angle));
    x[1] = (float)(radius * math_sin(angle));
}

static void draw_uniform(const struct process_config *config, struct rng *rng, float *x, size_t dim)
{
    const double low = config->base_low, range = config->base_high - low;

    rng_rand(rng, x, dim);
    for (size_t i = 0; i < dim; i++)
        x[i] = (float)(low + range * (double)x[i]);
}

void process_draw(const struct process *process, struct rng *rng, float *x, size_t dim)
{
    const struct process_config *config = &process->config;

    if (config->type != PROCESS_FLOW || config->base == FLOW_BASE_GAUSSIAN)
        rng_randn(rng, x, dim);
    else if (config->base == FLOW_BASE_ANNULUS)
        draw_annulus(config, rng, x);
    else
        draw_uniform(config, rng, x, dim);
}

double process_start_scale(const struct process *process)
{
    if (is_type(process, PROCESS_VE) || is_type(process, PROCESS_CM))
        return process->config.sigma_max;
    return is_type(process, PROCESS_VE_LINEAR) ? process->config.sigma_q : 1.0;
}

/* --- life ------------------------------------------------------------------------------------- */

bool process_check_range(const char *low_key, const double range[2], double limit,
                         struct error *error)
{
    if (range[0] > 0.0 && range[0] < range[1] && range[1] <= limit)
        return true;
    return error_set(error, ERROR_INVALID,
                     "%s must be above 0 and below its maximum, which is at most %g: got %g and %g",
                     low_key, limit, range[0], range[1]);
}

static bool check(const struct process_config *config, struct error *error)
{
    const struct process_kind *kind = kinds[config->type];

    if (config->model_time == MODEL_TIME_INDEX && config->levels == NULL)
        return error_set(error, ERROR_INVALID, "model_time index needs levels");
    if (kind->heads != 0 && (kind->heads & (1u << config->schedule.head)) == 0)
        return error_set(error, ERROR_INVALID, "prediction_type %s is none of %s",
                         head_name(config->schedule.head), kind->title);
    return kind->check == NULL || kind->check(config, error);
}

static bool copy_levels(struct process_config *config, struct error *error)
{
    double *levels;

    if (config->levels == NULL)
        return true;
    levels = malloc(config->level_count * sizeof(*levels));
    if (levels == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu levels", config->level_count);
    memcpy(levels, config->levels, config->level_count * sizeof(*levels));
    config->levels = levels;
    config->sigma_max = levels[0];
    config->sigma_min = levels[config->level_count - 1];
    return true;
}

static bool copy_list(const int **list, size_t count, struct error *error)
{
    int *copy = malloc((count > 0 ? count : 1) * sizeof(*copy));

    if (copy == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu integers", count);
    if (count > 0)
        memcpy(copy, *list, count * sizeof(*copy));
    *list = copy;
    return true;
}

/* Until all is copied nothing of the caller's may be freed. */
static bool copy_lists(struct process *process, const struct process_config *config,
                       struct error *error)
{
    struct option_values *options = &process->config.options;

    for (int i = 0; i < OPTION_COUNT; i++)
        options->list[i] = NULL;
    for (int i = 0; i < OPTION_COUNT; i++) {
        const int *list = config->options.list[i];

        if (!config->options.given[i] || list == NULL)
            continue;
        if (!copy_list(&list, (size_t)options->value[i], error))
            return false;
        options->list[i] = list;
    }
    return true;
}

/* Slopes are harmonic means of the differences on both sides, the end's own at the ends. */
static bool make_curve(struct process *process, struct error *error)
{
    const struct schedule *schedule = &process->schedule;
    const size_t count = schedule->config.timesteps;
    double *value, *slope;

    if (!(schedule->alpha_bar[count - 1] > 0.0))
        return true;
    value = malloc(2 * (count + 1) * sizeof(*value));
    if (value == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu timesteps", count);
    slope = value + count + 1;
    assert(count > 0);
    value[0] = 0.0;
    for (size_t i = 1; i <= count; i++)
        value[i] = math_log(schedule->alpha_bar[i - 1]);
    slope[0] = value[1];
    slope[count] = value[count] - value[count - 1];
    for (size_t i = 1; i < count; i++) {
        const double before = value[i] - value[i - 1], after = value[i + 1] - value[i];

        slope[i] = before + after < 0.0 ? 2.0 * before * after / (before + after) : 0.0;
    }
    process->curve = (struct curve){.value = value, .slope = slope};
    return true;
}

/* beta_k = (beta_min + k (beta_max - beta_min) / (N - 1)) / N, Song et al. 2021, appendix B. Too
 * few timesteps for betas below 1, and there is no such table. */
static bool make_discrete_vp(struct process *process, struct error *error)
{
    struct schedule_config config = process->config.schedule;
    const size_t count = config.timesteps;
    const double low = process->config.beta_min, range = process->config.beta_max - low;
    bool is_good;

    config.trained_betas = malloc(count * sizeof(*config.trained_betas));
    if (config.trained_betas == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu betas", count);
    for (size_t k = 0; k < count; k++)
        config.trained_betas[k] = (low + (double)k * range / (double)(count - 1)) / (double)count;
    is_good = schedule_init(&process->schedule, &config, error);
    free(config.trained_betas);
    return is_good || error->code != ERROR_NO_MEMORY;
}

static bool fill(struct process *process, struct error *error)
{
    struct process_config *config = &process->config;
    bool is_good = true;

    if (isnan(config->time_scale))
        config->time_scale = default_time_scale(config);
    if (config->type == PROCESS_TABLE)
        is_good = schedule_init(&process->schedule, &config->schedule, error) &&
                  make_curve(process, error);
    if (config->type == PROCESS_VP)
        is_good = make_discrete_vp(process, error);
    config->schedule.trained_betas = NULL;
    if (process->schedule.beta == NULL)
        process->schedule.config = config->schedule;
    return is_good;
}

bool process_init(struct process *process, const struct process_config *config, struct error *error)
{
    *process = (struct process){.kind = kinds[config->type], .config = *config};
    process->config.levels = NULL;
    process->config.options = (struct option_values){.given = {false}};
    if (!check(config, error))
        return false;
    process->config.options = config->options;
    if (!copy_lists(process, config, error)) {
        process_finish(process);
        return false;
    }
    process->config.levels = config->levels;
    if (!copy_levels(&process->config, error)) {
        process->config.levels = NULL;
        process_finish(process);
        return false;
    }
    if (fill(process, error))
        return true;
    process_finish(process);
    return false;
}

void process_finish(struct process *process)
{
    schedule_finish(&process->schedule);
    free(process->curve.value); /* both arrays are one block */
    free(process->config.levels);
    for (int i = 0; i < OPTION_COUNT; i++)
        free((int *)(uintptr_t)process->config.options.list[i]);
    *process = (struct process){.kind = NULL};
}
