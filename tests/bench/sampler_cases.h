/* sampler_cases.h - what is asked of every sampler where its speed is compared: at least one case
 * of each, all with the same number of evaluations as far as it can be. */
#ifndef SAMPLER_CASES_H
#define SAMPLER_CASES_H

#include "core/diffusion/sampler.h"

/* Networks read as what they were not trained for give nonsense at the same speed. */
enum sampler_ground { ON_TABLE, ON_FLOW, ON_CM, GROUND_COUNT };

#define CASE_OPTIONS 3

struct sampler_case {
    const char *sampler, *what; /* what: its options, for people; "": none */
    enum sampler_ground ground;
    size_t each, more; /* evaluations = steps * each + more; each = 0: it counts no steps */
    struct {
        enum sampler_option option;
        double value;
    } options[CASE_OPTIONS];
    size_t option_count;
};

extern const struct sampler_case SAMPLER_CASES[];
extern const size_t SAMPLER_CASE_COUNT;

/* The steps that make about so many evaluations, no more than the process allows. */
size_t sampler_case_steps(const struct sampler_case *the_case, const struct process *process,
                          size_t evaluations);

struct option_values sampler_case_options(const struct sampler_case *the_case);

/* `wanted` is "pf_ode" or "pf_ode rk45"; NULL: all are. */
bool sampler_case_is(const struct sampler_case *the_case, const char *wanted);

#endif
