/* The step control of scipy's solve_ivp: on right-hand sides in double every number of evaluations
 * is scipy's own. */
#include "tests/support/test.h"

#include "core/base/rng.h"
#include "core/diffusion/rk45.h"

#include <math.h>
#include <string.h>

#define DIM 2

typedef void right_side(double t, const double *y, double *slope);

struct run {
    enum rk45_outcome outcome;
    double end[DIM];
    size_t evaluations;
};

static struct run solve(const struct rk45_rule *rule, const double *start, right_side *f)
{
    double values[RK45_VECTORS * DIM] = {0.0}, number[RK45_NUMBERS] = {0.0};
    struct rk45 solver = {.rule = rule, .values = values, .number = number};
    struct run run = {.outcome = RK45_EVALUATE};

    memcpy(rk45_solution(&solver), start, rule->dim * sizeof(double));
    rk45_begin(&solver);
    while (run.outcome == RK45_EVALUATE) {
        double slope[DIM];

        f(rk45_time(&solver), rk45_point(&solver), slope);
        memcpy(rk45_slope(&solver), slope, rule->dim * sizeof(double));
        run.outcome = rk45_advance(&solver);
    }
    memcpy(run.end, rk45_solution(&solver), rule->dim * sizeof(double));
    run.evaluations = solver.evaluations;
    return run;
}

/* The probability flow of the mixture 1/5 N((3,3), I) + 4/5 N((-3,-3), I) under VP, beta .1..20. */
static void mixture_flow(double t, const double *x, double *slope)
{
    static const double weights[2] = {.2, .8}, means[2] = {3.0, -3.0};
    const double beta = .1 + 19.9 * t, alpha = exp(-19.9 * t * t / 4.0 - .05 * t);
    double part[2], total = 0.0;

    for (size_t k = 0; k < 2; k++) {
        const double a = x[0] - alpha * means[k], b = x[1] - alpha * means[k];

        part[k] = weights[k] * exp(-(a * a + b * b) / 2.0); /* of variance 1 at every t */
        total += part[k];
    }
    for (size_t i = 0; i < 2; i++) {
        double score = 0.0;

        for (size_t k = 0; k < 2; k++)
            score += part[k] / total * (alpha * means[k] - x[i]);
        slope[i] = -beta * (x[i] + score) / 2.0;
    }
}

static const struct rk45_rule flow = {
    .start = 1.0, .end = 1e-3, .rtol = 1e-5, .atol = 1e-5, .evaluations_max = 10000, .dim = 2};

static struct run flow_of_seed(uint32_t seed)
{
    struct rng rng;
    float draw[2];

    rng_seed(&rng, seed);
    rng_randn(&rng, draw, 2);
    return solve(&flow, (double[]){(double)draw[0], (double)draw[1]}, mixture_flow);
}

static void the_mixtures_flow_takes_as_many_evaluations_as_in_scipy(void **state)
{
    static const struct {
        size_t evaluations;
        double end[2];
    } known[] = {{98, {2.913599, 1.079174}}, {80, {-1.721259, -2.115687}}};

    (void)state;
    for (uint32_t seed = 0; seed < 2; seed++) {
        const struct run run = flow_of_seed(seed);

        assert_int_equal(run.outcome, RK45_DONE);
        assert_int_equal(run.evaluations, known[seed].evaluations);
        for (size_t i = 0; i < 2; i++)
            assert_true(fabs(run.end[i] - known[seed].end[i]) < 1e-6);
    }
}

static void the_mean_of_two_hundred_seeds_is_scipys(void **state)
{
    double sum = 0.0;

    (void)state;
    for (uint32_t seed = 0; seed < 200; seed++)
        sum += (double)flow_of_seed(seed).evaluations;
    assert_true(fabs(sum / 200.0 - 64.3) < .05);
}

static void decay(double t, const double *y, double *slope)
{
    (void)t;
    slope[0] = -y[0];
}

static void rest(double t, const double *y, double *slope)
{
    (void)t;
    (void)y;
    slope[0] = 0.0;
}

static void it_runs_up_and_down_in_time(void **state)
{
    const struct rk45_rule up = {
        .start = 0.0, .end = 3.0, .rtol = 1e-9, .atol = 1e-9, .evaluations_max = 1000, .dim = 1};
    const struct rk45_rule down = {
        .start = 3.0, .end = 0.0, .rtol = 1e-9, .atol = 1e-9, .evaluations_max = 1000, .dim = 1};
    const double one = 1.0;

    (void)state;
    assert_true(fabs(solve(&up, &one, decay).end[0] - exp(-3.0)) < 1e-8);
    assert_true(fabs(solve(&down, &one, decay).end[0] / exp(3.0) - 1.0) < 1e-8);
}

/* Nothing moves: the longest steps, ten times the last, from the shortest first one. */
static void what_rests_is_crossed_in_few_steps(void **state)
{
    const struct rk45_rule rule = {
        .start = 0.0, .end = 1.0, .rtol = 1e-3, .atol = 1e-6, .evaluations_max = 1000, .dim = 1};
    const double one = 1.0;
    const struct run run = solve(&rule, &one, rest);

    (void)state;
    assert_int_equal(run.outcome, RK45_DONE);
    assert_true(run.end[0] == 1.0);
    /* 1e-6 first, at most 100 times that: 1e-6 since max(1e-6, 1e-9), then times 10 each. */
    assert_int_equal(run.evaluations, 2 + 6 * 7);
}

static void a_limit_that_is_too_low_ends_it_before_it_is_passed(void **state)
{
    struct rk45_rule rule = flow;
    struct run run;

    (void)state;
    rule.evaluations_max = 97;
    run = solve(&rule, (double[]){1.54099607, -.29342890}, mixture_flow);
    assert_int_equal(run.outcome, RK45_NOT_CONVERGED);
    assert_int_equal(run.evaluations, 92);
    rule.evaluations_max = 98;
    run = solve(&rule, (double[]){1.54099607, -.29342890}, mixture_flow);
    assert_int_equal(run.outcome, RK45_DONE);
}

/* y' = y^2 from 1 goes to infinity at t = 1. */
static void explode(double t, const double *y, double *slope)
{
    (void)t;
    slope[0] = y[0] * y[0];
}

static void steps_that_get_too_short_end_it(void **state)
{
    const struct rk45_rule rule = {
        .start = 0.0, .end = 2.0, .rtol = 1e-3, .atol = 1e-6, .evaluations_max = 100000, .dim = 1};
    const double one = 1.0;
    const struct run run = solve(&rule, &one, explode);

    (void)state;
    assert_int_equal(run.outcome, RK45_NOT_CONVERGED);
    assert_true(run.evaluations < 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mixtures_flow_takes_as_many_evaluations_as_in_scipy),
        cmocka_unit_test(the_mean_of_two_hundred_seeds_is_scipys),
        cmocka_unit_test(it_runs_up_and_down_in_time),
        cmocka_unit_test(what_rests_is_crossed_in_few_steps),
        cmocka_unit_test(a_limit_that_is_too_low_ends_it_before_it_is_passed),
        cmocka_unit_test(steps_that_get_too_short_end_it),
    };
    return cmocka_run_group_tests_name("rk45", tests, NULL, NULL);
}
