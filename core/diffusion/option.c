#include "core/diffusion/option.h"
#include "core/diffusion/schedule.h"

#include <math.h>
#include <string.h>

#define CHOICE_NAME(code, name) name,

static const char *const spacings[] = {SPACINGS(CHOICE_NAME) NULL};
static const char *const variance_types[] = {VARIANCE_TYPES(CHOICE_NAME) NULL};
static const char *const variants[] = {VARIANTS(CHOICE_NAME) NULL};
static const char *const solver_types[] = {SOLVER_TYPES(CHOICE_NAME) NULL};
static const char *const final_sigmas[] = {FINAL_SIGMAS(CHOICE_NAME) NULL};
static const char *const predictors[] = {PREDICTORS(CHOICE_NAME) NULL};
static const char *const correctors[] = {CORRECTORS(CHOICE_NAME) NULL};
static const char *const methods[] = {METHODS(CHOICE_NAME) NULL};

/* What "above 0" is. */
#define ABOVE_0 1e-12
/* Above the largest level of any table: what an answer tells of it can be asked for again. */
#define SIGMA_LIMIT 1e12

#define CHOICES(wire, list, text)                                                                  \
    {                                                                                              \
        .name = (wire), .type = OPTION_CHOICE, .maximum = sizeof(list) / sizeof((list)[0]) - 2,    \
        .choices = (list), .help = (text)                                                          \
    }
#define BOOL(wire, text)                                                                           \
    {                                                                                              \
        .name = (wire), .type = OPTION_BOOL, .maximum = 1.0, .help = (text)                        \
    }
#define INTEGER(wire, low, high, text)                                                             \
    {                                                                                              \
        .name = (wire), .type = OPTION_INTEGER, .minimum = (low), .maximum = (high),               \
        .help = (text)                                                                             \
    }
#define NUMBER(wire, low, high, text)                                                              \
    {                                                                                              \
        .name = (wire), .type = OPTION_NUMBER, .minimum = (low), .maximum = (high), .help = (text) \
    }
#define NUMBER_OR_NULL(wire, low, high, text)                                                      \
    {                                                                                              \
        .name = (wire), .type = OPTION_NUMBER, .minimum = (low), .maximum = (high),                \
        .is_nullable = true, .help = (text)                                                        \
    }
#define LIST(wire, low, high, text)                                                                \
    {                                                                                              \
        .name = (wire), .type = OPTION_LIST, .minimum = (low), .maximum = (high), .help = (text)   \
    }

static const struct option_description options[] = {
    [OPTION_SPACING] =
        CHOICES("spacing", spacings, "how the steps are spread over the training timesteps"),
    [OPTION_ETA] =
        NUMBER("eta", 0.0, 1.0, "share of fresh noise: 0 draws none, 1 is ancestral sampling"),
    [OPTION_SIGMA_HAT] =
        BOOL("sigma_hat",
             "the larger noise of ancestral sampling on all steps but the last; excludes eta"),
    [OPTION_USE_CLIPPED_MODEL_OUTPUT] =
        BOOL("use_clipped_model_output", "the noise is taken from the clipped x_0"),
    [OPTION_VARIANCE_TYPE] =
        CHOICES("variance_type", variance_types,
                "how much noise a step adds; the learned types belong to models "
                "that predict it, which take no other"),
    [OPTION_VARIANT] = CHOICES(
        "variant", variants,
        "which level the model is asked at: the target, as diffusers does, or the one it is at"),
    [OPTION_SKIP_PRK_STEPS] = BOOL("skip_prk_steps", "begin without Runge-Kutta steps"),
    [OPTION_SOLVER_ORDER] =
        INTEGER("solver_order", 1.0, 3.0, "how many predictions a step combines"),
    [OPTION_SOLVER_TYPE] =
        CHOICES("solver_type", solver_types, "how a step of second order is made"),
    [OPTION_USE_KARRAS_SIGMAS] =
        BOOL("use_karras_sigmas", "noise levels as Karras et al. 2022 space them"),
    [OPTION_USE_EXPONENTIAL_SIGMAS] =
        BOOL("use_exponential_sigmas", "noise levels in a geometric row"),
    [OPTION_FINAL_SIGMAS_TYPE] =
        CHOICES("final_sigmas_type", final_sigmas, "the level that the last step goes to"),
    [OPTION_LOWER_ORDER_FINAL] =
        BOOL("lower_order_final", "the last steps are of lower order when there are few"),
    [OPTION_EULER_AT_FINAL] = BOOL("euler_at_final", "the last step is of first order"),
    [OPTION_SIGMA_MIN] = NUMBER_OR_NULL("sigma_min", ABOVE_0, SIGMA_LIMIT,
                                        "lowest noise level; null: the model's own"),
    [OPTION_SIGMA_MAX] = NUMBER_OR_NULL("sigma_max", ABOVE_0, SIGMA_LIMIT,
                                        "highest noise level; null: the model's own"),
    [OPTION_DISABLE_CORRECTOR] =
        LIST("disable_corrector", 0.0, 99999.0, "steps, counted from 0, that are not corrected"),
    [OPTION_S_CHURN] = NUMBER("s_churn", 0.0, 1000.0,
                              "how much noise is added again over all steps (Karras et al. 2022)"),
    [OPTION_S_TMIN] = NUMBER("s_tmin", 0.0, 1e6, "no noise is added again below this level"),
    [OPTION_S_TMAX] = NUMBER_OR_NULL("s_tmax", 0.0, 1e6, "nor above this one; null: no limit"),
    [OPTION_S_NOISE] = NUMBER("s_noise", 0.0, 2.0, "scale of the noise that is added again"),
    [OPTION_SHIFT] =
        NUMBER("shift", .01, 100.0, "spends more (above 1) or fewer steps near the noise"),
    [OPTION_STOCHASTIC_SAMPLING] = BOOL("stochastic_sampling", "every step draws fresh noise"),
    [OPTION_SIGMA_Q] = NUMBER("sigma_q", ABOVE_0, SIGMA_LIMIT, "noise level to start from"),
    [OPTION_STEP_SIZE] = NUMBER("step_size", ABOVE_0, 100.0, "of a Langevin step"),
    [OPTION_SIGMA] =
        NUMBER("sigma", 0.0, 1e5, "noise level whose density is sampled; by default the smallest"),
    [OPTION_START_RANGE] =
        NUMBER("start_range", ABOVE_0, 1e6, "the start is uniform within +- this"),
    [OPTION_STEPS_PER_LEVEL] =
        INTEGER("steps_per_level", 1.0, 10000.0, "Langevin steps at each noise level"),
    [OPTION_EPSILON] = NUMBER("epsilon", ABOVE_0, 1000.0,
                              "Langevin step size at the lowest level; by default .1 sigma_min^2"),
    [OPTION_PREDICTOR] =
        CHOICES("predictor", predictors, "what takes a row from one time to the next"),
    [OPTION_CORRECTOR] =
        CHOICES("corrector", correctors, "how the size of Langevin steps at one time is chosen"),
    [OPTION_SNR] =
        NUMBER("snr", ABOVE_0, 10.0, "signal to noise that the corrector's step size aims at"),
    [OPTION_CORRECT_STEPS] = INTEGER("correct_steps", 1.0, 100.0, "corrections at each time"),
    [OPTION_SAMPLING_EPS] = NUMBER("sampling_eps", 0.0, 10.0, "time at which the process ends"),
    [OPTION_METHOD] = CHOICES("method", methods, "how the ODE is solved"),
    [OPTION_RTOL] = NUMBER("rtol", 1e-12, 1.0, "rk45: relative tolerance"),
    [OPTION_ATOL] = NUMBER("atol", 1e-12, 1.0, "rk45: absolute tolerance"),
    [OPTION_MAX_NFE] =
        INTEGER("max_nfe", 8.0, 1e6, "rk45: evaluations of a sample before it is an error"),
    [OPTION_TIMESTEPS] = LIST("timesteps", 0.0, 99999.0, "falling timesteps in place of steps"),
};

const struct option_description *option_describe(enum sampler_option option)
{
    return &options[option];
}

enum sampler_option option_find(const char *name)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strcmp(options[i].name, name) == 0)
            return (enum sampler_option)i;
    return OPTION_COUNT;
}

bool option_allows(enum sampler_option option, double value)
{
    const struct option_description *description = &options[option];

    if (isnan(value))
        return description->is_nullable;
    if (description->type == OPTION_LIST)
        return value >= 0.0 && value <= OPTION_LIST_MAX;
    if (!(value >= description->minimum && value <= description->maximum))
        return false;
    return description->type == OPTION_NUMBER || value == rint(value);
}
