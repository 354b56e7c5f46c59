/* Langevin dynamics at one noise level: x + (a/2) S + sqrt(a) z. Modes that lie apart hardly mix.
 */
#include "core/diffusion/langevin.h"

static bool langevin_plan(struct plan *plan, struct error *error)
{
    return langevin_plan_level(plan, 1.0, error);
}

const struct sampler sampler_langevin = {
    .name = "langevin",
    .title = "Langevin dynamics at one noise level, from a uniform start",
    .options = {OPTION_STEP_SIZE, OPTION_SIGMA, OPTION_START_RANGE},
    .option_count = 3,
    .runs_on = RUNS_ON_SIGMA,
    .needs_sigma = true,
    .takes_no_picture = true,
    .needs = "noise that is N(0, I) at every level",
    .option_default = langevin_default,
    .plan = langevin_plan,
    .draw = langevin_draw,
    .begin = langevin_begin,
    .advance = langevin_advance,
};
