/* Rows that compare runs with each other, or whose value is not a share, a centre or a deviation.
 */
#include "server/selftest.h"

#include "core/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TABLE  "exact-mixture"
#define DEMO   "two-gaussians-demo"
#define LABELS "exact-labels"

/* Points of one run, for the row's own judgement. */
struct sample {
    float *x;
    uint32_t *nfe;
    size_t n;
};

static bool sample_take(struct selftest *selftest, const struct selftest_run *run, size_t n,
                        struct sample *sample, struct error *error)
{
    sample->n = n;
    sample->x = malloc(2 * n * sizeof *sample->x);
    sample->nfe = malloc(n * sizeof *sample->nfe);
    if (sample->x == NULL || sample->nfe == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for the points");
    return selftest_sample(selftest, run, n, sample->x, sample->nfe, error);
}

static void sample_finish(struct sample *sample)
{
    free(sample->x);
    free(sample->nfe);
}

/* The largest distance between coordinates of two runs from the same seeds. */
static bool largest_difference(struct selftest *selftest, const struct selftest_run runs[2],
                               double *difference, struct error *error)
{
    enum { ROWS = 64 };
    float x[2][2 * ROWS];

    for (int i = 0; i < 2; i++)
        if (!selftest_sample(selftest, &runs[i], ROWS, x[i], NULL, error))
            return false;
    *difference = 0.0;
    for (size_t i = 0; i < sizeof x[0] / sizeof x[0][0]; i++)
        *difference = fmax(*difference, fabs((double)x[0][i] - (double)x[1][i]));
    return true;
}

/* value, expected, tolerance of one row; error when there is no value. */
typedef bool selftest_rule(struct selftest *selftest, double numbers[3], struct error *error);

/* --- the chain that does not reach its prior, from where it should start --- */

/* q(x_T) itself: the data, drawn, noised to the end. */
static void draw_end(const struct model *model, float *x, size_t n)
{
    const size_t timesteps = model->process.schedule.config.timesteps;
    const double alpha_bar = model->process.schedule.alpha_bar[timesteps - 1];

    for (size_t i = 0; i < n; i++) {
        struct rng rng;
        float normal[4];
        double centre;

        rng_seed(&rng, (uint32_t)(i + 1000000));
        centre = rng_word(&rng) % 5 == 0 ? 3.0 : -3.0;
        rng_randn(&rng, normal, 4);
        for (size_t j = 0; j < 2; j++)
            x[2 * i + j] = (float)(sqrt(alpha_bar) * (centre + (double)normal[j]) +
                                   sqrt(1.0 - alpha_bar) * (double)normal[2 + j]);
    }
}

static bool from_true_end(struct selftest *selftest, double numbers[3], struct error *error)
{
    const size_t n = selftest_points(selftest, 100);
    const struct model *model = selftest_model(selftest, DEMO, error);
    float *start = malloc(2 * n * sizeof *start);
    struct sample sample = {NULL, NULL, 0};
    const struct selftest_run run = {
        .model = DEMO, .sampler = "ddpm", .steps = 100, .options = "", .x_T = start};
    bool good = model != NULL && start != NULL;

    if (good) {
        draw_end(model, start, n);
        good = sample_take(selftest, &run, n, &sample, error);
    }
    if (good) {
        numbers[0] = selftest_sides(sample.x, n).share;
        numbers[1] = 0.1996;
        numbers[2] = selftest_share_tolerance(numbers[1], n);
    }
    sample_finish(&sample);
    free(start);
    return good;
}

/* --- B4 to B6 --- */

/* How often the error of the centres rises when more steps are taken. */
static bool centre_rises(struct selftest *selftest, double numbers[3], struct error *error)
{
    static const size_t steps[] = {10, 20, 50, 100};
    double before = (double)INFINITY;

    memset(numbers, 0, 3 * sizeof *numbers);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const size_t n = selftest_points(selftest, steps[i]);
        const struct selftest_run run = {
            .model = TABLE, .sampler = "ddim", .steps = steps[i], .options = "spacing=trailing"};
        struct sample sample;
        const bool good = sample_take(selftest, &run, n, &sample, error);

        if (good) {
            const struct selftest_sides sides = selftest_sides(sample.x, n);
            const double now = fabs(sides.centre[0] - 3.0) + fabs(sides.centre[1] + 3.0);

            numbers[0] += now >= before;
            before = now;
        }
        sample_finish(&sample);
        if (!good)
            return false;
    }
    return true;
}

static bool share_of_few(struct selftest *selftest, const char *options, double tolerance,
                         double numbers[3], struct error *error)
{
    const size_t n = selftest_points(selftest, 10);
    const struct selftest_run run = {
        .model = TABLE, .sampler = "ddim", .steps = 10, .options = options};
    struct sample sample;
    const bool good = sample_take(selftest, &run, n, &sample, error);

    if (good) {
        numbers[0] = selftest_sides(sample.x, n).share;
        numbers[1] = 0.2;
        /* The limit is one of the bias: 3 standard errors of this many points come on top. */
        numbers[2] = tolerance + 3.0 * sqrt(0.2 * 0.8 / (double)n);
    }
    sample_finish(&sample);
    return good;
}

static bool few_eta_0(struct selftest *selftest, double numbers[3], struct error *error)
{
    return share_of_few(selftest, "spacing=leading", 0.02, numbers, error);
}

static bool few_eta_1(struct selftest *selftest, double numbers[3], struct error *error)
{
    return share_of_few(selftest, "spacing=trailing,eta=1", 0.05, numbers, error);
}

static bool few_sigma_hat(struct selftest *selftest, double numbers[3], struct error *error)
{
    return share_of_few(selftest, "spacing=trailing,sigma_hat=true", 0.04, numbers, error);
}

static bool same_bytes(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run run = {.model = TABLE, .sampler = "ddim", .steps = 10, .options = ""};
    const struct selftest_run runs[2] = {run, run};

    numbers[1] = numbers[2] = 0.0;
    return largest_difference(selftest, runs, &numbers[0], error);
}

static bool other_seeds(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run runs[2] = {
        {.model = TABLE, .sampler = "ddim", .steps = 10, .options = "eta=1"},
        {.model = TABLE, .sampler = "ddim", .steps = 10, .options = "eta=1", .seed = 1000}};
    double difference;

    numbers[1] = 1.0;
    numbers[2] = 0.0;
    if (!largest_difference(selftest, runs, &difference, error))
        return false;
    numbers[0] = difference > 0.0;
    return true;
}

static bool ddim_is_ddpm(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run runs[2] = {
        {.model = TABLE, .sampler = "ddim", .steps = 1000, .options = "eta=1"},
        {.model = TABLE, .sampler = "ddpm", .steps = 1000, .options = "variance_type=fixed_small"}};

    numbers[1] = 0.0;
    numbers[2] = 1e-4;
    return largest_difference(selftest, runs, &numbers[0], error);
}

static bool guided_share(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run run = {.model = LABELS,
                                     .sampler = "ddim",
                                     .steps = 50,
                                     .options = "spacing=leading",
                                     .has_label = true,
                                     .guidance = 1.0F};
    const size_t n = selftest_points(selftest, 50);
    struct sample sample;
    const bool good = sample_take(selftest, &run, n, &sample, error);

    if (good)
        numbers[0] = selftest_sides(sample.x, n).share;
    numbers[1] = 1.0;
    numbers[2] = 1e-3;
    sample_finish(&sample);
    return good;
}

/* --- C1, C3: where all data are one point, every step is known --- */

enum { POINT_STEPS = 10 };
static const double point[2] = {2.0, -1.0};

/* The largest distance of a step of one row from m + factor (x - m), beside the size of x. */
static bool step_error(struct selftest *selftest, const struct selftest_run *point_run,
                       double (*factor)(size_t step), double numbers[3], struct error *error)
{
    static float frames[POINT_STEPS + 1][2][2]; /* one selftest runs in a process */
    struct selftest_run run = *point_run;
    float x[2];

    run.frames = &frames[0][0][0];
    memset(numbers, 0, 3 * sizeof *numbers);
    numbers[2] = 1e-6;
    if (!selftest_sample(selftest, &run, 1, x, NULL, error))
        return false;
    for (size_t i = 0; i < POINT_STEPS; i++)
        for (size_t j = 0; j < 2; j++) {
            const double here = (double)frames[i][0][j], next = (double)frames[i + 1][0][j];
            const double expected = point[j] + factor(i) * (here - point[j]);

            numbers[0] = fmax(numbers[0], fabs(next - expected) / fmax(fabs(here), 1.0));
        }
    return true;
}

/* t - d over t, of t = 1 - step / n. */
static double line_factor(size_t step)
{
    return (double)(POINT_STEPS - step - 1) / (double)(POINT_STEPS - step);
}

static double root_factor(size_t step)
{
    return sqrt(line_factor(step));
}

static bool tutorial_point(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run run = {.model = "exact-point",
                                     .sampler = "ve_ddim",
                                     .steps = POINT_STEPS,
                                     .options = "sigma_q=10"};

    return step_error(selftest, &run, root_factor, numbers, error);
}

static bool annulus_point(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run run = {.model = "exact-flow-annulus",
                                     .sampler = "flow_euler",
                                     .steps = POINT_STEPS,
                                     .options = ""};

    return step_error(selftest, &run, line_factor, numbers, error);
}

/* All samples of one Euler step are at the mean of the data. */
static bool flow_in_one(struct selftest *selftest, double numbers[3], struct error *error)
{
    enum { ROWS = 64 };
    const struct selftest_run run = {
        .model = "exact-flow", .sampler = "flow_euler", .steps = 1, .options = "spacing=uniform"};
    float x[2 * ROWS];

    if (!selftest_sample(selftest, &run, ROWS, x, NULL, error))
        return false;
    memset(numbers, 0, 3 * sizeof *numbers);
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        numbers[0] = fmax(numbers[0], fabs((double)x[i] + 1.8));
    numbers[2] = 1e-5;
    return true;
}

/* --- D1: Langevin dynamics --- */

/* Of one cloud, N((3,3), I), after 1000 steps; Euler's own is 1 / (1 - step / 4). */
static bool langevin_variance(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run run = {.model = LABELS,
                                     .sampler = "langevin",
                                     .steps = 1000,
                                     .options = "sigma=0,step_size=0.05",
                                     .has_label = true};
    const size_t n = selftest_points(selftest, 1000);
    struct sample sample;
    const bool good = sample_take(selftest, &run, n, &sample, error);

    if (good) {
        const double deviation = selftest_sides(sample.x, n).deviation[0];

        numbers[0] = deviation * deviation;
    }
    numbers[1] = 1.0;
    numbers[2] = fmax(0.02, 3.0 / sqrt((double)n));
    sample_finish(&sample);
    return good;
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

    if (!selftest_sample(selftest, &run, ROWS, x, NULL, error))
        return false;
    memset(numbers, 0, 3 * sizeof *numbers);
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        numbers[0] = fmax(numbers[0], fabs(fabs((double)x[i]) - 3.0));
    numbers[2] = 1e-3;
    return true;
}

/* --- E1, E3 --- */

/* ald alone does not reach the data: wide of both clouds. */
static bool corrector_share(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run run = {
        .model = "exact-ve", .sampler = "corrector_only", .steps = 100, .options = "corrector=ald"};
    const size_t n = selftest_points(selftest, 100);
    struct sample sample;
    const bool good = sample_take(selftest, &run, n, &sample, error);

    if (good)
        numbers[0] = selftest_sides(sample.x, n).share;
    numbers[1] = 0.440;
    numbers[2] = selftest_share_tolerance(numbers[1], n);
    sample_finish(&sample);
    return good;
}

static bool mean_nfe(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run run = {
        .model = "exact-vp", .sampler = "pf_ode", .options = "method=rk45"};
    enum { ROWS = 200 };
    struct sample sample;
    const bool good = sample_take(selftest, &run, ROWS, &sample, error);

    memset(numbers, 0, 3 * sizeof *numbers);
    for (size_t i = 0; good && i < ROWS; i++)
        numbers[0] += (double)sample.nfe[i] / ROWS;
    numbers[1] = 64.3;
    numbers[2] = 0.25 * numbers[1];
    sample_finish(&sample);
    return good;
}

/* --- rows of the table, each run where its sampler is built --- */

struct rule {
    const char *id, *what, *sampler;
    selftest_rule *judge;
};

static const struct rule rules[] = {
    {"10.1", "ddpm on " DEMO " from the true end, 100 steps", "ddpm", from_true_end},
    {"B4", "ddim eta 0: rises of the centres' error, 10 to 100 steps", "ddim", centre_rises},
    {"B5", "ddim, 10 steps, eta 0: share", "ddim", few_eta_0},
    {"B5", "ddim, 10 steps, eta 1: share", "ddim", few_eta_1},
    {"B5", "ddim, 10 steps, sigma-hat: share", "ddim", few_sigma_hat},
    {"B6", "ddim eta 0, twice: difference", "ddim", same_bytes},
    {"B6", "ddim eta 1, other seeds: 1 when they differ", "ddim", other_seeds},
    {"B6", "ddim eta 1 beside ddpm, 1000 steps: difference", "ddim", ddim_is_ddpm},
    {"C1", "ve_ddim to a point: error of a step", "ve_ddim", tutorial_point},
    {"C3", "flow from an annulus to a point: error of a step", "flow_euler", annulus_point},
    {"C3", "flow_euler in one step: distance from the mean", "flow_euler", flow_in_one},
    {"D1", "langevin, step_size .05, on one cloud: variance", "langevin", langevin_variance},
    {"D1", "greedy: largest distance from the modes", "greedy", greedy_distance},
    {"E1", "corrector_only on exact-ve, 100 steps: share", "corrector_only", corrector_share},
    {"E3", "pf_ode on exact-vp, rk45: mean evaluations", "pf_ode", mean_nfe},
    {"H1", "class + at guidance 1: share in its mode", "ddim", guided_share},
};

void selftest_rules(struct selftest *selftest)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *rule = &rules[i];
        struct error error = {.code = ERROR_NO_MEMORY, .text = "no memory"};
        double numbers[3];

        if (sampler_find(rule->sampler) == NULL)
            continue;
        if (rule->judge(selftest, numbers, &error))
            selftest_report_number(selftest, rule->id, rule->what, numbers);
        else
            selftest_report_failure(selftest, rule->id, rule->what, &error);
    }
}
