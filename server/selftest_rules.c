/* Rows whose value is neither a share alone nor where a chain ends. */
#include "server/selftest.h"

#include "core/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TABLE  "exact-mixture"
#define DEMO   "two-gaussians-demo"
#define LABELS "exact-labels"

/* One number of many points. */
typedef double statistic(const struct selftest_sides *sides);

static bool measure(struct selftest *selftest, const struct selftest_run *run, statistic *of,
                    double *value, struct error *error)
{
    const size_t n = selftest_points(selftest, run);
    float *x = selftest_take(selftest, run, n, error);
    struct selftest_sides sides;

    if (x == NULL)
        return false;
    sides = selftest_sides(x, n);
    *value = of(&sides);
    free(x);
    return true;
}

static double share_of(const struct selftest_sides *sides)
{
    return sides->share;
}

/* --- the chain that does not reach its prior, from where it should start --- */

/* q(x_T) itself: the data, noised to the end of the demo's 100 linear betas. */
static void draw_end(float *x, size_t n)
{
    static const double alpha_bar = .3635632481;

    selftest_draw_data(x, n, 1000000);
    for (size_t i = 0; i < n; i++) {
        struct rng rng;
        float normal[2];

        rng_seed(&rng, (uint32_t)(i + 2000000));
        rng_randn(&rng, normal, 2);
        for (size_t j = 0; j < 2; j++)
            x[2 * i + j] = (float)(sqrt(alpha_bar) * (double)x[2 * i + j] +
                                   sqrt(1.0 - alpha_bar) * (double)normal[j]);
    }
}

static void check_true_end(struct selftest *selftest)
{
    struct selftest_shares row = {
        .id = "10.1",
        .run = {.model = DEMO, .sampler = "ddpm", .steps = 100, .options = ""},
        .share = .1996,
        .centre = {3, -3},
        .deviation = {.99, .99}};
    const char *what = "ddpm on " DEMO ", 100 steps, from its true end";
    const size_t n = selftest_points(selftest, &row.run);
    float *start = malloc(2 * n * sizeof *start), *x = NULL;
    struct error error = {.code = ERROR_NO_MEMORY, .text = "no memory for the points"};

    if (start != NULL) {
        draw_end(start, n);
        row.run.x_T = start;
        x = selftest_take(selftest, &row.run, n, &error);
    }
    if (x != NULL)
        selftest_report_shares(selftest, &row, what, x, n);
    else
        selftest_report_failure(selftest, row.id, what, &error);
    free(x);
    free(start);
}

/* --- B4, B5 --- */

static double centre_error(const struct selftest_sides *sides)
{
    return .2 * fabs(sides->centre[0] - 3.0) + .8 * fabs(sides->centre[1] + 3.0);
}

/* How often the error of the centres rises when more steps are taken. */
static bool centre_rises(struct selftest *selftest, double numbers[3], struct error *error)
{
    static const size_t steps[] = {10, 20, 50, 100};
    double before = (double)INFINITY;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const struct selftest_run run = {
            .model = TABLE, .sampler = "ddim", .steps = steps[i], .options = "spacing=trailing"};
        double now;

        if (!measure(selftest, &run, centre_error, &now, error))
            return false;
        numbers[0] += now >= before;
        before = now;
    }
    return true;
}

static double share_error(const struct selftest_sides *sides)
{
    return fabs(sides->share - .2);
}

static double deviation_error(const struct selftest_sides *sides)
{
    return .2 * fabs(sides->deviation[0] - 1.0) + .8 * fabs(sides->deviation[1] - 1.0);
}

/* An error of few steps that may reach the limit, which is one of the bias: 3 standard errors of
 * this many points come on top. */
static bool few(struct selftest *selftest, const char *options, statistic *of, double numbers[3],
                struct error *error)
{
    const struct selftest_run run = {
        .model = TABLE, .sampler = "ddim", .steps = 10, .options = options};
    const double n = (double)selftest_points(selftest, &run);
    const double of_share = sqrt(.2 * .8 / n);
    const double of_deviation = .2 / (2.0 * sqrt(.2 * n)) + .8 / (2.0 * sqrt(.8 * n));

    numbers[2] += 3.0 * (of == share_error ? of_share : of_deviation);
    return measure(selftest, &run, of, &numbers[0], error);
}

#define ETA_0     "spacing=trailing"
#define ETA_1     "spacing=trailing,eta=1"
#define SIGMA_HAT "spacing=trailing,sigma_hat=true"

static bool share_eta_0(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[2] = .02;
    return few(selftest, ETA_0, share_error, numbers, error);
}

static bool share_eta_1(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[2] = .05;
    return few(selftest, ETA_1, share_error, numbers, error);
}

static bool share_sigma_hat(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[2] = .04;
    return few(selftest, SIGMA_HAT, share_error, numbers, error);
}

static bool deviation_eta_0(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[2] = .1;
    return few(selftest, ETA_0, deviation_error, numbers, error);
}

static bool deviation_eta_1(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[2] = .2;
    return few(selftest, ETA_1, deviation_error, numbers, error);
}

static bool deviation_sigma_hat(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[2] = .02;
    return few(selftest, SIGMA_HAT, deviation_error, numbers, error);
}

/* --- C3 --- */

/* All samples of one Euler step are at the mean of the data. */
static bool flow_in_one(struct selftest *selftest, double numbers[3], struct error *error)
{
    enum { ROWS = 64 };
    const struct selftest_run run = {
        .model = "exact-flow", .sampler = "flow_euler", .steps = 1, .options = "spacing=uniform"};
    float x[2 * ROWS];

    if (!selftest_sample(selftest, &run, ROWS, x, error))
        return false;
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        numbers[0] = fmax(numbers[0], fabs((double)x[i] + 1.8));
    numbers[2] = 1e-5;
    return true;
}

/* --- D1: Langevin dynamics --- */

static double variance_of(const struct selftest_sides *sides)
{
    return sides->deviation[0] * sides->deviation[0];
}

/* Of one cloud, N((3,3), I), after 1000 steps. */
static bool langevin(struct selftest *selftest, const char *options, double numbers[3],
                     struct error *error)
{
    const struct selftest_run run = {.model = LABELS,
                                     .sampler = "langevin",
                                     .steps = 1000,
                                     .options = options,
                                     .has_label = true,
                                     .guidance = 1.0F};

    numbers[2] = numbers[1] * fmax(.02, 3.0 / sqrt((double)selftest_points(selftest, &run)));
    return measure(selftest, &run, variance_of, &numbers[0], error);
}

static bool langevin_fine(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = 1.0;
    return langevin(selftest, "sigma=0,step_size=0.05", numbers, error);
}

/* What steps of a size themselves settle at: 1 / (1 - size / 4). */
static bool langevin_coarse(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = 1.0 / (1.0 - 1.0 / 4.0);
    return langevin(selftest, "sigma=0,step_size=1", numbers, error);
}

/* The largest distance of a point from (3,3) or (-3,-3), whichever is near. */
static bool greedy_distance(struct selftest *selftest, double numbers[3], struct error *error)
{
    enum { ROWS = 256 };
    const struct selftest_run run = {.model = "exact-vp",
                                     .sampler = "greedy",
                                     .steps = 2000,
                                     .options = "sigma=0,step_size=0.1"};
    float x[2 * ROWS];

    if (!selftest_sample(selftest, &run, ROWS, x, error))
        return false;
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        numbers[0] = fmax(numbers[0], fabs(fabs((double)x[i]) - 3.0));
    numbers[2] = 1e-3;
    return true;
}

/* --- E1, E3 --- */

static const struct selftest_run corrector = {
    .model = "exact-ve", .sampler = "corrector_only", .steps = 100, .options = "corrector=ald"};

/* ald alone does not reach the data: wide of both clouds. */
static bool corrector_share(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = .440;
    numbers[2] = selftest_share_tolerance(numbers[1], selftest_points(selftest, &corrector));
    return measure(selftest, &corrector, share_of, &numbers[0], error);
}

static double mean_deviation(const struct selftest_sides *sides)
{
    return sides->share * sides->deviation[0] + (1.0 - sides->share) * sides->deviation[1];
}

static bool corrector_deviation(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = 6.2;
    numbers[2] = .15;
    return measure(selftest, &corrector, mean_deviation, &numbers[0], error);
}

static bool mean_nfe(struct selftest *selftest, const char *model, double numbers[3],
                     struct error *error)
{
    enum { ROWS = 200 };
    uint32_t nfe[ROWS];
    float x[2 * ROWS];
    const struct selftest_run run = {
        .model = model, .sampler = "pf_ode", .options = "method=rk45", .nfe = nfe};

    if (!selftest_sample(selftest, &run, ROWS, x, error))
        return false;
    for (size_t i = 0; i < ROWS; i++)
        numbers[0] += (double)nfe[i] / ROWS;
    numbers[2] = .25 * numbers[1];
    return true;
}

static bool mean_nfe_vp(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = 64.3;
    return mean_nfe(selftest, "exact-vp", numbers, error);
}

static bool mean_nfe_sub_vp(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = 68.0;
    return mean_nfe(selftest, "exact-sub-vp", numbers, error);
}

/* --- H1 --- */

static const struct selftest_run guided = {.model = LABELS,
                                           .sampler = "ddim",
                                           .steps = 50,
                                           .options = "spacing=leading",
                                           .has_label = true,
                                           .guidance = 1.0F};

static bool guided_share(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = 1.0;
    numbers[2] = 1e-4;
    return measure(selftest, &guided, share_of, &numbers[0], error);
}

/* The picture of the reverse process: its first frame is N(0, I), whose mean square is 1. */
enum { PICTURE_ROWS = 2000, PICTURE_STEPS = 10 };

static bool take_picture(struct selftest *selftest, float *frames, float *x, struct error *error)
{
    const struct selftest_run run = {
        .model = TABLE, .sampler = "ddim", .steps = PICTURE_STEPS, .options = "", .frames = frames};

    return selftest_sample(selftest, &run, PICTURE_ROWS, x, error);
}

static float frames_of_picture[PICTURE_ROWS][PICTURE_STEPS + 1][2][2];
static float end_of_picture[PICTURE_ROWS][2];

static double square(float value)
{
    return (double)value * (double)value;
}

static bool first_frame(struct selftest *selftest, double numbers[3], struct error *error)
{
    if (!take_picture(selftest, &frames_of_picture[0][0][0][0], &end_of_picture[0][0], error))
        return false;
    for (size_t i = 0; i < PICTURE_ROWS; i++)
        for (size_t j = 0; j < 2; j++)
            numbers[0] += square(frames_of_picture[i][0][0][j]) / (2.0 * PICTURE_ROWS);
    numbers[1] = 1.0;
    numbers[2] = 3.0 * sqrt(2.0 / (2.0 * PICTURE_ROWS));
    return true;
}

static bool last_frame(struct selftest *selftest, double numbers[3], struct error *error)
{
    if (!take_picture(selftest, &frames_of_picture[0][0][0][0], &end_of_picture[0][0], error))
        return false;
    for (size_t i = 0; i < PICTURE_ROWS; i++)
        numbers[0] += memcmp(frames_of_picture[i][PICTURE_STEPS][0], end_of_picture[i],
                             sizeof end_of_picture[i]) != 0;
    return true;
}

static const struct selftest_rule rules[] = {
    {"B4", "ddim eta 0: rises of the centres' error over 10, 20, 50, 100 steps", centre_rises,
     SELFTEST_ALWAYS},
    {"B5", "ddim 10 steps, eta 0: error of the share (.02 + 3 s.e.)", share_eta_0, SELFTEST_ALWAYS},
    {"B5", "ddim 10 steps, eta 1: error of the share (.05 + 3 s.e.)", share_eta_1, SELFTEST_ALWAYS},
    {"B5", "ddim 10 steps, sigma-hat: error of the share (.04 + 3 s.e.)", share_sigma_hat,
     SELFTEST_ALWAYS},
    {"B5", "ddim 10 steps, eta 0: error of the deviations (.1 + 3 s.e.)", deviation_eta_0,
     SELFTEST_ALWAYS},
    {"B5", "ddim 10 steps, eta 1: error of the deviations (.2 + 3 s.e.)", deviation_eta_1,
     SELFTEST_ALWAYS},
    {"B5", "ddim 10 steps, sigma-hat: error of the deviations (.02 + 3 s.e.)", deviation_sigma_hat,
     SELFTEST_ALWAYS},
    {"C3", "flow_euler in one step: largest distance from the mean of the data", flow_in_one,
     SELFTEST_ALWAYS},
    {"D1", "langevin on one cloud, step_size .05: variance", langevin_fine, SELFTEST_ALWAYS},
    {"10.4", "langevin on one cloud, step_size 1: variance 1 / (1 - 1/4)", langevin_coarse,
     SELFTEST_ALWAYS},
    {"D1", "greedy: largest distance from the modes", greedy_distance, SELFTEST_ALWAYS},
    {"E1", "corrector_only on exact-ve, 100 steps: share, a known failure", corrector_share,
     SELFTEST_ALWAYS},
    {"E1", "corrector_only on exact-ve, 100 steps: deviation, a known failure", corrector_deviation,
     SELFTEST_ALWAYS},
    {"E3", "pf_ode by rk45 on exact-vp: mean evaluations (25 %)", mean_nfe_vp, SELFTEST_ALWAYS},
    {"E3", "pf_ode by rk45 on exact-sub-vp: mean evaluations (25 %)", mean_nfe_sub_vp,
     SELFTEST_ALWAYS},
    {"H1", "class + at guidance 1: share in its mode", guided_share, SELFTEST_ALWAYS},
    {"H1", "first frame of the reverse process: mean square", first_frame, SELFTEST_ALWAYS},
    {"H1", "last frame of the reverse process: rows that are not the sample", last_frame,
     SELFTEST_ALWAYS},
};

void selftest_rules(struct selftest *selftest)
{
    check_true_end(selftest);
    selftest_judge_all(selftest, rules, sizeof rules / sizeof rules[0]);
}
