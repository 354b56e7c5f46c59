/* DPM-Solver++ and UniPC: what combines the x_0 of several steps. */
#include "tests/support/test.h"

#include "core/diffusion/sigmas.h"
#include "tests/support/chain.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

static void chains_end_where_they_must_by_every_head(void **state)
{
    static const struct {
        struct known_run run;
        double end[4];
    } chains[] = {
        {{.sampler = "dpmpp_2m", .steps = 10}, {2.767019, 1.030146, -1.810216, -2.183669}},
        {{.sampler = "dpmpp_2m",
          .steps = 10,
          .options = {{OPTION_SOLVER_TYPE, SOLVER_HEUN}},
          .option_count = 1},
         {2.884012, 1.121660, -1.809866, -2.188798}},
        {{.sampler = "dpmpp_2m",
          .steps = 20,
          .options = {{OPTION_FINAL_SIGMAS_TYPE, FINAL_SIGMA_MIN}},
          .option_count = 1},
         {2.827774, .799912, -1.583782, -2.019801}},
        {{.sampler = "dpmpp_2m_sde", .steps = 10}, {-4.706958, -2.710348, -3.992378, -3.598191}},
        {{.sampler = "unipc", .steps = 10}, {2.948402, 1.183881, -1.792483, -2.171881}},
    };
    static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_V, HEAD_SCORE};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        const struct process_config config = known_config(heads[i]);

        for (size_t k = 0; k < sizeof(chains) / sizeof(chains[0]); k++)
            known_ends(&chains[k].run, &config, chains[k].end, 1e-4);
    }
}

/* Karras' levels are near whole timesteps, not at them: the network answers for the timestep, and
 * only of epsilon nothing else is told. */
static void karras_chain_ends_where_it_must(void **state)
{
    static const struct known_run run = {.sampler = "dpmpp_2m",
                                         .steps = 10,
                                         .options = {{OPTION_USE_KARRAS_SIGMAS, 1.0}},
                                         .option_count = 1};
    static const double end[] = {2.648880, .578114, -1.926702, -2.371946};
    const struct process_config config = known_config(HEAD_EPSILON);

    (void)state;
    known_ends(&run, &config, end, 3e-4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_end_where_they_must_by_every_head),
        cmocka_unit_test(karras_chain_ends_where_it_must),
    };
    return cmocka_run_group_tests_name("multistep", tests, NULL, NULL);
}
