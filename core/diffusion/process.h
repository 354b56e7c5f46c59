/* process.h - the noise that a network was trained on: one interface for every kind of it.
 *
 * x_t = alpha(t) x_0 + sigma(t) noise; t is the process's own time, 0 at the data, rising to t_max
 * (on a beta table (i + 1) / T, cm: sigma itself). All numbers are double, and exact: where a table
 * must round as diffusers does, samplers read `schedule` and sigmas.h. A kind is a row of PROCESSES
 * and a constant in process_NAME.c. Immutable after process_init; any thread. */
#ifndef DIFFUSION_PROCESS_H
#define DIFFUSION_PROCESS_H

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/diffusion/option.h"
#include "core/diffusion/prediction.h"
#include "core/diffusion/schedule.h"

#include <stddef.h>

/* Of samplers on a process without a table; on a table a request takes at most T steps. */
#define PROCESS_STEPS_MAX  10000
#define PROCESS_LEVELS_MAX 4096

/* Constant; name in a DenoisedProcess config and in C. Bits of it say where a sampler runs. */
#define PROCESSES(X)                                                                               \
    X(TABLE, table)                                                                                \
    X(VP, vp)                                                                                      \
    X(SUB_VP, sub_vp)                                                                              \
    X(VE, ve)                                                                                      \
    X(VE_LINEAR, ve_linear)                                                                        \
    X(OU, ou)                                                                                      \
    X(OU_FINITE, ou_finite)                                                                        \
    X(FLOW, flow)                                                                                  \
    X(CM, cm)

enum process_type {
#define PROCESS_ENUM(code, name) PROCESS_##code,
    PROCESSES(PROCESS_ENUM)
#undef PROCESS_ENUM
        PROCESS_COUNT
};

#define PROCESS_BIT(code) (1u << PROCESS_##code)

/* How t is told to the network of a process without a table. */
#define MODEL_TIMES(X)                                                                             \
    X(TIME, "time")                                                                                \
    X(SIGMA, "sigma")                                                                              \
    X(INDEX, "index")

enum model_time {
#define MODEL_TIME_ENUM(code, name) MODEL_TIME_##code,
    MODEL_TIMES(MODEL_TIME_ENUM)
#undef MODEL_TIME_ENUM
};

/* Where a flow starts. */
#define FLOW_BASES(X)                                                                              \
    X(GAUSSIAN, "gaussian")                                                                        \
    X(ANNULUS, "annulus")                                                                          \
    X(UNIFORM, "uniform")

enum flow_base {
#define FLOW_BASE_ENUM(code, name) FLOW_BASE_##code,
    FLOW_BASES(FLOW_BASE_ENUM)
#undef FLOW_BASE_ENUM
};

/* What a folder states. Numbers that its kind does not have are not read. */
struct process_config {
    enum process_type type;
    struct schedule_config schedule; /* T and head of every kind; the rest of a table */
    struct option_values options;    /* those that the config gives under their own names */
    double beta_min, beta_max;       /* vp, sub_vp */
    double sigma_min, sigma_max;     /* ve, cm */
    double *levels;                  /* ve: falling, or NULL; borrowed, process_init copies */
    size_t level_count;              /* 2..PROCESS_LEVELS_MAX */
    double sigma_q;                  /* ve_linear */
    double t_max;                    /* ou */
    enum flow_base base;             /* flow */
    double base_low, base_high;      /* annulus: radii; uniform: of each coordinate */
    double sigma_data, rho, s_noise; /* cm */
    bool clip_denoised;              /* cm */
    enum model_time model_time;      /* not read on a table and by cm */
    double time_scale;               /* of MODEL_TIME_TIME; NaN: as the kind has it */
};

/* What a DenoisedProcess of that kind has where it does not say; a table: DDPMScheduler's. */
struct process_config process_config_default(enum process_type type);

/* dx = f x dt + g dw. */
struct drift {
    double f, g2;
};

struct process;

#define HEAD_BIT(code) (1u << HEAD_##code)

struct process_kind {
    const char *name;  /* in a config; "table" is none */
    const char *title; /* as refusals say it: "a beta table", "ve" */
    struct level (*level)(const struct process *process, double t);
    /* d alpha/dt, d sigma/dt at t, where the level is `here`. */
    struct level (*slope)(const struct process *process, double t, struct level here);
    struct drift (*drift)(const struct process *process, double t);
    double (*time)(const struct process *process, double sigma); /* of sigma / alpha */
    /* Its own numbers, INVALID by their keys; NULL: it has none. */
    bool (*check)(const struct process_config *config, struct error *error);
    double sampling_eps; /* not read on a table: 1/T */
    unsigned heads;      /* HEAD_BITs; 0: it has its own */
};

/* ln alpha_bar of a table between its entries: PCHIP through (i/T, ln A_i), i = 0..T. */
struct curve {
    double *value, *slope; /* T + 1 each, per index; NULL: A_T is 0 */
};

/* What samplers have to know of the network; the model says it once it is open. */
struct process_network {
    bool is_points;
    bool is_exact;         /* a mixture: answers at any level */
    bool is_exact_at_zero; /* and at sigma 0: no component is a point */
};

struct process {
    const struct process_kind *kind;
    struct process_config config; /* levels and lists are owned here; trained_betas is NULL */
    struct schedule schedule; /* of a table, or the discrete form of vp; beta is NULL elsewhere */
    struct curve curve;       /* of a table; owned */
    struct process_network network;
};

/* INVALID (a range, what schedule_init refuses), NO_MEMORY. The text names the key. */
MUST_CHECK bool process_init(struct process *process, const struct process_config *config,
                             struct error *error);
void process_finish(struct process *process);

/* NULL: samplers on a table cannot run. */
const struct schedule *process_table(const struct process *process);

/* T on a table and of cm, else PROCESS_STEPS_MAX. */
size_t process_steps_limit(const struct process *process);

/* --- In the process's own time, 0..t_max. On a table with alpha_bar_T = 0 there is no such time:
 * process_is_continuous is false and nothing else here may be asked. */

bool process_is_continuous(const struct process *process);
double process_t_max(const struct process *process);
double process_sampling_eps(const struct process *process); /* the config's, else the kind's */
struct level process_level(const struct process *process, double t);
struct level process_slope(const struct process *process, double t, struct level here);
struct drift process_drift(const struct process *process, double t);
double process_model_time(const struct process *process, double t);

/* --- In VE coordinates, x_0 + sigma noise: sigma stands for sigma(t) / alpha(t). Not for cm and
 * not for a flow from another base (process_has_sigma). On a table sigma runs linearly between the
 * entries of the rounded table. */

bool process_has_sigma(const struct process *process);
double process_sigma_min(const struct process *process); /* at sampling_eps; a table: t = 0 */
double process_sigma_max(const struct process *process); /* INFINITY: flow, ou_finite */
bool process_allows_sigma(const struct process *process, double sigma); /* an exact model: any */
struct level process_level_at_sigma(const struct process *process, double sigma);
double process_model_time_at_sigma(const struct process *process, double sigma);

/* --- On a table: the time of an index 0..T-1, which may be fractional, as the network counts. */
double process_model_time_at_index(const struct process *process, double index);

/* --- What the network says. Of cm `level` is that of the scaled input: sigma / alpha counts. */
enum head process_head(const struct process *process);
struct conversion process_conversion(const struct process *process, struct level level);
struct linear process_score(const struct process *process, struct level level);
double process_output(const struct process *process, struct level level, double x_0,
                      double epsilon);

/* An option's value as the config gives it, else `absent`. */
double process_option(const struct process *process, enum sampler_option option, double absent);

/* x_T as its process has it, without start_scale: N(0, I), or a flow's base. Of an annulus dim is
 * 2: angle, then radius, one uniform each; of uniform one each coordinate. */
void process_draw(const struct process *process, struct rng *rng, float *x, size_t dim);

/* The deviation of x_T: sigma_max, sigma_q, or 1. */
double process_start_scale(const struct process *process);

/* INVALID unless 0 < low < high <= limit; the key of the lower one is named. */
MUST_CHECK bool process_check_range(const char *low_key, const double range[2], double limit,
                                    struct error *error);

#define PROCESS_DECLARE(code, name) extern const struct process_kind process_##name##_kind;
PROCESSES(PROCESS_DECLARE)
#undef PROCESS_DECLARE

/* Index of the name in the table, or -1. */
int process_find(const char *name);
int model_time_find(const char *name);
int flow_base_find(const char *name);

#endif
