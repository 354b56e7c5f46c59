#include "tests/bench/sampler_cases.h"

#include <string.h>

#define PER_LEVEL 4 /* of annealed_langevin */

#define CASE(name, text, where, evaluations)                                                       \
    .sampler = (name), .what = (text), .ground = (where), .each = (evaluations)
#define ONE(code, number) .options = {{OPTION_##code, (double)(number)}}, .option_count = 1
#define TWO(code, number, code_2, number_2)                                                        \
    .options = {{OPTION_##code, (double)(number)}, {OPTION_##code_2, (double)(number_2)}},         \
    .option_count = 2

/* Trailing where the last entry of another grid would draw nothing; steps that no network, read as
 * what it was not trained for, makes diverge. */
const struct sampler_case SAMPLER_CASES[] = {
    {CASE("ddim", "", ON_TABLE, 1)},
    {CASE("ddim", "clipped output", ON_TABLE, 1), ONE(USE_CLIPPED_MODEL_OUTPUT, 1)},
    {CASE("ddim_inverse", "", ON_TABLE, 1)},
    {CASE("pndm", "", ON_TABLE, 1), .more = 9},
    {CASE("pndm", "skip_prk", ON_TABLE, 1), .more = 1, ONE(SKIP_PRK_STEPS, 1)},
    {CASE("dpmpp_2m", "", ON_TABLE, 1)},
    {CASE("dpmpp_2m", "heun", ON_TABLE, 1), ONE(SOLVER_TYPE, SOLVER_HEUN)},
    {CASE("dpmpp_3m", "", ON_TABLE, 1)},
    {CASE("unipc", "order 2", ON_TABLE, 1)},
    {CASE("unipc", "order 3", ON_TABLE, 1), ONE(SOLVER_ORDER, 3)},
    {CASE("euler", "", ON_TABLE, 1)},
    {CASE("heun", "", ON_TABLE, 2)},
    {CASE("flow_euler", "", ON_FLOW, 1)},
    {CASE("flow_heun", "", ON_FLOW, 2)},
    {CASE("flow_rk4", "", ON_FLOW, 4)},
    {CASE("ve_ddim", "", ON_TABLE, 1)},
    {CASE("pf_ode", "euler", ON_TABLE, 1), ONE(METHOD, METHOD_EULER)},
    {CASE("pf_ode", "heun", ON_TABLE, 2), ONE(METHOD, METHOD_HEUN)},
    {CASE("pf_ode", "rk4", ON_TABLE, 4), ONE(METHOD, METHOD_RK4)},
    {CASE("pf_ode", "rk45", ON_TABLE, 0),
     .options = {{OPTION_METHOD, METHOD_RK45}, {OPTION_RTOL, 1e-3}, {OPTION_ATOL, 1e-3}},
     .option_count = 3},
    {CASE("pf_ode_inverse", "heun", ON_TABLE, 2), ONE(METHOD, METHOD_HEUN)},
    {CASE("greedy", "", ON_TABLE, 1), ONE(STEP_SIZE, 1e-6)},
    {CASE("ddim", "eta 1", ON_TABLE, 1), ONE(ETA, 1)},
    {CASE("ddim", "sigma_hat", ON_TABLE, 1), ONE(SIGMA_HAT, 1)},
    {CASE("ddpm", "fixed_small", ON_TABLE, 1), ONE(SPACING, SPACING_TRAILING)},
    {CASE("ddpm", "fixed_large", ON_TABLE, 1),
     TWO(SPACING, SPACING_TRAILING, VARIANCE_TYPE, VARIANCE_FIXED_LARGE)},
    {CASE("dpmpp_2m_sde", "", ON_TABLE, 1)},
    {CASE("euler", "s_churn", ON_TABLE, 1), ONE(S_CHURN, 10)},
    {CASE("euler_ancestral", "", ON_TABLE, 1)},
    {CASE("flow_euler", "stochastic", ON_FLOW, 1), ONE(STOCHASTIC_SAMPLING, 1)},
    {CASE("ve_ddpm", "", ON_TABLE, 1)},
    {CASE("consistency", "", ON_CM, 1)},
    {CASE("sde_euler_maruyama", "", ON_TABLE, 1)},
    {CASE("reverse_diffusion", "", ON_TABLE, 1)},
    {CASE("ancestral_sde", "", ON_TABLE, 1)},
    {CASE("predictor_corrector", "ald", ON_TABLE, 2), ONE(CORRECTOR, CORRECTOR_ALD)},
    {CASE("predictor_corrector", "langevin", ON_TABLE, 2), ONE(CORRECTOR, CORRECTOR_LANGEVIN)},
    {CASE("corrector_only", "ald", ON_TABLE, 1), ONE(CORRECTOR, CORRECTOR_ALD)},
    {CASE("corrector_only", "langevin", ON_TABLE, 1), ONE(CORRECTOR, CORRECTOR_LANGEVIN)},
    {CASE("langevin", "", ON_TABLE, 1), ONE(STEP_SIZE, 1e-6)},
    {CASE("annealed_langevin", "", ON_TABLE, PER_LEVEL), ONE(STEPS_PER_LEVEL, PER_LEVEL)},
};
const size_t SAMPLER_CASE_COUNT = sizeof SAMPLER_CASES / sizeof SAMPLER_CASES[0];

size_t sampler_case_steps(const struct sampler_case *the_case, const struct process *process,
                          size_t evaluations)
{
    const size_t limit = process_steps_limit(process);
    size_t steps;

    if (the_case->each == 0)
        return 1;
    steps = (evaluations - the_case->more) / the_case->each;
    return steps < limit ? steps : limit;
}

struct option_values sampler_case_options(const struct sampler_case *the_case)
{
    struct option_values values = {.given = {false}};

    for (size_t i = 0; i < the_case->option_count; i++) {
        const enum sampler_option option = the_case->options[i].option;

        values.given[option] = true;
        values.value[option] = the_case->options[i].value;
    }
    return values;
}

bool sampler_case_is(const struct sampler_case *the_case, const char *wanted)
{
    const size_t length = strlen(the_case->sampler);

    if (wanted == NULL || strcmp(wanted, the_case->sampler) == 0)
        return true;
    return strncmp(wanted, the_case->sampler, length) == 0 && wanted[length] == ' ' &&
           strcmp(wanted + length + 1, the_case->what) == 0;
}
