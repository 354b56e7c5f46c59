/* known.h - end points of whole chains on the mixture, and where many samples of it end, that an
 * independent computation in double gave. */
#ifndef KNOWN_H
#define KNOWN_H

#include "core/diffusion/sampler.h"

#define KNOWN_OPTIONS_MAX 4

struct known_option {
    enum sampler_option option;
    double value;
};

/* How a plan is asked for. */
struct known_run {
    const char *sampler;
    size_t steps; /* 0: not said */
    struct known_option options[KNOWN_OPTIONS_MAX];
    size_t option_count;
    double strength; /* of a picture to begin with; 0: there is none */
    bool is_exact;   /* it may ask about any level, 0 too: known_answer can say */
};

/* Linear betas, T = 1000, nothing clipped. */
struct process_config known_config(enum head head);

/* The continuous process whose discrete form is that table. */
struct process_config known_config_vp(void);
/* Those of another process, nothing clipped. */
struct process_config known_config_of(enum process_type type, enum head head);

/* The mixture's: to be given to chain_run. */
void known_answer(const struct row *row, const struct plan *plan, float *output);

/* One that a test needs: fails the test when it is refused. plan_destroy, then process_finish. */
struct plan *known_plan(const struct known_run *run, const struct process_config *config,
                        struct process *process);

/* NULL when it is refused; process_finish either way. */
struct plan *known_try(const struct known_run *run, const struct process_config *config,
                       struct process *process, struct error *error);

/* The text of the refusal. */
void known_refusal(const struct known_run *run, const struct process_config *config,
                   const char *text);

/* Seeds 0 and 1 end at x y, x y; as many evaluations as the plan says. */
void known_ends(const struct known_run *run, const struct process_config *config,
                const double end[4], double tolerance);

struct known_shares {
    struct known_run run;
    enum process_type process; /* a table unless said; head epsilon */
    size_t timesteps;          /* of the table; 0: 1000 */
    size_t samples;
    double share;        /* of samples with x + y above 0 */
    double centre[2];    /* of those, and of the others: mean of both coordinates */
    double deviation[2]; /* 0: not known */
};

void known_shares(const struct known_shares *known);

#endif
