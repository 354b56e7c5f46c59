/* option.h - the options of samplers: one table row each, from which the parser of requests,
 * /models, openapi.json, the recipe and the reader of scheduler_config.json all read.
 *
 * A value is a double whatever its type: a number, 0 or 1 for a bool, the index of a choice, how
 * many integers a list holds; NaN is null. */
#ifndef OPTION_H
#define OPTION_H

#include <stdbool.h>
#include <stddef.h>

enum option_type { OPTION_NUMBER, OPTION_INTEGER, OPTION_BOOL, OPTION_CHOICE, OPTION_LIST };

/* Of a list of integers. */
#define OPTION_LIST_MAX 1000
#define OPTION_LISTS    2 /* options of that type */

/* Constant, wire name. */
#define SAMPLER_OPTIONS(X)                                                                         \
    X(SPACING, "spacing")                                                                          \
    X(ETA, "eta")                                                                                  \
    X(SIGMA_HAT, "sigma_hat")                                                                      \
    X(USE_CLIPPED_MODEL_OUTPUT, "use_clipped_model_output")                                        \
    X(VARIANCE_TYPE, "variance_type")                                                              \
    X(VARIANT, "variant")                                                                          \
    X(SKIP_PRK_STEPS, "skip_prk_steps")                                                            \
    X(SOLVER_ORDER, "solver_order")                                                                \
    X(SOLVER_TYPE, "solver_type")                                                                  \
    X(USE_KARRAS_SIGMAS, "use_karras_sigmas")                                                      \
    X(USE_EXPONENTIAL_SIGMAS, "use_exponential_sigmas")                                            \
    X(FINAL_SIGMAS_TYPE, "final_sigmas_type")                                                      \
    X(LOWER_ORDER_FINAL, "lower_order_final")                                                      \
    X(EULER_AT_FINAL, "euler_at_final")                                                            \
    X(SIGMA_MIN, "sigma_min")                                                                      \
    X(SIGMA_MAX, "sigma_max")                                                                      \
    X(DISABLE_CORRECTOR, "disable_corrector")                                                      \
    X(S_CHURN, "s_churn")                                                                          \
    X(S_TMIN, "s_tmin")                                                                            \
    X(S_TMAX, "s_tmax")                                                                            \
    X(S_NOISE, "s_noise")                                                                          \
    X(SHIFT, "shift")                                                                              \
    X(STOCHASTIC_SAMPLING, "stochastic_sampling")                                                  \
    X(SIGMA_Q, "sigma_q")                                                                          \
    X(STEP_SIZE, "step_size")                                                                      \
    X(SIGMA, "sigma")                                                                              \
    X(START_RANGE, "start_range")                                                                  \
    X(STEPS_PER_LEVEL, "steps_per_level")                                                          \
    X(EPSILON, "epsilon")                                                                          \
    X(PREDICTOR, "predictor")                                                                      \
    X(CORRECTOR, "corrector")                                                                      \
    X(SNR, "snr")                                                                                  \
    X(CORRECT_STEPS, "correct_steps")                                                              \
    X(SAMPLING_EPS, "sampling_eps")                                                                \
    X(METHOD, "method")                                                                            \
    X(RTOL, "rtol")                                                                                \
    X(ATOL, "atol")                                                                                \
    X(MAX_NFE, "max_nfe")                                                                          \
    X(TIMESTEPS, "timesteps")

enum sampler_option {
#define OPTION_ENUM(code, name) OPTION_##code,
    SAMPLER_OPTIONS(OPTION_ENUM)
#undef OPTION_ENUM
        OPTION_COUNT
};

/* Choices of options whose names are no part of a schedule. */
#define VARIANTS(X)     X(DIFFUSERS, "diffusers") X(PAPER, "paper")
#define SOLVER_TYPES(X) X(MIDPOINT, "midpoint") X(HEUN, "heun")
#define FINAL_SIGMAS(X) X(ZERO, "zero") X(SIGMA_MIN, "sigma_min")
#define PREDICTORS(X)                                                                              \
    X(REVERSE_DIFFUSION, "reverse_diffusion")                                                      \
    X(ANCESTRAL, "ancestral")                                                                      \
    X(EULER_MARUYAMA, "euler_maruyama")
#define CORRECTORS(X) X(LANGEVIN, "langevin") X(ALD, "ald")
#define METHODS(X)    X(EULER, "euler") X(HEUN, "heun") X(RK4, "rk4") X(RK45, "rk45")

enum variant {
#define X(code, name) VARIANT_##code,
    VARIANTS(X)
#undef X
};
enum solver_type {
#define X(code, name) SOLVER_##code,
    SOLVER_TYPES(X)
#undef X
};
enum final_sigmas {
#define X(code, name) FINAL_##code,
    FINAL_SIGMAS(X)
#undef X
};
enum predictor {
#define X(code, name) PREDICTOR_##code,
    PREDICTORS(X)
#undef X
};
enum corrector {
#define X(code, name) CORRECTOR_##code,
    CORRECTORS(X)
#undef X
};
enum method {
#define X(code, name) METHOD_##code,
    METHODS(X)
#undef X
};

struct option_description {
    const char *name; /* on the wire */
    enum option_type type;
    double minimum, maximum;    /* numbers, integers and each of a list, both included */
    bool is_nullable;           /* null is a value, NaN here */
    const char *const *choices; /* OPTION_CHOICE: NULL-terminated; index = value */
    const char *help;           /* one line for people */
};

const struct option_description *option_describe(enum sampler_option option);

/* OPTION_COUNT when there is none of that name. */
enum sampler_option option_find(const char *name);

/* In range, and whole unless it is a number; NaN only where null is a value. Of a list this is its
 * length; its integers are whole anyway, and what else they must be its sampler says. */
bool option_allows(enum sampler_option option, double value);

struct option_values {
    bool given[OPTION_COUNT];
    double value[OPTION_COUNT];
    const int *list[OPTION_COUNT]; /* OPTION_LIST: `value` of them; borrowed */
};

#endif
