#include "core/diffusion/schedule_betas.h"
#include "core/base/math.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

/* Nichol & Dhariwal 2021, section 3.2: no beta is larger than this. */
#define BETA_MAX .999

static void fill_linear(const struct schedule_config *config, double *beta)
{
    const double slope = (config->beta_end - config->beta_start) / (double)(config->timesteps - 1);

    for (size_t i = 0; i < config->timesteps; i++)
        beta[i] = config->beta_start + slope * (double)i;
}

static void fill_scaled_linear(const struct schedule_config *config, double *beta)
{
    const double start = sqrt(config->beta_start);
    const double slope = (sqrt(config->beta_end) - start) / (double)(config->timesteps - 1);

    for (size_t i = 0; i < config->timesteps; i++) {
        const double root = start + slope * (double)i;

        beta[i] = root * root;
    }
}

static void fill_sigmoid(const struct schedule_config *config, double *beta)
{
    const double range = config->beta_end - config->beta_start;

    for (size_t i = 0; i < config->timesteps; i++) {
        const double w = -6.0 + 12.0 * (double)i / (double)(config->timesteps - 1);

        beta[i] = config->beta_start + range / (1.0 + math_exp(-w));
    }
}

/* beta_t = 1 - f(t/T) / f((t-1)/T), where f(u) is alpha_bar up to a factor. */
static void fill_from_alpha_bar(const struct schedule_config *config, double *beta,
                                double (*f)(double u))
{
    const double timesteps = (double)config->timesteps;
    double before = f(0.0);

    for (size_t i = 0; i < config->timesteps; i++) {
        const double after = f((double)(i + 1) / timesteps);

        beta[i] = fmin(1.0 - after / before, BETA_MAX);
        before = after;
    }
}

/* Nichol & Dhariwal 2021, eq. 17. */
static double cosine_alpha_bar(double u)
{
    const double c = math_cos((u + .008) / 1.008 * PI / 2.0);

    return c * c;
}

static double laplace_alpha_bar(double u)
{
    const double from_middle = .5 - u;
    const double sign = from_middle < 0.0 ? -1.0 : 1.0;
    const double log_snr = -sign / 2.0 * math_log(1.0 - 2.0 * fabs(from_middle) + 1e-6);
    const double snr = math_exp(log_snr);

    return sqrt(snr / (1.0 + snr));
}

static double exp_alpha_bar(double u)
{
    return math_exp(-12.0 * u);
}

static void fill_cosine(const struct schedule_config *config, double *beta)
{
    fill_from_alpha_bar(config, beta, cosine_alpha_bar);
}

static void fill_laplace(const struct schedule_config *config, double *beta)
{
    fill_from_alpha_bar(config, beta, laplace_alpha_bar);
}

static void fill_exp(const struct schedule_config *config, double *beta)
{
    fill_from_alpha_bar(config, beta, exp_alpha_bar);
}

static void fill_const(const struct schedule_config *config, double *beta)
{
    for (size_t i = 0; i < config->timesteps; i++)
        beta[i] = config->beta_end;
}

/* alpha_bar falls in equal parts to 0 (Sohl-Dickstein et al. 2015, section 2.4.1). */
static void fill_jsd(const struct schedule_config *config, double *beta)
{
    for (size_t i = 0; i < config->timesteps; i++)
        beta[i] = 1.0 / (double)(config->timesteps - i);
}

static const struct {
    void (*fill)(const struct schedule_config *config, double *beta);
    bool uses_start, uses_end;
} schedules[] = {
    [BETA_LINEAR] = {fill_linear, true, true},
    [BETA_SCALED_LINEAR] = {fill_scaled_linear, true, true},
    [BETA_SQUAREDCOS_CAP_V2] = {fill_cosine, false, false},
    [BETA_SIGMOID] = {fill_sigmoid, true, true},
    [BETA_LAPLACE] = {fill_laplace, false, false},
    [BETA_EXP] = {fill_exp, false, false},
    [BETA_CONST] = {fill_const, false, true},
    [BETA_JSD] = {fill_jsd, false, false},
};

static bool copy_trained(const struct schedule_config *config, double *beta, struct error *error)
{
    for (size_t i = 0; i < config->timesteps; i++) {
        if (!(config->trained_betas[i] >= 0.0 && config->trained_betas[i] < 1.0))
            return error_set(error, ERROR_INVALID,
                             "trained_betas[%zu] must be at least 0 and below 1, got %g", i,
                             config->trained_betas[i]);
        beta[i] = config->trained_betas[i];
    }
    return true;
}

static bool is_beta(double value)
{
    return value > 0.0 && value < 1.0;
}

static bool fill_named(const struct schedule_config *config, double *beta, struct error *error)
{
    if (schedules[config->beta_schedule].uses_start && !is_beta(config->beta_start))
        return error_set(error, ERROR_INVALID, "beta_start must be above 0 and below 1, got %g",
                         config->beta_start);
    if (schedules[config->beta_schedule].uses_end && !is_beta(config->beta_end))
        return error_set(error, ERROR_INVALID, "beta_end must be above 0 and below 1, got %g",
                         config->beta_end);
    schedules[config->beta_schedule].fill(config, beta);
    return true;
}

/* Lin et al. 2023, algorithm 1: sqrt(alpha_bar) is shifted so that its last is 0, and scaled so
 * that its first stays. */
static bool rescale_zero_snr(double *beta, size_t timesteps, struct error *error)
{
    double alpha_bar = 1.0, first, last, scale, before = 1.0, root = 1.0;

    for (size_t i = 0; i < timesteps; i++)
        alpha_bar *= 1.0 - beta[i];
    first = sqrt(1.0 - beta[0]);
    last = sqrt(alpha_bar);
    scale = first / (first - last);
    alpha_bar = 1.0;
    for (size_t i = 0; i < timesteps; i++) {
        alpha_bar *= 1.0 - beta[i];
        root = (sqrt(alpha_bar) - last) * scale;
        if (!(before > 0.0 && isfinite(root)))
            return error_set(error, ERROR_INVALID,
                             "rescale_betas_zero_snr needs betas above 0 and below 1: alpha_bar "
                             "must fall at every timestep");
        beta[i] = 1.0 - root * root / before;
        before = root * root;
    }
    return true;
}

bool betas_fill(const struct schedule_config *config, double *beta, struct error *error)
{
    if (!(config->trained_betas != NULL ? copy_trained(config, beta, error)
                                        : fill_named(config, beta, error)))
        return false;
    return !config->rescale_betas_zero_snr || rescale_zero_snr(beta, config->timesteps, error);
}
