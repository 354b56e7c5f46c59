#include "core/diffusion/rk45.h"

#include "core/base/math.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Stages: which slope is awaited. Two come before the first step, to choose its length; from
 * STEP_SLOPE on they are the second to the seventh of a step. */
enum { FIRST_SLOPE, TRIAL_SLOPE, STEP_SLOPE };

#define SLOPES 7

/* Dormand & Prince 1980, table 2. Slope s is at TIMES[s] of the step, from the slopes before it. */
static const double TIMES[SLOPES] = {0.0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1.0, 1.0};
static const double COEFFICIENTS[SLOPES][SLOPES - 1] = {
    {0.0},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0.0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
};
static const double ERRORS[SLOPES] = {-71.0 / 57600,    0.0,         71.0 / 16695, -71.0 / 1920,
                                      17253.0 / 339200, -22.0 / 525, 1.0 / 40};

/* scipy.integrate._ivp.rk */
#define SAFETY       .9
#define SMALLEST     .2
#define LARGEST      10.0
#define ULPS_MIN     10.0
#define FIRST_LENGTH 1e-6

/* Of rk45_evaluations_due. The pair's order says the fifth root of the tolerance; it is the third
 * because what a model takes and answers is float32, which is rough at steps as short as that. */
#define DUE_LEAST     100.0
#define DUE           400.0
#define DUE_TOLERANCE 1e-5

/* The second slope has no weight in what ends a step: its place is the end's, until it is known
 * whether that is good. */
#define PLACE_OF_END 1

static double *slope_at(const struct rk45 *solver, size_t slope)
{
    return solver->values + (1 + slope) * solver->rule->dim;
}

double *rk45_solution(struct rk45 *solver)
{
    return solver->values;
}

/* The place of the slope that is awaited. */
static size_t awaited(const struct rk45 *solver)
{
    return solver->stage == FIRST_SLOPE ? 0 : solver->stage - STEP_SLOPE + 1;
}

static bool is_trial(const struct rk45 *solver)
{
    return solver->stage == TRIAL_SLOPE;
}

double *rk45_slope(struct rk45 *solver)
{
    return slope_at(solver, is_trial(solver) ? PLACE_OF_END : awaited(solver));
}

const double *rk45_point(const struct rk45 *solver)
{
    if (solver->stage == FIRST_SLOPE)
        return solver->values;
    if (is_trial(solver) || awaited(solver) == SLOPES - 1)
        return slope_at(solver, PLACE_OF_END);
    return slope_at(solver, awaited(solver));
}

double rk45_time(const struct rk45 *solver)
{
    const double time = solver->number[RK45_TIME], target = solver->number[RK45_TARGET];

    if (solver->stage == FIRST_SLOPE)
        return time;
    return is_trial(solver) || awaited(solver) >= SLOPES - 2
               ? target
               : time + TIMES[awaited(solver)] * (target - time);
}

/* --- lengths ---------------------------------------------------------------------------------- */

static double direction(const struct rk45_rule *rule)
{
    return rule->end < rule->start ? -1.0 : 1.0;
}

static double interval(const struct rk45_rule *rule)
{
    return fabs(rule->end - rule->start);
}

/* rms of values / (atol + rtol |solution|). */
static double scaled_norm(const struct rk45 *solver, const double *values, const double *minus)
{
    const struct rk45_rule *rule = solver->rule;
    double sum = 0.0;

    for (size_t i = 0; i < rule->dim; i++) {
        const double value = minus == NULL ? values[i] : values[i] - minus[i];
        const double scaled = value / (rule->atol + rule->rtol * fabs(solver->values[i]));

        sum += scaled * scaled;
    }
    return sqrt(sum / (double)rule->dim);
}

/* Hairer, Norsett & Wanner 1993, II.4: a first guess, and an Euler step of that length. */
static void begin_trial(struct rk45 *solver)
{
    const double *slope = slope_at(solver, 0);
    const double d0 = scaled_norm(solver, solver->values, NULL);
    const double d1 = scaled_norm(solver, slope, NULL);
    const double guess = d0 < 1e-5 || d1 < 1e-5 ? FIRST_LENGTH : .01 * d0 / d1;
    const double length = fmin(guess, interval(solver->rule));
    const double h = length * direction(solver->rule);
    double *point = slope_at(solver, PLACE_OF_END);

    for (size_t i = 0; i < solver->rule->dim; i++)
        point[i] = solver->values[i] + h * slope[i];
    solver->number[RK45_LENGTH] = length;
    solver->number[RK45_TARGET] = solver->rule->start + h;
    solver->stage = TRIAL_SLOPE;
}

/* 10 spaces between doubles here. */
static double shortest(const struct rk45 *solver)
{
    const double time = solver->number[RK45_TIME];

    return ULPS_MIN * fabs(nextafter(time, direction(solver->rule) * (double)INFINITY) - time);
}

/* --- steps ------------------------------------------------------------------------------------ */

/* The point that a slope is asked at, from those before it; in the place of that slope, but the
 * end's in its own, which no later slope needs and the end gives no weight. Inlined for each slope,
 * so that the inner loop is gone and the outer one is made of vectors. */
static inline void point_from(struct rk45 *solver, const size_t slope)
{
    const double h = solver->number[RK45_TARGET] - solver->number[RK45_TIME];
    const double *coefficient = COEFFICIENTS[slope];
    const size_t dim = solver->rule->dim;
    const double *restrict start = solver->values, *restrict slopes = slope_at(solver, 0);
    double *restrict point = slope_at(solver, slope == SLOPES - 1 ? PLACE_OF_END : slope);

    for (size_t i = 0; i < dim; i++) {
        double sum = coefficient[0] * slopes[i];

        for (size_t k = 1; k < slope; k++)
            if (slope < SLOPES - 1 || k != PLACE_OF_END)
                sum += coefficient[k] * slopes[k * dim + i];
        point[i] = start[i] + h * sum;
    }
}

static void point_2(struct rk45 *solver)
{
    point_from(solver, 1);
}

static void point_3(struct rk45 *solver)
{
    point_from(solver, 2);
}

static void point_4(struct rk45 *solver)
{
    point_from(solver, 3);
}

static void point_5(struct rk45 *solver)
{
    point_from(solver, 4);
}

static void point_6(struct rk45 *solver)
{
    point_from(solver, 5);
}

static void point_7(struct rk45 *solver)
{
    point_from(solver, 6);
}

/* Where the slope at place `slope`, not the first, is asked for. */
static void make_point(struct rk45 *solver, size_t slope)
{
    static void (*const points[SLOPES - 1])(struct rk45 * solver) = {point_2, point_3, point_4,
                                                                     point_5, point_6, point_7};

    assert(slope >= 1 && slope < SLOPES);
    points[slope - 1](solver);
}

size_t rk45_evaluations_due(const struct rk45_rule *rule)
{
    /* Points are of order 1: the larger tolerance decides. */
    const double tolerance = fmax(rule->rtol, rule->atol);
    const double due = DUE * math_pow(DUE_TOLERANCE / tolerance, 1.0 / 3.0);

    return (size_t)fmin(fmax(due, DUE_LEAST), (double)rule->evaluations_max);
}

static enum rk45_outcome try_step(struct rk45 *solver)
{
    const double end = solver->rule->end, sign = direction(solver->rule);
    double target;

    if (solver->evaluations + SLOPES - 1 > solver->rule->evaluations_max ||
        !(solver->number[RK45_LENGTH] >= shortest(solver)))
        return RK45_NOT_CONVERGED;
    target = solver->number[RK45_TIME] + sign * solver->number[RK45_LENGTH];
    if (sign * (target - end) > 0.0)
        target = end;
    solver->number[RK45_TARGET] = target;
    solver->number[RK45_LENGTH] = fabs(target - solver->number[RK45_TIME]);
    solver->stage = STEP_SLOPE;
    make_point(solver, awaited(solver));
    return RK45_EVALUATE;
}

static double error_norm(const struct rk45 *solver)
{
    const struct rk45_rule *rule = solver->rule;
    const double *start = solver->values, *slopes = slope_at(solver, 0);
    const double *end = slope_at(solver, PLACE_OF_END);
    const double h = solver->number[RK45_TARGET] - solver->number[RK45_TIME];
    double sum = 0.0;

    for (size_t i = 0; i < rule->dim; i++) {
        const double from = fabs(start[i]), to = fabs(end[i]);
        const double scale = rule->atol + rule->rtol * (from > to ? from : to);
        double error = ERRORS[0] * slopes[i];

        for (size_t k = PLACE_OF_END + 1; k < SLOPES; k++)
            error += ERRORS[k] * slopes[k * rule->dim + i];
        error *= h / scale;
        sum += error * error;
    }
    return sqrt(sum / (double)rule->dim);
}

/* Of the first try from here. */
static enum rk45_outcome begin_step(struct rk45 *solver, double length)
{
    solver->number[RK45_REJECTED] = 0.0;
    solver->number[RK45_LENGTH] = fmax(length, shortest(solver));
    return try_step(solver);
}

/* The end becomes the start, its slope the first of the next step. */
static enum rk45_outcome accept(struct rk45 *solver, double factor)
{
    const size_t bytes = solver->rule->dim * sizeof(*solver->values);

    memcpy(solver->values, slope_at(solver, PLACE_OF_END), bytes);
    memcpy(slope_at(solver, 0), slope_at(solver, SLOPES - 1), bytes);
    if (solver->number[RK45_REJECTED] != 0.0)
        factor = fmin(factor, 1.0);
    solver->number[RK45_TIME] = solver->number[RK45_TARGET];
    if (solver->number[RK45_TIME] == solver->rule->end)
        return RK45_DONE;
    return begin_step(solver, factor * solver->number[RK45_LENGTH]);
}

static enum rk45_outcome end_trial(struct rk45 *solver)
{
    const double *slope = slope_at(solver, 0);
    const double guess = solver->number[RK45_LENGTH];
    const double d1 = scaled_norm(solver, slope, NULL);
    const double d2 = scaled_norm(solver, slope_at(solver, PLACE_OF_END), slope) / guess;
    const double largest = fmax(d1, d2);
    const double length =
        largest <= 1e-15 ? fmax(FIRST_LENGTH, guess * 1e-3) : math_pow(.01 / largest, 1.0 / 5);

    return begin_step(solver, fmin(fmin(100.0 * guess, length), interval(solver->rule)));
}

static enum rk45_outcome end_step(struct rk45 *solver)
{
    const double error = error_norm(solver);
    const double factor = error == 0.0 ? LARGEST : SAFETY * math_pow(error, -1.0 / 5);

    if (error < 1.0)
        return accept(solver, fmin(factor, LARGEST));
    solver->number[RK45_LENGTH] *= fmax(factor, SMALLEST);
    solver->number[RK45_REJECTED] = 1.0;
    return try_step(solver);
}

void rk45_begin(struct rk45 *solver)
{
    solver->number[RK45_TIME] = solver->rule->start;
    solver->stage = FIRST_SLOPE;
    solver->evaluations = 0;
}

enum rk45_outcome rk45_advance(struct rk45 *solver)
{
    solver->evaluations++;
    if (solver->stage == FIRST_SLOPE) {
        begin_trial(solver);
        return RK45_EVALUATE;
    }
    if (is_trial(solver))
        return end_trial(solver);
    if (awaited(solver) == SLOPES - 1)
        return end_step(solver);
    solver->stage++;
    make_point(solver, awaited(solver));
    return RK45_EVALUATE;
}

/* --- integrals beside it ---------------------------------------------------------------------- */

void rk45_side_add(const struct rk45 *solver, struct rk45_side *side)
{
    if (solver->stage == FIRST_SLOPE)
        side->first = side->slope;
    else if (awaited(solver) > PLACE_OF_END && awaited(solver) < SLOPES - 1)
        side->sum += COEFFICIENTS[SLOPES - 1][awaited(solver)] * side->slope;
}

bool rk45_ends_step(const struct rk45 *solver)
{
    return solver->stage >= STEP_SLOPE && awaited(solver) == SLOPES - 1;
}

/* The last slope counts nothing here, and is the first of the next step. */
void rk45_side_end(struct rk45_side *side, double length)
{
    if (length != 0.0) {
        side->value += length * (COEFFICIENTS[SLOPES - 1][0] * side->first + side->sum);
        side->first = side->slope;
    }
    side->sum = 0.0;
}
