/* sampler.h - what happens to a row between two evaluations of the model.
 *
 * A sampler is a constant: what changes lives in the row, so one sampler serves every row at once,
 * from any worker. begin and advance allocate nothing, keep no pointer and read no other row, so a
 * row's values depend on its own request only. Whatever can be refused is refused by the plan.
 * Coefficients are double, values are float in C,H,W order (points: coordinates). */
#ifndef SAMPLER_H
#define SAMPLER_H

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/diffusion/clip.h"
#include "core/diffusion/option.h"
#include "core/diffusion/prediction.h"
#include "core/diffusion/process.h"

#include <stddef.h>

struct sampler;

#define PLAN_COEFFICIENTS 12

/* One evaluation and what follows it; row->x after it is what the step of diffusers' class
 * returns, an intermediate point included: what else is kept is in row->state. A sampler with
 * several evaluations a step has one of these for each; one that has too many for that (Langevin at
 * a level, RK45) has fewer, and its file says what they stand for. steps.h fills the first five. */
struct plan_step {
    struct level from;            /* of x, in the sampler's own coordinates */
    double input_scale;           /* input = input_scale * x: alpha in VE coordinates, else 1 */
    double model_time;            /* as the network counts it */
    struct conversion conversion; /* of input and output, at the input's level */
    struct level model_level;     /* that model_time has: mostly the input's; an exact model's */
    struct level to;              /* of x afterwards; not always the next from: DDIM's t - T/n */
    double coefficient[PLAN_COEFFICIENTS]; /* computed once; its file says which is which */
    bool draws;                            /* one randn(dim) is drawn after this evaluation */
    bool is_inner; /* x is in between: more evaluations before the step is whole */
};

/* One request's schedule, made once, then shared read-only by its rows on any thread. */
struct plan {
    const struct sampler *sampler;
    const struct process *process; /* the model's; must outlive the plan */
    /* Resolved: the request's, else the config's, else the sampler's own. A sampler's plan takes
     * back (given = false) what does not apply, and writes what it works out itself. */
    struct option_values options;
    bool asked[OPTION_COUNT]; /* given by the request itself */
    struct clip_rule clip;
    size_t steps;           /* as asked for; 0: the sampler counts none (RK45) */
    bool steps_asked;       /* by the request, not by default */
    size_t step_count;      /* entries in `step` */
    double strength;        /* of the picture that rows begin with; 1: all steps are run */
    size_t first;           /* entry in `step` where rows begin: what stands before is not run */
    bool from_picture;      /* rows begin with the picture, noised to the level of that entry */
    size_t evaluations;     /* of the model per row, or their limit; 0: begin is all there is */
    size_t evaluations_due; /* the same, or what rows mostly take: costs are predicted by it */
    bool is_adaptive;       /* each row needs its own number of evaluations: NFE is reported */
    size_t dim;             /* D: floats in one x */
    size_t output_dim;      /* floats the model answers: D, or 2 D with a learned variance */
    size_t state_floats;    /* of row.state; at most PLAN_STATE_FLOATS_MAX */
    size_t figure_count;    /* doubles that a row measures: row.figures */
    const struct sampler *stepped; /* of probe_one_step: the sampler whose step it is */
    double start_scale;            /* init_noise_sigma: x = start_scale * draw */
    const char *warning;    /* a sentence about a plan that runs but cannot be meant, or NULL */
    struct plan_step *step; /* owned */
    int *lists;             /* owned: the lists of `options` */
    struct plan *leg[2];    /* owned: plans that this one runs in turn (a round trip), or NULL */
};

/* Floats of a row's state at most: what a likelihood by RK45 takes, that is eight vectors of dim +
 * 1 doubles and the signs of 64 probes. */
#define PLAN_STATE_ROWS            18
#define PLAN_STATE_FLOATS_MAX(dim) (PLAN_STATE_ROWS * (dim) + 16)

struct plan_request {
    const struct process *process;
    const char *sampler; /* wire name, of an encoder too */
    size_t steps;
    bool steps_asked;                    /* false: `steps` is only what the model would take */
    bool has_picture;                    /* rows begin with a picture, or keep a part of one */
    double strength;                     /* of the picture, above 0, at most 1 */
    const struct option_values *options; /* as the request gives them; the rest takes its default */
    size_t dim, output_dim;
};

/* NULL with INVALID: an unknown sampler, an option of another sampler or out of range (the
 * request parser has refused these before, with all faults), and what the sampler itself refuses.
 * NO_MEMORY. plan_destroy(NULL) does nothing. */
struct plan *plan_create(const struct plan_request *request, struct error *error);

/* The parts of it that planning one step takes. A sampler or encoder of that name that runs on the
 * process and has these options, or NULL with INVALID; a plan_new of it gets them, with its
 * defaults, and its rule of clipping. */
const struct sampler *plan_sampler(const struct process *process, const char *name,
                                   const struct option_values *options, struct error *error);
MUST_CHECK bool plan_resolve(struct plan *plan, const struct option_values *options,
                             struct error *error);

/* For probes: zeroed but for what is given here and a strength of 1. NO_MEMORY. */
struct plan *plan_new(const struct sampler *sampler, const struct process *process, size_t dim,
                      size_t output_dim, struct error *error);
void plan_destroy(struct plan *plan);

/* What it takes of memory, lists of options apart: some hundred bytes an entry. */
size_t plan_bytes(const struct plan *plan);

/* Whole steps that a row makes, each of one evaluation or more. */
size_t plan_whole_steps(const struct plan *plan);

/* Whether rows draw more than their x_T. */
bool plan_draws(const struct plan *plan);

/* x_T, dim floats, as a row that was given nothing draws it first. */
void plan_draw(const struct plan *plan, struct rng *rng, float *x);

/* Where a row lives; the engine owns every array. */
struct row {
    float *x;           /* D: x_t; the sample once done */
    const float *given; /* D: what it begins with in place of a draw (conditioning.h), or NULL */
    const float *given_noise; /* D: in place of a probe's draw of noise, or NULL */
    double *figures;          /* plan->figure_count, zeroed when the row begins: what it measures */
    float *input;       /* D: what the model is asked about: x itself, scaled, or a point between */
    float *state;       /* plan->state_floats, zeroed when the row begins, 64-byte aligned unless
                           D < 16; aligned for doubles always */
    float *noise;       /* D: scratch of the worker, holds nothing between calls */
    float *scratch;     /* D: likewise */
    double time;        /* the model's second argument for `input` */
    struct level level; /* that the model takes `input` to be at: its time's */
    struct conversion conversion; /* of `input` and the answer to it */
    bool wants_score;             /* an exact model is to answer the score, whatever its head */
    bool wants_divergence;        /* the family, if it knows it, is to fill `divergence`, too */
    double divergence;            /* tr(d output / d input) of the last answer,
                                     the labelled one's of two */
    size_t step;                  /* index of the plan's entry in progress */
    size_t stage;                 /* the sampler's own counter: 0 when the row begins */
    size_t evaluations;           /* made so far: the NFE */
    double number[12];            /* the sampler's own (RK45's t, h): 0 when the row begins */
    struct rng rng;               /* seeded by the engine: x_T first, then each step's noise */
};

/* FAILED: x is not finite. NOT_CONVERGED: an adaptive solver used up its evaluations. */
enum advance { ADVANCE_EVALUATE, ADVANCE_DONE, ADVANCE_FAILED, ADVANCE_NOT_CONVERGED };

/* The x_0, clipped as the step will have it, that `output` predicts for row->input: to be asked
 * before the row is advanced. Uses row->scratch and row->noise, draws nothing. */
void plan_predicted_x0(const struct plan *plan, const struct row *row, const float *output,
                       float *x_0);

/* What the sampler's class in diffusers knows of clipping. */
enum { KNOWS_CLIP_SAMPLE = 1, CLIPS_BY_DEFAULT = 2, KNOWS_THRESHOLDING = 4 };

/* Where samplers run. TABLE includes vp by its discrete form; SIGMA leaves out flows from another
 * base than N(0, I), too. */
#define RUNS_ON_ANY   ((1u << PROCESS_COUNT) - 1)
#define RUNS_ON_TABLE (PROCESS_BIT(TABLE) | PROCESS_BIT(VP))
#define RUNS_ON_FLOW  PROCESS_BIT(FLOW)
#define RUNS_ON_CM    PROCESS_BIT(CM)
#define RUNS_ON_SIGMA (RUNS_ON_ANY & ~PROCESS_BIT(CM))

#define SPACING_BIT(code)     (1u << SPACING_##code)
#define SPACINGS_OF_DIFFUSERS (SPACING_BIT(LEADING) | SPACING_BIT(LINSPACE) | SPACING_BIT(TRAILING))

/* The ends of a single step, as moment.h counts; NaN: the data. */
struct step_times {
    double from, to;
};

struct sampler {
    const char *name;  /* as on the wire */
    const char *title; /* one line for people */
    enum sampler_option options[OPTION_COUNT];
    size_t option_count;
    unsigned spacings;     /* SPACING_BITs that OPTION_SPACING may be */
    unsigned runs_on;      /* PROCESS_BITs */
    bool needs_sigma;      /* runs in VE coordinates: process_has_sigma */
    bool needs_table;      /* process_table */
    bool needs_continuous; /* process_is_continuous */
    bool takes_no_picture; /* it cannot begin with a picture or keep a part of one */
    const char *needs;     /* "a beta table": for "ddim needs a beta table; this ..." */
    unsigned clip;         /* KNOWS_CLIP_SAMPLE ... */
    /* Its own default of one of its options, which a key of that name in the model's config beats;
     * NaN: null, or one that only the plan works out. */
    double (*option_default)(const struct process *process, enum sampler_option option);
    /* Whether the config's value of an option is one for this sampler (solver_order 3 is none for
     * dpmpp_2m), else its own default stands; NULL: every value is. */
    bool (*takes_config)(enum sampler_option option, double value);
    /* Fills step, step_count, evaluations (evaluations_due, too, if it is adaptive),
     * state_floats, start_scale of a zeroed plan whose other fields are set. `step` may be
     * allocated before a refusal: plan_create frees it. */
    bool (*plan)(struct plan *plan, struct error *error);
    /* The same of one step between two times, as the only whole one (probe_one_step.h), by the
     * arithmetic of `plan`; what draws has one entry. NULL: this sampler has no such step. */
    bool (*plan_step)(struct plan *plan, const struct step_times *times, struct error *error);
    /* Of what such a step adds to value i of its mean where it draws; NULL: it never does. */
    double (*step_variance)(const struct plan *plan, const float *output, size_t i);
    bool learns_variance; /* from a model that says one it is one a value */
    /* x_T from the first numbers of a generator; NULL: the process's noise times start_scale. */
    void (*draw)(const struct plan *plan, struct rng *rng, float *x);
    /* Draws x_T into x, unless row_begin_given (conditioning.h) has put something there, and asks
     * for the evaluation of entry plan->first: input, time, level, conversion. */
    void (*begin)(struct row *row, const struct plan *plan);
    /* plan_predicted_x0 of a step whose draw moves x_0, too, before the draw is made; NULL: of
     * none. May use row->noise. */
    void (*predicted_x0)(const struct plan *plan, const struct row *row, const float *output,
                         float *x_0);
    /* `output` is the model's raw answer (after guidance) to row->input: output_dim floats. */
    enum advance (*advance)(struct row *row, const struct plan *plan, const float *output);
};

/* To add a sampler: write sampler_NAME.c, and its name here. Nothing else changes. */
#define SAMPLERS(X)                                                                                \
    X(ddpm)                                                                                        \
    X(ddim)                                                                                        \
    X(pndm)                                                                                        \
    X(euler)                                                                                       \
    X(euler_ancestral)                                                                             \
    X(heun)                                                                                        \
    X(flow_euler)                                                                                  \
    X(flow_heun)                                                                                   \
    X(flow_rk4)                                                                                    \
    X(ve_ddpm)                                                                                     \
    X(ve_ddim)                                                                                     \
    X(dpmpp_2m)                                                                                    \
    X(dpmpp_3m)                                                                                    \
    X(dpmpp_2m_sde)                                                                                \
    X(unipc)                                                                                       \
    X(consistency)                                                                                 \
    X(pf_ode)                                                                                      \
    X(sde_euler_maruyama)                                                                          \
    X(reverse_diffusion)                                                                           \
    X(ancestral_sde)                                                                               \
    X(predictor_corrector)                                                                         \
    X(corrector_only)                                                                              \
    X(langevin)                                                                                    \
    X(greedy)                                                                                      \
    X(annealed_langevin)

/* Samplers that go from data to noise. Plans are made of them as of any other, but nobody who wants
 * samples is offered one: sampler_find and sampler_at know SAMPLERS alone. */
#define ENCODERS(X)                                                                                \
    X(ddim_inverse)                                                                                \
    X(pf_ode_inverse)

/* What asks a model something else than for samples: rows like any other, counted like any other,
 * but each is planned by a function of its own (probe_NAME.h), of which `plan` is NULL. */
#define PROBES(X)                                                                                  \
    X(noise)                                                                                       \
    X(predict)                                                                                     \
    X(one_step)                                                                                    \
    X(elbo)                                                                                        \
    X(likelihood)                                                                                  \
    X(roundtrip)

#define SAMPLER_DECLARE(name) extern const struct sampler sampler_##name;
SAMPLERS(SAMPLER_DECLARE)
ENCODERS(SAMPLER_DECLARE)
#undef SAMPLER_DECLARE
#define PROBE_DECLARE(name) extern const struct sampler probe_##name;
PROBES(PROBE_DECLARE)
#undef PROBE_DECLARE

/* Of the tables that plan_create knows; of all three. */
#define SAMPLER_ONE(name) +1
enum {
    SAMPLER_TOTAL = SAMPLERS(SAMPLER_ONE) ENCODERS(SAMPLER_ONE),
    RUNNER_TOTAL = SAMPLER_TOTAL PROBES(SAMPLER_ONE)
};
#undef SAMPLER_ONE

/* NULL when there is none of that name / past the end. */
const struct sampler *sampler_find(const char *name);
const struct sampler *sampler_at(size_t index);
const struct sampler *encoder_find(const char *name);

/* What runs through an engine is counted by these: samplers, as sampler_at has them, then encoders,
 * then probes. NULL past the end; RUNNER_TOTAL: in no table. */
const struct sampler *sampler_any_at(size_t number);
size_t sampler_number(const struct sampler *sampler);

bool sampler_has_option(const struct sampler *sampler, enum sampler_option option);

/* Whether one of its options may be this choice; whether the model's data allow it the plan says.
 */
bool sampler_has_choice(const struct sampler *sampler, enum sampler_option option, size_t choice);

/* An option that some sampler of SAMPLERS has: requests for samples may name no other. A choice of
 * one that some sampler or encoder has. */
bool option_is_used(enum sampler_option option);
bool choice_is_used(enum sampler_option option, size_t choice);

/* The default of one of its options on that process, the config's or its own. */
double sampler_option_default(const struct sampler *sampler, const struct process *process,
                              enum sampler_option option);

/* What it does to an x_0, of what its class knows and the config says: a plan's `clip`. */
struct clip_rule sampler_clip_rule(const struct sampler *sampler, const struct process *process);

/* INVALID says what the sampler needs and what the process is: "ddim needs a beta table; this
 * model's process is ve". */
MUST_CHECK bool sampler_runs_on(const struct sampler *sampler, const struct process *process,
                                struct error *error);

#endif
