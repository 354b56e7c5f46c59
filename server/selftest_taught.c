#include "server/selftest_taught.h"

#include "server/selftest_distance.h"
#include "server/selftest_school.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FLOOR    .319049 /* loss of eps of an exact network, section 10.1 of the reference */
#define SHARED   20000   /* points of a share */
#define MEASURED 4000    /* of a distance */
#define DATA     8192    /* that they are measured from */
#define TURN     6.283185307179586

static const struct lesson demo[] = {
    {"demo-0", "two-gaussians", OBJECTIVE_EPSILON, 0},
    {"demo-1", "two-gaussians", OBJECTIVE_EPSILON, 1},
    {"demo-2", "two-gaussians", OBJECTIVE_EPSILON, 2},
};
enum { SEEDS = sizeof demo / sizeof demo[0] };

/* --- D3 --- */

static double nearest(const float *x, const float *data, size_t count)
{
    double least = (double)INFINITY;

    for (size_t i = 0; i < count; i++) {
        const double a = (double)x[0] - (double)data[2 * i];
        const double b = (double)x[1] - (double)data[2 * i + 1];

        least = fmin(least, a * a + b * b);
    }
    return sqrt(least);
}

/* The farthest of eight modes from its share, .125. */
static double worst_mode(const float *x, const float *data)
{
    size_t count[8] = {0};
    double worst = 0;

    (void)data;
    for (size_t i = 0; i < MEASURED; i++) {
        const double turn = atan2((double)x[2 * i + 1], (double)x[2 * i]) / TURN;

        count[(size_t)lround(8 * turn + 8) % 8]++;
    }
    for (size_t k = 0; k < 8; k++)
        worst = fmax(worst, fabs((double)count[k] / MEASURED - .125));
    return worst;
}

static double distance_of_sets(const float *x, const float *data)
{
    return energy_distance(x, data, MEASURED);
}

/* Mean distance from the spiral, of its radius 4. */
static double mean_distance(const float *x, const float *data)
{
    double sum = 0;

    for (size_t i = 0; i < MEASURED; i++)
        sum += nearest(x + 2 * i, data, DATA);
    return sum / MEASURED / 4;
}

/* Part of the points that is further than a twentieth of their radius 3 from all ten. */
static double part_elsewhere(const float *x, const float *data)
{
    size_t far = 0;

    for (size_t i = 0; i < MEASURED; i++)
        far += nearest(x + 2 * i, data, DATA) > .15;
    return (double)far / MEASURED;
}

static const struct {
    struct lesson lesson;
    const char *what;
    double (*measure)(const float *x, const float *data);
    double limit;
} rows[] = {
    {{"eight", "8-gaussians", OBJECTIVE_EPSILON, 0},
     "8-gaussians: share of a mode from .125, the worst",
     worst_mode,
     .03},
    {{"roll", "swiss-roll", OBJECTIVE_EPSILON, 0},
     "swiss-roll: energy distance from the data",
     distance_of_sets,
     .02},
    {{"spiral", "annulus-to-spiral", OBJECTIVE_FLOW, 0},
     "annulus-to-spiral: mean distance from the spiral, of its radius",
     mean_distance,
     .1},
    {{"ten", "10-points", OBJECTIVE_EPSILON, 0},
     "10-points: part further than .05 of the radius from all of them",
     part_elsewhere,
     .1},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static bool measure_row(struct school *school, size_t i, double numbers[3], struct error *error)
{
    float *x = school_sample(school, &rows[i].lesson, MEASURED, error);
    struct data data;

    if (x == NULL)
        return false;
    if (!data_open(&data, rows[i].lesson.data, 1, error)) {
        free(x);
        return false;
    }
    numbers[0] = rows[i].measure(x, data.points);
    numbers[1] = 0;
    numbers[2] = rows[i].limit;
    data_close(&data);
    free(x);
    return true;
}

static void report_rows(struct selftest *selftest, struct school *school)
{
    double numbers[3];
    struct error error;

    for (size_t i = 0; i < ROWS; i++)
        if (measure_row(school, i, numbers, &error))
            selftest_report_number(selftest, "D3", rows[i].what, numbers);
        else
            selftest_report_failure(selftest, "D3", rows[i].what, &error);
}

/* --- B3 --- */

static void report_demo(struct selftest *selftest, const struct lesson *lesson, const float *x,
                        double *mean_share)
{
    static float data[2 * MEASURED];
    const struct selftest_shares row = {.id = "B3",
                                        .share = .2,
                                        .centre = {3, -3},
                                        .deviation = {1, 1},
                                        .tolerance = {.02, .1, .05}};
    const struct selftest_sides sides = selftest_sides(x, SHARED);

    selftest_report_shares(selftest, &row, lesson->name, x, SHARED);
    selftest_draw_data(data, MEASURED, 3000000);
    selftest_report_number(selftest, "B3", "  energy distance from 4000 points of the data",
                           (double[]){energy_distance(x, data, MEASURED), 0, .012});
    *mean_share += sides.share / SEEDS;
}

static void report_demos(struct selftest *selftest, struct school *school, const double *losses)
{
    double mean_share = 0;
    struct error error;

    for (size_t i = 0; i < SEEDS; i++) {
        float *x = school_sample(school, &demo[i], SHARED, &error);

        selftest_report_number(selftest, "B3", "loss of eps",
                               (double[]){losses[i], FLOOR, .02 * FLOOR});
        if (x != NULL)
            report_demo(selftest, &demo[i], x, &mean_share);
        else
            selftest_report_failure(selftest, "B3", demo[i].name, &error);
        free(x);
    }
    selftest_report_number(selftest, "B3", "share, mean of three seeds",
                           (double[]){mean_share, .2, .012});
}

/* --- all of it --- */

static bool teach(const struct school *school, double losses[SEEDS], struct error *error)
{
    double loss;

    for (size_t i = 0; i < SEEDS; i++)
        if (!school_teach(school, &demo[i], &losses[i], error))
            return false;
    for (size_t i = 0; i < ROWS; i++)
        if (!school_teach(school, &rows[i].lesson, &loss, error))
            return false;
    return true;
}

void selftest_taught(struct selftest *selftest)
{
    double losses[SEEDS];
    struct school school;
    struct error error;

    if (school_open(&school, true, &error) && teach(&school, losses, &error) &&
        school_serve(&school, &error)) {
        report_demos(selftest, &school, losses);
        report_rows(selftest, &school);
    } else {
        selftest_report_failure(selftest, "B3", "the demo, from three seeds", &error);
    }
    school_close(&school);
}
