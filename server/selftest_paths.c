/* Rows along the way: steps whose result is known where all data are one point, the flow's share by
 * its quantile, there and back. */
#include "server/selftest.h"

#include "core/base/math.h"

#include <math.h>
#include <stdlib.h>

/* --- C1, C3: where all data are one point, every step is known --- */

enum { POINT_STEPS = 10 };
static const double point[2] = {2.0, -1.0};

/* The largest distance of a step of one row from m + factor (x - m), beside the size of x. */
static bool step_error(struct selftest *selftest, const struct selftest_run *point_run,
                       double (*factor)(size_t step), double numbers[3], struct error *error)
{
    float frames[POINT_STEPS + 1][2][2];
    struct selftest_run run = *point_run;
    float x[2];

    run.frames = &frames[0][0][0];
    numbers[2] = 1e-6;
    if (!selftest_sample(selftest, &run, 1, x, error))
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

/* --- C1: the tutorial's DDIM is the linear flow of its process in the time sqrt t --- */

enum { FLOW_ROWS = 8, FLOW_STEPS = 1000 };

/* x = (1 - r) x_0 + r x_1 with r = sqrt t has the velocity (x - E[x_0]) / r: Euler steps of it,
 * added up from the same start, stay with the samples. */
static double flow_distance(float (*frames)[2][2])
{
    double largest = 0.0;

    for (size_t j = 0; j < 2; j++) {
        double x = (double)frames[0][0][j];

        for (size_t i = 0; i < FLOW_STEPS; i++) {
            const double here = sqrt((double)(FLOW_STEPS - i) / FLOW_STEPS);
            const double next = sqrt((double)(FLOW_STEPS - i - 1) / FLOW_STEPS);

            x += (next - here) * ((double)frames[i][0][j] - (double)frames[i][1][j]) / here;
            largest = fmax(largest, fabs(x - (double)frames[i + 1][0][j]));
        }
    }
    return largest;
}

static bool tutorial_flow(struct selftest *selftest, double numbers[3], struct error *error)
{
    static float frames[FLOW_ROWS][FLOW_STEPS + 1][2][2];
    const struct selftest_run run = {.model = "exact-ve-linear",
                                     .sampler = "ve_ddim",
                                     .steps = FLOW_STEPS,
                                     .options = "",
                                     .frames = &frames[0][0][0][0]};
    float x[2 * FLOW_ROWS];

    numbers[2] = 1e-2;
    if (!selftest_sample(selftest, &run, FLOW_ROWS, x, error))
        return false;
    for (size_t i = 0; i < FLOW_ROWS; i++)
        numbers[0] = fmax(numbers[0], flow_distance(frames[i]));
    return true;
}

/* --- 10.1: the limit of the share of the probability flow --- */

enum { STARTS = 65, ROUNDS = 3 };

/* How many of the starts (u, u) / sqrt 2, u rising, do not end in the + mode: a map that keeps the
 * order of a line. */
static bool count_below(struct selftest *selftest, const struct selftest_run *flow,
                        const double u[STARTS], size_t *below, struct error *error)
{
    float starts[2 * STARTS], x[2 * STARTS];
    struct selftest_run run = *flow;

    for (size_t i = 0; i < STARTS; i++)
        starts[2 * i] = starts[2 * i + 1] = (float)(u[i] / sqrt(2.0));
    run.x_T = starts;
    if (!selftest_sample(selftest, &run, STARTS, x, error))
        return false;
    *below = 0;
    while (*below < STARTS && x[2 * *below] + x[2 * *below + 1] <= 0.0F)
        ++*below;
    return true;
}

/* The flow keeps the order along the line through both means and the sign across it: what ends in
 * the + mode are the draws beyond one point of that line, which is bracketed ever closer. */
static bool flow_share(struct selftest *selftest, const char *model, double numbers[3],
                       struct error *error)
{
    /* As many steps as the shortest table allows: at 4 evaluations each that is the limit. */
    const struct selftest_run flow = {.model = model,
                                      .sampler = "pf_ode",
                                      .steps = 100,
                                      .options = "method=rk4",
                                      .is_certain = true};
    double low = 0.0, high = 2.0;

    for (int round = 0; round < ROUNDS; round++) {
        double u[STARTS];
        size_t below;

        for (size_t i = 0; i < STARTS; i++)
            u[i] = low + (high - low) * (double)i / (STARTS - 1);
        if (!count_below(selftest, &flow, u, &below, error))
            return false;
        if (below == 0 || below == STARTS)
            return error_set(error, ERROR_INVALID, "no start between 0 and 2 separates the modes");
        low = u[below - 1];
        high = u[below];
    }
    numbers[0] = (1.0 - math_erf((low + high) / 2.0 / sqrt(2.0))) / 2.0;
    return true;
}

static bool flow_share_table(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = .20451;
    numbers[2] = 1e-5;
    return flow_share(selftest, "exact-mixture", numbers, error);
}

static bool flow_share_vp(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = .20466;
    numbers[2] = 1e-5;
    return flow_share(selftest, "exact-vp", numbers, error);
}

static bool flow_share_demo(struct selftest *selftest, double numbers[3], struct error *error)
{
    numbers[1] = .4050;
    numbers[2] = 1e-4;
    return flow_share(selftest, "two-gaussians-demo", numbers, error);
}

static const struct selftest_rule rules[] = {
    {"C1", "ve_ddim to a point: largest error of a step", tutorial_point, SELFTEST_ALWAYS},
    {"C1", "ve_ddim beside the linear flow in sqrt t, 1000 steps: largest distance", tutorial_flow,
     SELFTEST_ALWAYS},
    {"C3", "flow from an annulus to a point: largest error of a step", annulus_point,
     SELFTEST_ALWAYS},
    {"10.1", "share of the probability flow by its quantile, exact-mixture", flow_share_table,
     SELFTEST_ALWAYS},
    {"10.1", "share of the probability flow by its quantile, exact-vp", flow_share_vp,
     SELFTEST_ALWAYS},
    {"10.1", "share of the probability flow by its quantile, two-gaussians-demo", flow_share_demo,
     SELFTEST_ALWAYS},
};

void selftest_paths(struct selftest *selftest)
{
    selftest_judge_all(selftest, rules, sizeof rules / sizeof rules[0]);
}
