/* schedule.h - the noise of a model that was trained on a table of betas.
 *
 * As diffusers' DDPMScheduler and DDIMScheduler hold it. `alpha_bar` is the exact table in double;
 * `alpha_bar_parity` is rounded where diffusers rounds (beta and 1-beta to float32, the product in
 * double, each entry to float32): the samplers that diffusers has use it, and then a step agrees
 * with diffusers to 2e-6. Timesteps count from 0. Immutable after schedule_init; any thread. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "core/base/error.h"
#include "core/diffusion/prediction.h"

#include <stddef.h>

#define SCHEDULE_TIMESTEPS_MAX 100000

/* Constant, name in scheduler_config.json. */
#define BETA_SCHEDULES(X)                                                                          \
    X(LINEAR, "linear")                                                                            \
    X(SCALED_LINEAR, "scaled_linear")                                                              \
    X(SQUAREDCOS_CAP_V2, "squaredcos_cap_v2")                                                      \
    X(SIGMOID, "sigmoid")                                                                          \
    X(LAPLACE, "laplace")                                                                          \
    X(EXP, "exp")                                                                                  \
    X(CONST, "const")                                                                              \
    X(JSD, "jsd")

#define SPACINGS(X)                                                                                \
    X(LEADING, "leading")                                                                          \
    X(LINSPACE, "linspace")                                                                        \
    X(TRAILING, "trailing")                                                                        \
    X(QUADRATIC, "quadratic")                                                                      \
    X(UNIFORM, "uniform")

#define VARIANCE_TYPES(X)                                                                          \
    X(FIXED_SMALL, "fixed_small")                                                                  \
    X(FIXED_SMALL_LOG, "fixed_small_log")                                                          \
    X(FIXED_LARGE, "fixed_large")                                                                  \
    X(LEARNED, "learned")                                                                          \
    X(LEARNED_RANGE, "learned_range")

enum beta_schedule {
#define X(code, name) BETA_##code,
    BETA_SCHEDULES(X)
#undef X
};
enum spacing {
#define X(code, name) SPACING_##code,
    SPACINGS(X)
#undef X
};
enum variance_type {
#define X(code, name) VARIANCE_##code,
    VARIANCE_TYPES(X)
#undef X
};

const char *spacing_name(enum spacing spacing);
const char *variance_type_name(enum variance_type type);

/* What a config may leave to the class that runs, whose default is its own. */
enum config_flag { NOT_GIVEN, GIVEN_FALSE, GIVEN_TRUE };

static inline bool given_or(enum config_flag given, bool absent)
{
    return given == NOT_GIVEN ? absent : given == GIVEN_TRUE;
}

/* scheduler_config.json as read (core/model/scheduler_config.c). */
struct schedule_config {
    const char *class_name; /* static string */
    const char *sampler;    /* static string: the sampler when none is asked for */
    size_t timesteps;       /* T, 2..SCHEDULE_TIMESTEPS_MAX */
    double beta_start, beta_end;
    enum beta_schedule beta_schedule;
    double *trained_betas; /* T numbers in [0,1), or NULL; borrowed: schedule_init copies nothing of
                              it */
    bool rescale_betas_zero_snr;
    bool allows_zero_snr; /* the class itself runs epsilon where alpha_bar ends at 0 */
    enum head head;       /* prediction_type */
    int steps_offset;
    enum config_flag set_alpha_to_one;
    enum config_flag clip_sample;
    double clip_sample_range;
    bool thresholding;
    double dynamic_thresholding_ratio, sample_max_value;
    double lambda_min_clipped; /* -INFINITY: not at all */
};

/* What classes take where the config does not say, wherever they agree. */
struct schedule_config schedule_config_default(void);

struct schedule {
    struct schedule_config config; /* trained_betas is NULL here */
    double *beta;                  /* T, exact, after the zero-SNR rescale; owned */
    double *alpha_bar;             /* T, exact; owned */
    double *alpha_bar_parity;      /* T; owned */
};

/* INVALID (a range, betas outside [0,1), zero SNR with an epsilon head), NO_MEMORY. The text
 * names the key. */
MUST_CHECK bool schedule_init(struct schedule *schedule, const struct schedule_config *config,
                              struct error *error);
void schedule_finish(struct schedule *schedule);

/* Nats between q(x_T | x_0) and N(0, I) for data with E[x_0.x_0] = energy in `dim` dimensions. */
double schedule_prior_kl(const struct schedule *schedule, size_t dim, double energy);

/* INVALID unless 1 <= n <= T. */
MUST_CHECK bool schedule_check_steps(const struct schedule *schedule, size_t n,
                                     struct error *error);

/* The n timesteps of DDPM, DDIM and PNDM, descending, exactly n of them, as NumPy rounds them in
 * diffusers (halves to even). 1 <= n <= T. INVALID too when steps_offset pushes one past T-1. Not
 * uniform, which has none. */
MUST_CHECK bool schedule_timesteps(const struct schedule *schedule, enum spacing spacing, size_t n,
                                   int *timesteps, struct error *error);

/* Drops neighbours that are equal, as quadratic has them; how many are left. */
size_t schedule_distinct(int *timesteps, size_t n);

#endif
