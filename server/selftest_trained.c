/* B3: the shipped network that learnt the two Gaussians, beside points of the data themselves. */
#include "server/selftest.h"
#include "server/selftest_distance.h"

#include <assert.h>
#include <stdlib.h>

#define MODEL        "mixture"
#define POINTS       4000
#define SEED_OF_DATA 3000000

/* Two sets of the data: pair 0 is the first. */
static float data[2][2 * POINTS];

static void draw(uint32_t pair)
{
    for (uint32_t i = 0; i < 2; i++)
        selftest_draw_data(data[i], POINTS, SEED_OF_DATA + (2 * pair + i) * POINTS);
}

enum { PAIRS = 3 };

/* The measure itself: what two sets of the data differ by. */
static bool data_distance(struct selftest *selftest, double numbers[3], struct error *error)
{
    (void)selftest;
    (void)error;
    for (uint32_t pair = 0; pair < PAIRS; pair++) {
        draw(pair);
        numbers[0] += energy_distance(data[0], data[1], POINTS) / PAIRS;
    }
    numbers[1] = .0024;
    numbers[2] = .0016;
    return true;
}

static const struct selftest_rule rules[] = {
    {"10.1", "energy distance of two sets of 4000 points of the data, mean of three", data_distance,
     SELFTEST_LOCAL},
};

/* The energy distance is of the first POINTS. */
static void report(struct selftest *selftest, const struct selftest_shares *row, const float *x,
                   size_t n)
{
    selftest_report_shares(selftest, row, "ddpm on " MODEL ", 1000 steps", x, n);
    draw(0);
    selftest_report_number(selftest, row->id, "  energy distance from 4000 points of the data",
                           (double[]){energy_distance(x, data[0], POINTS), 0.0, .012});
}

void selftest_trained(struct selftest *selftest)
{
    static const struct selftest_shares row = {
        .id = "B3",
        .run = {.model = MODEL, .sampler = "ddpm", .steps = 1000, .options = ""},
        .share = .2,
        .centre = {3, -3},
        .deviation = {1, 1},
        .tolerance = {.015, .1, .05}};
    struct error error;
    const size_t n = selftest_points(selftest, &row.run);
    float *x = selftest_take(selftest, &row.run, n, &error);

    assert(n >= POINTS);

    selftest_judge_all(selftest, rules, sizeof rules / sizeof rules[0]);
    if (x != NULL)
        report(selftest, &row, x, n);
    else
        selftest_report_failure(selftest, row.id, "ddpm on " MODEL ", 1000 steps", &error);
    free(x);
}
