/* Langevin dynamics without its noise: every row climbs to a mode of the density. */
#include "core/diffusion/langevin.h"

static bool greedy_plan(struct plan *plan, struct error *error)
{
    return langevin_plan_level(plan, 0.0, error);
}

const struct sampler sampler_greedy = {
    .name = "greedy",
    .title = "Langevin dynamics without noise: rows climb to the modes",
    .options = {OPTION_STEP_SIZE, OPTION_SIGMA, OPTION_START_RANGE},
    .option_count = 3,
    .runs_on = RUNS_ON_SIGMA,
    .needs_sigma = true,
    .takes_no_picture = true,
    .needs = "noise that is N(0, I) at every level",
    .option_default = langevin_default,
    .plan = greedy_plan,
    .draw = langevin_draw,
    .begin = langevin_begin,
    .advance = langevin_advance,
};
