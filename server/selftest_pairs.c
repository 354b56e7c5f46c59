/* Rows that hold runs beside each other: the same, another seed, another sampler, alone and in a
 * batch, from two starts. */
#include "server/selftest.h"

#include <math.h>
#include <stdlib.h>

#define TABLE "exact-mixture"

enum { ROWS = 64 };

/* The largest distance between coordinates of two runs. */
static bool largest_difference(struct selftest *selftest, const struct selftest_run runs[2],
                               double *difference, struct error *error)
{
    float x[2][2 * ROWS];

    for (int i = 0; i < 2; i++)
        if (!selftest_sample(selftest, &runs[i], ROWS, x[i], error))
            return false;
    for (size_t i = 0; i < sizeof x[0] / sizeof x[0][0]; i++)
        *difference = fmax(*difference, fabs((double)x[0][i] - (double)x[1][i]));
    return true;
}

/* --- B6 --- */

static bool same_bytes(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run run = {.model = TABLE, .sampler = "ddim", .steps = 10, .options = ""};
    const struct selftest_run runs[2] = {run, run};

    return largest_difference(selftest, runs, &numbers[0], error);
}

static bool other_seeds(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run runs[2] = {
        {.model = TABLE, .sampler = "ddim", .steps = 10, .options = "eta=1"},
        {.model = TABLE, .sampler = "ddim", .steps = 10, .options = "eta=1", .seed = 1000}};
    double difference = 0.0;

    numbers[1] = 1.0;
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

    numbers[2] = 1e-4;
    return largest_difference(selftest, runs, &numbers[0], error);
}

/* --- B8: the same seeds in few and in many steps --- */

static bool same_mode(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run few = {
        .model = TABLE, .sampler = "ddim", .steps = 20, .options = "spacing=trailing"};
    const struct selftest_run many = {
        .model = TABLE, .sampler = "ddim", .steps = 1000, .options = "spacing=trailing"};
    const size_t n = selftest_points(selftest, &many);
    float *a = selftest_take(selftest, &few, n, error);
    float *b = a != NULL ? selftest_take(selftest, &many, n, error) : NULL;

    for (size_t i = 0; b != NULL && i < n; i++)
        numbers[0] += (a[2 * i] + a[2 * i + 1] > 0.0F) == (b[2 * i] + b[2 * i + 1] > 0.0F);
    numbers[0] /= (double)n;
    numbers[1] = .990;
    numbers[2] = selftest_share_tolerance(numbers[1], n);
    free(a);
    free(b);
    return b != NULL;
}

/* --- D2: where annealed Langevin dynamics ends does not depend on where it begins --- */

static int rising(const void *left, const void *right)
{
    const float a = *(const float *)left, b = *(const float *)right;

    return (a > b) - (a < b);
}

/* Of two sets of n numbers, which it sorts: Kolmogorov and Smirnov's largest distance. */
static double distribution_distance(float *a, float *b, size_t n)
{
    double distance = 0.0;
    size_t i = 0, j = 0;

    qsort(a, n, sizeof *a, rising);
    qsort(b, n, sizeof *b, rising);
    while (i < n && j < n) {
        if (a[i] <= b[j])
            i++;
        else
            j++;
        distance = fmax(distance, fabs((double)i - (double)j) / (double)n);
    }
    return distance;
}

#define ANNEALED "sigma_max=10,sigma_min=0.01,epsilon=1e-5,steps_per_level=20"

/* One heap on a line, from a narrow start and from a wide one with other seeds. */
static bool two_starts(struct selftest *selftest, double numbers[3], struct error *error)
{
    struct selftest_run run = {.model = "heap",
                               .dim = 1,
                               .sampler = "annealed_langevin",
                               .steps = 20,
                               .options = ANNEALED ",start_range=0.5"};
    const size_t n = selftest_points(selftest, &run);
    float *narrow = selftest_take(selftest, &run, n, error), *wide = NULL;

    run.options = ANNEALED ",start_range=100";
    run.seed = 1000000;
    if (narrow != NULL)
        wide = selftest_take(selftest, &run, n, error);
    if (wide != NULL)
        numbers[0] = distribution_distance(narrow, wide, n);
    numbers[2] = .02;
    free(narrow);
    free(wide);
    return wide != NULL;
}

/* --- E2: predictor and corrector --- */

#define WITH    "predictor=reverse_diffusion,corrector=ald"
#define BY_NORM "predictor=reverse_diffusion,corrector=langevin"

/* Rows of a batch of 64 that differ from the same row alone. */
static bool alone_or_together(struct selftest *selftest, const char *model, const char *options,
                              double numbers[3], struct error *error)
{
    struct selftest_run run = {
        .model = model, .sampler = "predictor_corrector", .steps = 100, .options = options};
    float together[ROWS][2], alone[2];

    if (!selftest_sample(selftest, &run, ROWS, together[0], error))
        return false;
    for (size_t i = 0; i < ROWS; i++) {
        run.seed = (uint32_t)i;
        if (!selftest_sample(selftest, &run, 1, alone, error))
            return false;
        numbers[0] += alone[0] != together[i][0] || alone[1] != together[i][1];
    }
    return true;
}

static bool batch_ald_ve(struct selftest *selftest, double numbers[3], struct error *error)
{
    return alone_or_together(selftest, "exact-ve", WITH, numbers, error);
}

static bool batch_norm_ve(struct selftest *selftest, double numbers[3], struct error *error)
{
    return alone_or_together(selftest, "exact-ve", BY_NORM, numbers, error);
}

static bool batch_ald_vp(struct selftest *selftest, double numbers[3], struct error *error)
{
    return alone_or_together(selftest, "exact-vp", WITH, numbers, error);
}

static bool batch_norm_vp(struct selftest *selftest, double numbers[3], struct error *error)
{
    return alone_or_together(selftest, "exact-vp", BY_NORM, numbers, error);
}

static double share_error(const struct selftest_sides *sides)
{
    return fabs(sides->share - .2);
}

static double deviation_error(const struct selftest_sides *sides)
{
    return .2 * fabs(sides->deviation[0] - 1.0) + .8 * fabs(sides->deviation[1] - 1.0);
}

/* 1 when the corrector brings the error down. */
static bool nearer(struct selftest *selftest, double (*error_of)(const struct selftest_sides *),
                   double numbers[3], struct error *error)
{
    static const struct selftest_run runs[2] = {
        {.model = "exact-ve", .sampler = "reverse_diffusion", .steps = 100, .options = ""},
        {.model = "exact-ve", .sampler = "predictor_corrector", .steps = 100, .options = WITH}};
    double errors[2];

    for (int i = 0; i < 2; i++) {
        const size_t n = selftest_points(selftest, &runs[i]);
        float *x = selftest_take(selftest, &runs[i], n, error);
        struct selftest_sides sides;

        if (x == NULL)
            return false;
        sides = selftest_sides(x, n);
        errors[i] = error_of(&sides);
        free(x);
    }
    numbers[0] = errors[1] < errors[0];
    numbers[1] = 1.0;
    return true;
}

static bool share_is_nearer(struct selftest *selftest, double numbers[3], struct error *error)
{
    return nearer(selftest, share_error, numbers, error);
}

static bool deviation_is_nearer(struct selftest *selftest, double numbers[3], struct error *error)
{
    return nearer(selftest, deviation_error, numbers, error);
}

/* --- H1 --- */

static bool guidance_0(struct selftest *selftest, double numbers[3], struct error *error)
{
    const struct selftest_run plain = {
        .model = "exact-labels", .sampler = "ddim", .steps = 50, .options = "spacing=leading"};
    struct selftest_run runs[2] = {plain, plain};

    runs[0].has_label = true;
    return largest_difference(selftest, runs, &numbers[0], error);
}

static const struct selftest_rule rules[] = {
    {"B6", "ddim eta 0, twice: largest difference", same_bytes, SELFTEST_ALWAYS},
    {"B6", "ddim eta 1, other seeds: 1 when they differ", other_seeds, SELFTEST_ALWAYS},
    {"B6", "ddim eta 1 beside ddpm fixed_small, 1000 steps: largest difference", ddim_is_ddpm,
     SELFTEST_ALWAYS},
    {"B8", "ddim eta 0 in 20 steps and in 1000: share that ends in the same mode", same_mode,
     SELFTEST_ALWAYS},
    {"D2", "annealed_langevin on one heap from two starts: KS distance", two_starts,
     SELFTEST_ALWAYS},
    {"E2", "ald on exact-ve: rows of 64 that differ when alone", batch_ald_ve, SELFTEST_ALWAYS},
    {"E2", "langevin on exact-ve: rows of 64 that differ when alone", batch_norm_ve,
     SELFTEST_ALWAYS},
    {"E2", "ald on exact-vp: rows of 64 that differ when alone", batch_ald_vp, SELFTEST_ALWAYS},
    {"E2", "langevin on exact-vp: rows of 64 that differ when alone", batch_norm_vp,
     SELFTEST_ALWAYS},
    {"E2", "ald on exact-ve, 100 steps: 1 when the share is nearer than without", share_is_nearer,
     SELFTEST_FULL},
    {"E2", "ald on exact-ve, 100 steps: 1 when deviations are nearer than without",
     deviation_is_nearer, SELFTEST_FULL},
    {"H1", "guidance 0 beside no class: largest difference", guidance_0, SELFTEST_ALWAYS},
};

void selftest_pairs(struct selftest *selftest)
{
    selftest_judge_all(selftest, rules, sizeof rules / sizeof rules[0]);
}
