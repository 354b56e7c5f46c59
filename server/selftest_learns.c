/* G1: every objective teaches a network while this runs; what it knows then, beside the exact
 * answer.
 */
#include "server/selftest_school.h"
#include "server/selftest_taught.h"

#include "core/base/arena.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXACT          "exact-mixture"
#define ASKED          4096
#define SAMPLED        4000
#define SEED_OF_PROBES 5000000
#define DIFFERENCE     .01 /* of a weight, to either side */
#define WEIGHTS        24  /* that are moved so */

/* --- the gradient --- */

/* The loss of the first iteration, with one weight of a tensor moved. */
static bool loss_at(const struct train_options *options, const struct train_set *set,
                    const size_t place[2], double moved, double *loss, float *slope,
                    struct error *error)
{
    struct train *train;
    bool ok;

    if (!train_create(options, set, &train, error))
        return false;
    train_tensor(train, TRAIN_WEIGHTS, place[0]).values[place[1]] += (float)moved;
    ok = train_step(train, error);
    *loss = train_progress(train).loss;
    /* Adam's first mean after one step: a tenth of the gradient (Kingma & Ba 2015). */
    *slope = 10.0F * train_tensor(train, TRAIN_FIRST_MOMENT, place[0]).values[place[1]];
    train_destroy(train);
    return ok;
}

static bool compare_slope(const struct train_options *options, const struct train_set *set,
                          const size_t place[2], double largest[2], struct error *error)
{
    double loss[3];
    float slope, ignored;

    if (!loss_at(options, set, place, 0, &loss[0], &slope, error) ||
        !loss_at(options, set, place, DIFFERENCE, &loss[1], &ignored, error) ||
        !loss_at(options, set, place, -DIFFERENCE, &loss[2], &ignored, error))
        return false;
    largest[0] = fmax(largest[0], fabs((loss[1] - loss[2]) / (2 * DIFFERENCE) - (double)slope));
    largest[1] = fmax(largest[1], fabs((double)slope));
    return true;
}

/* Largest difference over the largest slope. */
static bool check_gradient(const struct lesson *lesson, double numbers[3], struct error *error)
{
    const struct school small = {.is_full = false};
    double largest[2] = {0, 0};
    struct train_options options;
    struct data data;
    bool ok = data_open(&data, lesson->data, 0, error);

    if (ok) {
        const struct train_set set = school_set(&data);

        options = school_options(&small, lesson, &data);
        for (size_t i = 0; ok && i < WEIGHTS; i++)
            ok = compare_slope(&options, &set, (const size_t[]){i % 6, i / 6}, largest, error);
        data_close(&data);
    }
    numbers[0] = largest[0] / largest[1];
    numbers[2] = 1e-3;
    return ok;
}

/* --- what was learned, beside the exact answer --- */

/* Noised data at times from a tenth of the process on: nearer to the data little noise is left to
 * be told. */
struct probes {
    float x[ASKED][2], noise[ASKED][2], answer[ASKED][2];
    struct level level[ASKED];
    double time[ASKED];
};

static void draw_probes(struct probes *probes, const struct process *process)
{
    struct rng rng;

    selftest_draw_data(&probes->x[0][0], ASKED, SEED_OF_PROBES);
    rng_seed(&rng, SEED_OF_PROBES);
    rng_randn(&rng, &probes->noise[0][0], (size_t)2 * ASKED);
    for (size_t i = 0; i < ASKED; i++) {
        const double t = process_t_max(process) * (.1 + .9 * ((double)i + .5) / ASKED);

        probes->level[i] = process_level(process, t);
        probes->time[i] = process_model_time(process, t);
        for (size_t k = 0; k < 2; k++)
            probes->x[i][k] = (float)(probes->level[i].alpha * (double)probes->x[i][k] +
                                      probes->level[i].sigma * (double)probes->noise[i][k]);
    }
}

/* The noise that the model finds in each, into answer. */
static bool ask(const struct model *model, struct probes *probes, struct error *error)
{
    static struct place places[ASKED];
    struct gang *gang = gang_create(1, error);
    void *workspace = NULL;

    if (gang == NULL)
        return false;
    if (posix_memalign(&workspace, ARENA_ALIGN, model->family->workspace_bytes(model, 1)) != 0) {
        gang_destroy(gang);
        return error_set(error, ERROR_NO_MEMORY, "no memory for a workspace");
    }
    for (size_t i = 0; i < ASKED; i++)
        places[i] = (struct place){.x = probes->x[i],
                                   .output = probes->answer[i],
                                   .time = probes->time[i],
                                   .label = -1,
                                   .level = probes->level[i]};
    model->family->evaluate(model, places, ASKED, gang, workspace);
    for (size_t i = 0; i < ASKED; i++) {
        const struct conversion by = process_conversion(&model->process, probes->level[i]);

        for (size_t k = 0; k < 2; k++)
            probes->answer[i][k] = (float)(by.epsilon_x * (double)probes->x[i][k] +
                                           by.epsilon_o * (double)probes->answer[i][k]);
    }
    free(workspace);
    gang_destroy(gang);
    return true;
}

static struct probes learned, exact;

/* Both are asked the same. */
static bool ask_both(const struct selftest *selftest, const struct school *school, const char *name,
                     struct error *error)
{
    const struct model *pupil = selftest_model(&school->pupils, name, error);
    const struct model *master = selftest_model(selftest, EXACT, error);

    if (pupil == NULL || master == NULL)
        return false;
    draw_probes(&learned, &pupil->process);
    exact = learned;
    return ask(pupil, &learned, error) && ask(master, &exact, error);
}

/* Mean square of what the network does not know of what can be known. */
static double missing(void)
{
    double sum = 0;

    for (size_t i = 0; i < ASKED; i++)
        for (size_t k = 0; k < 2; k++) {
            const double difference = (double)learned.answer[i][k] - (double)exact.answer[i][k];

            sum += difference * difference;
        }
    return sum / (2 * ASKED);
}

/* Vincent 2011: sigma S + eps has the mean 0 where S is the score. Mean and three standard errors
 * of it over the probes. */
static void denoising_probe(double numbers[3])
{
    double sum = 0, square = 0;

    for (size_t i = 0; i < ASKED; i++)
        for (size_t k = 0; k < 2; k++) {
            const double rest = (double)exact.noise[i][k] - (double)learned.answer[i][k];

            sum += rest;
            square += rest * rest;
        }
    numbers[0] = sum / (2 * ASKED);
    numbers[1] = 0;
    numbers[2] = 3 * sqrt(square / (2 * ASKED) / (2 * ASKED));
}

/* Mean square of the score, over that of the exact one: the precision of a Gaussian, Fisher's
 * information of others. Score matching knows it without having seen a score. */
static void precision_probe(double numbers[3])
{
    double mine = 0, true_one = 0;

    for (size_t i = 0; i < ASKED; i++)
        for (size_t k = 0; k < 2; k++) {
            const double sigma = learned.level[i].sigma;
            const double score = (double)learned.answer[i][k] / sigma;
            const double exactly = (double)exact.answer[i][k] / sigma;

            mine += score * score;
            true_one += exactly * exactly;
        }
    numbers[0] = mine / true_one;
    numbers[1] = 1;
    numbers[2] = .05;
}

/* --- rows --- */

typedef void probe_judge(double numbers[3]);

static const struct objective_row {
    struct lesson lesson;
    probe_judge *judge; /* of its own, or NULL */
    const char *what;
} objectives[] = {
    {{"eps", "two-gaussians", OBJECTIVE_EPSILON, 0}, NULL, NULL},
    {{"x0", "two-gaussians", OBJECTIVE_X_0, 0}, NULL, NULL},
    {{"v", "two-gaussians", OBJECTIVE_V, 0}, NULL, NULL},
    {{"bound", "two-gaussians", OBJECTIVE_BOUND, 0}, NULL, NULL},
    {{"denoising", "two-gaussians", OBJECTIVE_DENOISING, 0},
     denoising_probe,
     "denoising: mean of sigma score + noise"},
    {{"implicit", "two-gaussians", OBJECTIVE_IMPLICIT, 0},
     precision_probe,
     "implicit: mean square of the score, of the exact one's"},
    {{"sliced", "two-gaussians", OBJECTIVE_SLICED, 0},
     precision_probe,
     "sliced: mean square of the score, of the exact one's"},
    {{"flow", "two-gaussians", OBJECTIVE_FLOW, 0}, NULL, NULL},
};
#define OBJECTIVES_TAUGHT (sizeof objectives / sizeof objectives[0])

static void report_gradient(struct selftest *selftest, const struct lesson *lesson)
{
    double numbers[3] = {0, 0, 0};
    struct error error;
    char what[80];

    (void)snprintf(what, sizeof what, "%s: gradient, beside differences of the loss", lesson->name);
    if (check_gradient(lesson, numbers, &error))
        selftest_report_number(selftest, "G1", what, numbers);
    else
        selftest_report_failure(selftest, "G1", what, &error);
}

static void report_missing(struct selftest *selftest, const struct school *school,
                           const struct objective_row *row)
{
    double numbers[3] = {0, 0, school->is_full ? .003 : .005}; /* 1 % of the least loss, or 2 */
    struct error error;
    char what[80];

    (void)snprintf(what, sizeof what, "%s: noise found beside the exact, mean square",
                   row->lesson.name);
    if (!ask_both(selftest, school, row->lesson.name, &error)) {
        selftest_report_failure(selftest, "G1", what, &error);
        return;
    }
    numbers[0] = missing();
    selftest_report_number(selftest, "G1", what, numbers);
    if (row->judge == NULL)
        return;
    row->judge(numbers);
    selftest_report_number(selftest, "G1", row->what, numbers);
}

static void report_shares(struct selftest *selftest, struct school *school,
                          const struct objective_row *row)
{
    const struct selftest_shares shares = {.id = "G1",
                                           .share = .2,
                                           .centre = {3, -3},
                                           .deviation = {1, 1},
                                           .tolerance = {.04, .2, .1}};
    struct error error;
    float *x = school_sample(school, &row->lesson, SAMPLED, &error);
    char what[80];

    (void)snprintf(what, sizeof what, "%s: sampled", row->lesson.name);
    if (x != NULL)
        selftest_report_shares(selftest, &shares, what, x, SAMPLED);
    else
        selftest_report_failure(selftest, "G1", what, &error);
    free(x);
}

static bool teach_all(const struct school *school, struct error *error)
{
    double loss;

    for (size_t i = 0; i < OBJECTIVES_TAUGHT; i++)
        if (!school_teach(school, &objectives[i].lesson, &loss, error))
            return false;
    return true;
}

void selftest_learns(struct selftest *selftest)
{
    struct school school;
    struct error error;

    for (size_t i = 0; i < OBJECTIVES_TAUGHT; i++)
        report_gradient(selftest, &objectives[i].lesson);
    if (school_open(&school, selftest->is_full, &error) && teach_all(&school, &error) &&
        school_serve(&school, &error))
        for (size_t i = 0; i < OBJECTIVES_TAUGHT; i++) {
            report_missing(selftest, &school, &objectives[i]);
            report_shares(selftest, &school, &objectives[i]);
        }
    else
        selftest_report_failure(selftest, "G1", "networks that learn here", &error);
    school_close(&school);
    if (selftest->is_full)
        selftest_taught(selftest);
}
