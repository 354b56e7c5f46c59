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
#include "core/diffusion/option.h"
#include "core/diffusion/prediction.h"
#include "core/diffusion/schedule.h"

#include <stddef.h>

struct sampler;

/* One evaluation and the step that follows it. */
struct plan_step {
    struct level from, to;        /* `to` is not always the next step's from: DDIM's t - T/n */
    double model_time;            /* as the model counts it */
    struct conversion conversion; /* at `from` */
    double coefficient[6]; /* the sampler's own, computed once; its file says which is which */
    bool draws;            /* one randn(dim) is drawn in this step */
};

/* One request's schedule, made once, then shared read-only by its rows on any thread. */
struct plan {
    const struct sampler *sampler;
    const struct schedule *schedule; /* the model's; must outlive the plan */
    struct option_values options;    /* resolved: every option of the sampler is given */
    size_t steps;                    /* as asked for */
    size_t step_count;               /* entries in `step` */
    size_t evaluations;              /* of the model per row, or their limit */
    size_t dim;                      /* D: floats in one x */
    size_t output_dim;      /* floats the model answers: D, or 2 D with a learned variance */
    size_t state_floats;    /* of row.state */
    double start_scale;     /* init_noise_sigma: x = start_scale * randn(D) */
    const char *warning;    /* a sentence about a plan that runs but cannot be meant, or NULL */
    struct plan_step *step; /* owned */
};

struct plan_request {
    const struct schedule *schedule;
    const char *sampler; /* wire name */
    size_t steps;
    const struct option_values *options; /* as the request gives them; the rest takes its default */
    size_t dim, output_dim;
};

/* NULL with INVALID: an unknown sampler, an option of another sampler or out of range (the
 * request parser has refused these before, with all faults), and what the sampler itself refuses.
 * NO_MEMORY. plan_destroy(NULL) does nothing. */
struct plan *plan_create(const struct plan_request *request, struct error *error);
void plan_destroy(struct plan *plan);

struct row;

/* The x_0, clipped as the step will have it, that `output` predicts for row->input: to be asked
 * before the row is advanced. Uses row->scratch, draws nothing. */
void plan_predicted_x0(const struct plan *plan, const struct row *row, const float *output,
                       float *x_0);

/* Where a row lives; the engine owns every array. */
struct row {
    float *x;           /* D: x_t; the sample once done */
    float *input;       /* D: what the model is asked about: x itself, scaled, or a point between */
    float *state;       /* plan->state_floats */
    float *noise;       /* D: scratch of the worker, holds nothing between calls */
    float *scratch;     /* D: likewise */
    double time;        /* the model's second argument for `input` */
    struct level level; /* of `input` */
    size_t step;        /* index of the plan's step in progress */
    size_t evaluations; /* made so far */
    struct rng rng;     /* seeded by the engine: x_T first, then each step's noise */
};

enum advance { ADVANCE_EVALUATE, ADVANCE_DONE, ADVANCE_FAILED };

struct sampler {
    const char *name;  /* as on the wire */
    const char *title; /* one line for people */
    enum sampler_option options[OPTION_COUNT];
    size_t option_count;
    /* The default of one of its options for a model: the config's key, else its own. */
    double (*option_default)(const struct schedule *schedule, enum sampler_option option);
    /* See sampler_refuses; NULL: it runs on every schedule. */
    const char *(*refuses)(const struct schedule *schedule);
    /* Fills step, step_count, evaluations, state_floats, start_scale of a zeroed plan whose other
     * fields are set. `step` may be allocated before a refusal: plan_create frees it. */
    bool (*plan)(struct plan *plan, struct error *error);
    /* Draws x_T into x and asks for the first evaluation: input, time, level. */
    void (*begin)(struct row *row, const struct plan *plan);
    /* `output` is the model's raw answer (after guidance) to row->input: output_dim floats. */
    enum advance (*advance)(struct row *row, const struct plan *plan, const float *output);
};

/* To add a sampler: write sampler_NAME.c, and its name here. Nothing else changes. */
#define SAMPLERS(X)                                                                                \
    X(ddpm)                                                                                        \
    X(ddim)

#define SAMPLER_DECLARE(name) extern const struct sampler sampler_##name;
SAMPLERS(SAMPLER_DECLARE)
#undef SAMPLER_DECLARE

/* NULL when there is none of that name / past the end. */
const struct sampler *sampler_find(const char *name);
const struct sampler *sampler_at(size_t index);

bool sampler_has_option(const struct sampler *sampler, enum sampler_option option);

/* Why this sampler cannot run on that schedule, or NULL when it can: /models lists those. */
const char *sampler_refuses(const struct sampler *sampler, const struct schedule *schedule);

#endif
