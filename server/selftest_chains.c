/* Chains of 10 to 1000 steps whose end points are known: seeds 0 and 1 of the two Gaussians, in
 * double. diffusers in float32 gives the same within 2.5e-5 (Karras 9e-5) where it has the sampler.
 */
#include "server/selftest.h"

#include <math.h>
#include <stdio.h>

struct chain {
    const char *id;
    struct selftest_run run;
    double expected[4]; /* x y of seed 0, of seed 1 */
    double tolerance;
};

#define TABLE    "exact-mixture"
#define LABELS   "exact-labels"
#define USUAL    1e-4
#define KARRAS   3e-4
#define ADAPTIVE 1e-3

/* Model, sampler, steps, options; with the label 0 and that guidance. */
#define RUN(m, s, n, o)                                                                            \
    {                                                                                              \
        .model = (m), .sampler = (s), .steps = (n), .options = (o)                                 \
    }
#define GUIDED(m, s, n, o, w)                                                                      \
    {                                                                                              \
        .model = (m), .sampler = (s), .steps = (n), .options = (o), .has_label = true,             \
        .guidance = (w)                                                                            \
    }

static const struct chain chains[] = {
    {"10.2",
     RUN(TABLE, "ddpm", 10, "spacing=leading,variance_type=fixed_small"),
     {-4.291043, -2.403165, -3.734330, -3.442030},
     USUAL},
    {"10.2",
     RUN(TABLE, "ddpm", 10, "spacing=leading,variance_type=fixed_large"),
     {-4.898600, -2.711423, -4.306330, -3.620666},
     USUAL},
    {"B1",
     RUN(TABLE, "ddpm", 1000, "spacing=leading,variance_type=fixed_small"),
     {-2.770211, -2.076442, -4.035612, -5.054037},
     USUAL},
    {"B4",
     RUN(TABLE, "ddim", 10, "spacing=leading,eta=1"),
     {-4.291043, -2.403165, -3.734330, -3.442030},
     USUAL},
    {"B4",
     RUN(TABLE, "ddim", 10, "spacing=leading"),
     {1.177681, -0.348003, -1.743765, -2.071809},
     USUAL},
    {"10.2",
     {.model = "learned",
      .sampler = "ddpm",
      .steps = 10,
      .options = "spacing=leading",
      .is_local = true},
     {-4.566724, -2.432618, -3.915493, -3.536023},
     USUAL},
    {"B4",
     RUN("clipped", "ddim", 10, "spacing=leading"),
     {0.993497, 0.682883, -0.820359, -0.850629},
     USUAL},
    {"B4",
     RUN(TABLE, "ddim", 10, "spacing=linspace"),
     {1.864953, 0.304895, -1.473413, -1.808848},
     USUAL},
    {"B4",
     RUN(TABLE, "ddim", 7, "spacing=trailing"),
     {-0.474258, -1.884300, -1.808115, -2.111294},
     USUAL},
    {"B5",
     RUN(TABLE, "ddim", 10, "spacing=trailing,sigma_hat=true"),
     {-4.724849, -3.067051, -4.301940, -3.561287},
     USUAL},
    {"B9", RUN(TABLE, "pndm", 10, ""), {3.086122, 1.231169, -1.610454, -2.009295}, USUAL},
    {"B9",
     RUN(TABLE, "pndm", 10, "skip_prk_steps=true"),
     {3.038147, 1.186411, -1.623260, -2.021410},
     USUAL},
    {"B9", RUN(TABLE, "dpmpp_2m", 10, ""), {2.767019, 1.030146, -1.810216, -2.183669}, USUAL},
    {"B9",
     RUN(TABLE, "dpmpp_2m", 10, "use_karras_sigmas=true"),
     {2.648880, 0.578114, -1.926702, -2.371946},
     KARRAS},
    {"B9",
     RUN(TABLE, "dpmpp_2m", 10, "solver_type=heun"),
     {2.884012, 1.121660, -1.809866, -2.188798},
     USUAL},
    {"B9",
     RUN(TABLE, "dpmpp_2m", 20, "final_sigmas_type=sigma_min"),
     {2.827774, 0.799912, -1.583782, -2.019801},
     USUAL},
    {"B9", RUN(TABLE, "dpmpp_2m_sde", 10, ""), {-4.706958, -2.710348, -3.992378, -3.598191}, USUAL},
    {"B9", RUN(TABLE, "unipc", 10, ""), {2.948402, 1.183881, -1.792483, -2.171881}, USUAL},
    {"B9", RUN(TABLE, "euler", 10, ""), {-0.291841, -1.786108, -1.805351, -2.126640}, USUAL},
    {"B9",
     RUN(TABLE, "euler_ancestral", 10, ""),
     {-4.221834, -2.378656, -3.601618, -3.453573},
     USUAL},
    {"B9", RUN(TABLE, "heun", 10, ""), {3.196168, 1.255240, -1.688395, -2.105723}, USUAL},
    {"B9",
     RUN("exact-consistency", "consistency", 0, "timesteps=22:0"),
     {-3.584003, -2.287261, -2.526502, -2.262430},
     USUAL},
    {"C1",
     RUN(TABLE, "ve_ddpm", 10, "sigma_q=10"),
     {-2.301733, 1.355250, 7.789917, -8.864035},
     USUAL},
    {"C3",
     RUN("exact-flow", "flow_euler", 10, "spacing=linspace"),
     {-0.675790, -2.265407, -1.832953, -2.174743},
     USUAL},
    {"C3",
     RUN("exact-flow", "flow_heun", 10, "spacing=linspace"),
     {2.244105, 0.411336, -1.776356, -2.170428},
     USUAL},
    {"C3",
     RUN("exact-flow", "flow_euler", 10, "spacing=uniform"),
     {-0.620411, -2.232842, -1.823811, -2.170507},
     USUAL},
    {"C3",
     RUN("exact-flow", "flow_rk4", 10, ""),
     {2.784091, 0.949668, -1.757307, -2.151734},
     USUAL},
    {"D1",
     RUN(TABLE, "langevin", 10, "sigma=0,step_size=0.1"),
     {0.945888, 4.111429, 3.575338, -0.327826},
     USUAL},
    {"E1",
     RUN("exact-vp", "sde_euler_maruyama", 50, ""),
     {-3.760888, -1.833241, -3.495879, -4.199278},
     USUAL},
    {"E1",
     RUN("exact-vp", "reverse_diffusion", 50, ""),
     {-3.815345, -1.863189, -3.554114, -4.252529},
     USUAL},
    {"E2",
     RUN("exact-vp", "predictor_corrector", 50, "predictor=reverse_diffusion,corrector=ald"),
     {-3.622125, -1.444542, -3.787344, -2.375056},
     USUAL},
    {"E1",
     RUN("exact-sub-vp", "sde_euler_maruyama", 50, ""),
     {-3.343354, -1.610393, -4.141589, -3.726420},
     USUAL},
    {"E1",
     RUN("exact-ve", "reverse_diffusion", 10, ""),
     {-5.187568, -2.613799, -6.207591, -3.695303},
     USUAL},
    {"E2",
     RUN("exact-ve", "predictor_corrector", 10, "corrector=langevin,snr=0.15"),
     {-4.819428, -0.972441, -0.501158, -6.017502},
     USUAL},
    {"E1",
     RUN(TABLE, "sde_euler_maruyama", 50, ""),
     {-3.758238, -1.830294, -3.500397, -4.197313},
     USUAL},
    {"E1",
     RUN(TABLE, "reverse_diffusion", 50, ""),
     {-3.658983, -1.707208, -3.474670, -4.085112},
     USUAL},
    {"E1",
     RUN("exact-ou", "sde_euler_maruyama", 50, ""),
     {1.571994, 2.955429, -2.035415, -4.585938},
     USUAL},
    {"E3",
     RUN("exact-vp", "pf_ode", 20, "method=heun"),
     {2.874886, 1.040461, -1.704229, -2.098657},
     USUAL},
    {"E3",
     RUN("exact-vp", "pf_ode", 0, "method=rk45"),
     {2.913599, 1.079174, -1.721259, -2.115687},
     ADAPTIVE},
    {"E3",
     RUN(TABLE, "pf_ode", 20, "method=rk4"),
     {2.909184, 1.074759, -1.722458, -2.116886},
     USUAL},
    {"E3",
     RUN("exact-ou", "pf_ode", 50, "method=rk4"),
     {2.916009, 1.081584, -1.720248, -2.114676},
     USUAL},
    {"H1",
     GUIDED(LABELS, "ddim", 10, "spacing=leading", 1),
     {4.240623, 2.714939, 3.509027, 3.180983},
     USUAL},
    {"H1",
     GUIDED(LABELS, "ddim", 10, "spacing=leading", 2.0),
     {4.805575, 3.279892, 4.116309, 3.788265},
     USUAL},
};

static void check(struct selftest *selftest, const struct chain *chain)
{
    struct selftest_result result = {.id = chain->id, .count = 4, .tolerance = chain->tolerance};
    float x[4];
    struct error error;
    char what[128];

    selftest_describe(&chain->run, what, sizeof what);
    result.what = what;
    if (!selftest_sample(selftest, &chain->run, 2, x, &error)) {
        selftest_report_failure(selftest, chain->id, what, &error);
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        result.value[i] = (double)x[i];
        result.expected[i] = chain->expected[i];
    }
    selftest_report(selftest, &result);
}

void selftest_chains(struct selftest *selftest)
{
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++)
        if (!selftest->is_remote || !chains[i].run.is_local)
            check(selftest, &chains[i]);
}
