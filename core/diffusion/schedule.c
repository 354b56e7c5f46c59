#include "core/diffusion/schedule.h"
#include "core/base/math.h"
#include "core/diffusion/schedule_betas.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAME(code, name) name,
static const char *const spacings[] = {SPACINGS(NAME)};
static const char *const variance_types[] = {VARIANCE_TYPES(NAME)};
#undef NAME

const char *spacing_name(enum spacing spacing)
{
    return spacings[spacing];
}

const char *variance_type_name(enum variance_type type)
{
    return variance_types[type];
}

struct schedule_config schedule_config_default(void)
{
    return (struct schedule_config){.class_name = "DDPMScheduler",
                                    .sampler = "ddpm",
                                    .timesteps = 1000,
                                    .beta_start = 1e-4,
                                    .beta_end = .02,
                                    .beta_schedule = BETA_LINEAR,
                                    .head = HEAD_EPSILON,
                                    .clip_sample_range = 1.0,
                                    .dynamic_thresholding_ratio = .995,
                                    .sample_max_value = 1.0,
                                    .lambda_min_clipped = (double)-INFINITY};
}

/* Infinity is a number here: no clipping. */
static bool check_clipping(const struct schedule_config *config, struct error *error)
{
    if (!(config->clip_sample_range > 0.0))
        return error_set(error, ERROR_INVALID, "clip_sample_range must be above 0, got %g",
                         config->clip_sample_range);
    if (!(config->dynamic_thresholding_ratio >= 0.0 && config->dynamic_thresholding_ratio <= 1.0))
        return error_set(error, ERROR_INVALID, "dynamic_thresholding_ratio must be 0..1, got %g",
                         config->dynamic_thresholding_ratio);
    if (!(config->sample_max_value > 0.0))
        return error_set(error, ERROR_INVALID, "sample_max_value must be above 0, got %g",
                         config->sample_max_value);
    return true;
}

static bool check_timesteps(const struct schedule_config *config, struct error *error)
{
    if (config->timesteps < 2 || config->timesteps > SCHEDULE_TIMESTEPS_MAX)
        return error_set(error, ERROR_INVALID, "num_train_timesteps must be 2..%d, got %zu",
                         SCHEDULE_TIMESTEPS_MAX, config->timesteps);
    if (config->steps_offset < 0 || (size_t)config->steps_offset >= config->timesteps)
        return error_set(error, ERROR_INVALID,
                         "steps_offset must be 0..%zu (below num_train_timesteps), got %d",
                         config->timesteps - 1, config->steps_offset);
    return true;
}

static void accumulate(struct schedule *schedule)
{
    double exact = 1.0, parity = 1.0;

    for (size_t i = 0; i < schedule->config.timesteps; i++) {
        const float beta = (float)schedule->beta[i];

        exact *= 1.0 - schedule->beta[i];
        parity *= (double)(1.0f - beta);
        schedule->alpha_bar[i] = exact;
        schedule->alpha_bar_parity[i] = (double)(float)parity;
    }
}

/* What the samplers divide by: 1 - alpha_bar everywhere, alpha_bar everywhere but at the last. */
static bool check_tables(const struct schedule *schedule, struct error *error)
{
    const size_t last = schedule->config.timesteps - 1;
    const double *alpha_bar = schedule->alpha_bar_parity;

    if (alpha_bar[0] >= 1.0)
        return error_set(error, ERROR_INVALID,
                         "%s: the first beta, %g, must be at least 6e-8: 1 - beta is 1 in float32",
                         schedule->config.rescale_betas_zero_snr ? "rescale_betas_zero_snr"
                                                                 : "beta_start or trained_betas",
                         schedule->beta[0]);
    if (alpha_bar[last - 1] <= 0.0)
        return error_set(error, ERROR_INVALID,
                         "beta_end or trained_betas: the betas are so large that alpha_bar is 0 in "
                         "float32 before the last of %zu timesteps",
                         last + 1);
    if (alpha_bar[last] <= 0.0 && !schedule->config.allows_zero_snr &&
        (schedule->config.head == HEAD_EPSILON || schedule->config.head == HEAD_SCORE))
        return error_set(error, ERROR_INVALID,
                         "prediction_type must be v_prediction or sample where alpha_bar ends at 0 "
                         "(rescale_betas_zero_snr, jsd): "
                         "%s does not say x_0 there",
                         head_name(schedule->config.head));
    return true;
}

bool schedule_init(struct schedule *schedule, const struct schedule_config *config,
                   struct error *error)
{
    const size_t timesteps = config->timesteps;

    *schedule = (struct schedule){.config = *config};
    if (!check_timesteps(config, error) || !check_clipping(config, error))
        return false;
    schedule->beta = malloc(3 * timesteps * sizeof(*schedule->beta));
    if (schedule->beta == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu betas", timesteps);
    schedule->alpha_bar = schedule->beta + timesteps;
    schedule->alpha_bar_parity = schedule->alpha_bar + timesteps;
    schedule->config.trained_betas = NULL;
    if (betas_fill(config, schedule->beta, error)) {
        accumulate(schedule);
        if (check_tables(schedule, error))
            return true;
    }
    schedule_finish(schedule);
    return false;
}

void schedule_finish(struct schedule *schedule)
{
    free(schedule->beta); /* the three tables are one block */
    *schedule = (struct schedule){.beta = NULL};
}

double schedule_prior_kl(const struct schedule *schedule, size_t dim, double energy)
{
    const double alpha_bar = schedule->alpha_bar[schedule->config.timesteps - 1];

    return ((double)dim * (-alpha_bar - math_log1p(-alpha_bar)) + alpha_bar * energy) / 2.0;
}

static int leading_timestep(const struct schedule_config *config, size_t n, size_t i)
{
    return (int)(i * (config->timesteps / n)) + config->steps_offset;
}

/* numpy.linspace(0, T-1, n).round(). */
static int linspace_timestep(const struct schedule_config *config, size_t n, size_t i)
{
    const double step = n == 1 ? 0.0 : (double)(config->timesteps - 1) / (double)(n - 1);

    return (int)rint((double)i * step);
}

/* numpy.arange(T, 0, -T/n): start + k * delta, where delta is what is left of -T/n beside T. */
static int trailing_timestep(const struct schedule_config *config, size_t n, size_t i)
{
    const double timesteps = (double)config->timesteps;
    const double delta = (timesteps - timesteps / (double)n) - timesteps;

    return (int)rint(timesteps + (double)(n - 1 - i) * delta) - 1;
}

/* Song et al. 2020, appendix D.2: dense near the data, and from .8 T only. */
static int quadratic_timestep(const struct schedule_config *config, size_t n, size_t i)
{
    const double last = sqrt(.8 * (double)config->timesteps);
    const double root = n == 1 ? 0.0 : (double)i * (last / (double)(n - 1));

    return (int)(root * root);
}

/* The i-th timestep, counted from the smallest. */
static int (*const spacing_timestep[])(const struct schedule_config *config, size_t n, size_t i) = {
    [SPACING_LEADING] = leading_timestep,
    [SPACING_LINSPACE] = linspace_timestep,
    [SPACING_TRAILING] = trailing_timestep,
    [SPACING_QUADRATIC] = quadratic_timestep,
};

bool schedule_check_steps(const struct schedule *schedule, size_t n, struct error *error)
{
    if (n >= 1 && n <= schedule->config.timesteps)
        return true;
    return error_set(error, ERROR_INVALID,
                     "steps must be 1..%zu, the timesteps that the model was trained with, got %zu",
                     schedule->config.timesteps, n);
}

bool schedule_timesteps(const struct schedule *schedule, enum spacing spacing, size_t n,
                        int *timesteps, struct error *error)
{
    const int count = (int)schedule->config.timesteps;

    if (!schedule_check_steps(schedule, n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        timesteps[n - 1 - i] = spacing_timestep[spacing](&schedule->config, n, i);
    if (timesteps[0] >= count || timesteps[n - 1] < 0)
        return error_set(error, ERROR_INVALID,
                         "%zu steps with spacing %s and the model's steps_offset %d would begin at "
                         "timestep %d, past the last, %d: take fewer steps or another spacing",
                         n, spacing_name(spacing), schedule->config.steps_offset, timesteps[0],
                         count - 1);
    return true;
}

size_t schedule_distinct(int *timesteps, size_t n)
{
    size_t kept = 1;

    for (size_t i = 1; i < n; i++)
        if (timesteps[i] != timesteps[kept - 1])
            timesteps[kept++] = timesteps[i];
    return kept;
}
