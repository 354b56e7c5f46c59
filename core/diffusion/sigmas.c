#include "core/diffusion/sigmas.h"
#include "core/base/math.h"

#include <math.h>
#include <stdlib.h>

/* What these classes put in place of an alpha_bar of 0. */
#define ALPHA_BAR_MIN 0x1p-24

/* Below an integer by less than this is that integer, where timesteps are truncated: the top level
 * is the last timestep exactly, and float32 logarithms must not make it the one before. */
#define TRUNCATION_SLACK 1e-4

double sigma_of_alpha_bar(double alpha_bar)
{
    return sqrt((1.0 - alpha_bar) / alpha_bar);
}

static double sigma_of_entry(const struct schedule *schedule, size_t index)
{
    const double alpha_bar = schedule->alpha_bar_parity[index];

    return sigma_of_alpha_bar(alpha_bar > 0.0 ? alpha_bar : ALPHA_BAR_MIN);
}

double sigma_at(const struct schedule *schedule, double index)
{
    const size_t last = schedule->config.timesteps - 1;
    const double position = fmin(fmax(index, 0.0), (double)last);
    const size_t below = (size_t)position;
    const double w = position - (double)below, low = sigma_of_entry(schedule, below);

    return w == 0.0 ? low : low + w * (sigma_of_entry(schedule, below + 1) - low);
}

/* The largest entry whose sigma is at most this one, by bisection: sigmas rise. 0..T-2. */
static size_t entry_below(const struct schedule *schedule, double sigma)
{
    size_t low = 0, high = schedule->config.timesteps - 1;

    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;

        if (sigma_of_entry(schedule, middle) <= sigma)
            low = middle;
        else
            high = middle;
    }
    return low;
}

double index_of_sigma(const struct schedule *schedule, double sigma)
{
    const size_t low = entry_below(schedule, sigma);
    const double below = math_log(sigma_of_entry(schedule, low));
    const double above = math_log(sigma_of_entry(schedule, low + 1));
    const double w = above > below ? (math_log(sigma) - below) / (above - below) : 0.0;

    return (double)low + fmin(fmax(w, 0.0), 1.0);
}

void sigmas_karras(double *sigma, size_t n, double max, double min, double rho)
{
    const double first = math_pow(max, 1.0 / rho), last = math_pow(min, 1.0 / rho);

    for (size_t i = 0; i < n; i++) {
        const double ramp = n == 1 ? 0.0 : (double)i / (double)(n - 1);

        sigma[i] = math_pow(first + ramp * (last - first), rho);
    }
}

void sigmas_exponential(double *sigma, size_t n, double max, double min)
{
    const double first = math_log(max), last = math_log(min);

    for (size_t i = 0; i < n; i++) {
        const double ramp = n == 1 ? 0.0 : (double)i / (double)(n - 1);

        sigma[i] = math_exp(first + ramp * (last - first));
    }
}

/* --- the grids -------------------------------------------------------------------------------- */

/* T, or less where lambda = -ln sigma is too small: T minus how many entries are. */
static size_t clipped_timesteps(const struct ladder_request *request)
{
    const struct schedule *schedule = request->schedule;
    size_t count = schedule->config.timesteps;

    while (count > 0 &&
           -math_log(sigma_of_entry(schedule, count - 1)) < request->lambda_min_clipped)
        count--;
    return count;
}

/* numpy.linspace(0, last, count)[i]. */
static double linspace(double last, size_t count, size_t i)
{
    if (count > 1 && i == count - 1)
        return last;
    return count == 1 ? 0.0 : (double)i * (last / (double)(count - 1));
}

/* The i-th from the smallest. */
static double euler_timestep(const struct ladder_request *request, size_t i)
{
    const struct schedule_config *config = &request->schedule->config;

    if (request->spacing == SPACING_LEADING)
        return (double)(i * (config->timesteps / request->n)) + (double)config->steps_offset;
    return linspace((double)(config->timesteps - 1), request->n, i);
}

/* The i-th from the smallest, where `count` stands for T. */
static double dpm_timestep(const struct ladder_request *request, size_t count, size_t i)
{
    const size_t n = request->n;

    if (request->spacing == SPACING_LEADING)
        return (double)((i + 1) * (count / (n + 1))) +
               (double)request->schedule->config.steps_offset;
    return rint(linspace((double)(count - 1), n + 1, i + 1));
}

/* numpy.arange(start, 0, -T/n) without what is not above 0; falling. Returns how many. */
static size_t trailing(const struct ladder_request *request, size_t count, double *timestep)
{
    const double start = (double)count, n = (double)request->n;
    const double delta = (start - (double)request->schedule->config.timesteps / n) - start;
    size_t kept = 0;

    for (size_t i = 0; i < request->n; i++) {
        const double value = start + (double)i * delta;

        if (value > 0.0)
            timestep[kept++] = rint(value) - 1.0;
    }
    return kept;
}

static void fill_timesteps(struct ladder *ladder, const struct ladder_request *request)
{
    const bool is_dpm = request->family == LADDER_DPM;
    const size_t count = is_dpm ? clipped_timesteps(request) : request->schedule->config.timesteps;

    ladder->n = request->n;
    if (request->spacing == SPACING_TRAILING) {
        ladder->n = trailing(request, count, ladder->timestep);
        return;
    }
    for (size_t i = 0; i < request->n; i++)
        ladder->timestep[request->n - 1 - i] =
            is_dpm ? dpm_timestep(request, count, i) : euler_timestep(request, i);
}

static bool check_timesteps(const struct ladder *ladder, const struct ladder_request *request,
                            struct error *error)
{
    const double last = (double)(request->schedule->config.timesteps - 1);

    if (ladder->n > 0 && ladder->timestep[0] <= last && ladder->timestep[ladder->n - 1] >= 0.0)
        return true;
    return error_set(error, ERROR_INVALID,
                     "%zu steps with spacing %s leave the model's %zu timesteps: take fewer steps "
                     "or another spacing",
                     request->n, spacing_name(request->spacing),
                     request->schedule->config.timesteps);
}

static double whole(double timestep, bool truncates)
{
    return truncates ? floor(timestep + TRUNCATION_SLACK) : rint(timestep);
}

/* Levels of their own row, and the timesteps that have them. */
static void respace(struct ladder *ladder, const struct ladder_request *request)
{
    const struct schedule *schedule = request->schedule;
    const bool is_dpm = request->family == LADDER_DPM;
    double high =
        is_dpm ? sigma_at(schedule, (double)(schedule->config.timesteps - 1)) : ladder->sigma[0];
    double low = is_dpm ? sigma_at(schedule, 0.0) : ladder->sigma[ladder->n - 1];

    high = isnan(request->sigma_max) ? high : request->sigma_max;
    low = isnan(request->sigma_min) ? low : request->sigma_min;
    if (request->karras)
        sigmas_karras(ladder->sigma, ladder->n, high, low, 7.0);
    else
        sigmas_exponential(ladder->sigma, ladder->n, high, low);
    for (size_t i = 0; i < ladder->n; i++) {
        const double index = index_of_sigma(schedule, ladder->sigma[i]);

        ladder->timestep[i] =
            is_dpm ? whole(index, request->truncates || request->exponential) : index;
    }
}

static void fill(struct ladder *ladder, const struct ladder_request *request)
{
    const bool has_own_row = request->karras || request->exponential;
    double first;

    for (size_t i = 0; i < ladder->n; i++)
        ladder->sigma[i] = sigma_at(request->schedule, ladder->timestep[i]);
    if (has_own_row)
        respace(ladder, request);
    ladder->sigma[ladder->n] = 0.0;
    if (request->final_is_sigma_min)
        ladder->sigma[ladder->n] = request->final_repeats && has_own_row
                                       ? ladder->sigma[ladder->n - 1]
                                       : sigma_at(request->schedule, 0.0);
    first = ladder->sigma[0];
    ladder->start_scale = request->spacing == SPACING_LEADING ? sqrt(first * first + 1.0) : first;
}

bool ladder_init(struct ladder *ladder, const struct ladder_request *request, struct error *error)
{
    const size_t n = request->n;

    *ladder = (struct ladder){.n = 0};
    if (!schedule_check_steps(request->schedule, n, error))
        return false;
    ladder->timestep = malloc((2 * n + 1) * sizeof(*ladder->timestep));
    if (ladder->timestep == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for %zu levels", n);
    ladder->sigma = ladder->timestep + n;
    fill_timesteps(ladder, request);
    if (!check_timesteps(ladder, request, error)) {
        ladder_finish(ladder);
        return false;
    }
    fill(ladder, request);
    return true;
}

void ladder_finish(struct ladder *ladder)
{
    free(ladder->timestep); /* both arrays are one block */
    *ladder = (struct ladder){.n = 0};
}
