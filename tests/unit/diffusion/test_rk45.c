/* The step control of scipy's solve_ivp: on right-hand sides in double every number of evaluations
 * is scipy's own. */
#include "tests/support/test.h"

#include "core/base/rng.h"
#include "core/diffusion/rk45.h"

#include <math.h>
#include <string.h>

#define DIM 3

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
        const double t = rk45_time(&solver);
        double slope[DIM];

        assert_true((t - rule->start) * (t - rule->end) <= 0.0); /* never asked outside */
        f(t, rk45_point(&solver), slope);
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

/* The same, and what it does to a density: div = -beta (2 + div score) / 2. */
static void mixture_density_flow(double t, const double *x, double *slope)
{
    static const double weights[2] = {.2, .8}, means[2] = {3.0, -3.0};
    const double beta = .1 + 19.9 * t, alpha = exp(-19.9 * t * t / 4.0 - .05 * t);
    double part[2], total = 0.0, square = 0.0, score[2] = {0.0, 0.0};

    for (size_t k = 0; k < 2; k++) {
        const double a = x[0] - alpha * means[k], b = x[1] - alpha * means[k];

        part[k] = weights[k] * exp(-(a * a + b * b) / 2.0);
        total += part[k];
    }
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < 2; i++) {
            const double q = alpha * means[k] - x[i];

            score[i] += part[k] / total * q;
            square += part[k] / total * q * q;
        }
    for (size_t i = 0; i < 2; i++)
        slope[i] = -beta * (x[i] + score[i]) / 2.0;
    slope[2] = -beta * (square - score[0] * score[0] - score[1] * score[1]) / 2.0;
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

/* The density is a value of the vector: the norm of an error is over three. */
static void a_density_beside_x_has_its_say_in_the_steps_as_in_scipy(void **state)
{
    static const struct {
        double x[3], log_density;
        size_t evaluations;
    } known[] = {{{3.2, 2.9, 0.0}, -3.450655, 86}, {{-2.5, -3.5, 0.0}, -2.314922, 62}};
    const struct rk45_rule rule = {
        .start = 1e-5, .end = 1.0, .rtol = 1e-5, .atol = 1e-5, .evaluations_max = 10000, .dim = 3};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct run run = solve(&rule, known[i].x, mixture_density_flow);
        const double prior =
            -(run.end[0] * run.end[0] + run.end[1] * run.end[1]) / 2.0 - log(2.0 * acos(-1.0));

        assert_int_equal(run.outcome, RK45_DONE);
        assert_int_equal(run.evaluations, known[i].evaluations);
        assert_true(fabs(prior + run.end[2] - known[i].log_density) < 1e-6);
    }
}

/* 1 + t^8 from 0 to 3 beside a steep path whose steps are now and then refused. */
static void an_integral_beside_the_vector_takes_the_same_steps(void **state)
{
    const struct rk45_rule rule = {
        .start = 0.0, .end = 3.0, .rtol = 1e-6, .atol = 1e-6, .evaluations_max = 100000, .dim = 2};
    double values[RK45_VECTORS * 2] = {0.0}, number[RK45_NUMBERS] = {0.0};
    struct rk45 solver = {.rule = &rule, .values = values, .number = number};
    struct rk45_side side = {.value = 0.0};
    enum rk45_outcome outcome = RK45_EVALUATE;
    size_t refused = 0;

    (void)state;
    rk45_begin(&solver);
    while (outcome == RK45_EVALUATE) {
        const double t = rk45_time(&solver), y = rk45_point(&solver)[0];
        const double before = number[RK45_TIME];
        const bool ends = rk45_ends_step(&solver);

        side.slope = 1.0 + t * t * t * t * t * t * t * t;
        rk45_slope(&solver)[0] = 100.0 / (1.0 + exp(-400.0 * (t - .5))) - y;
        rk45_slope(&solver)[1] = side.slope;
        rk45_side_add(&solver, &side);
        outcome = rk45_advance(&solver);
        if (ends)
            rk45_side_end(&side, number[RK45_TIME] - before);
        refused += ends && number[RK45_TIME] == before;
    }
    assert_int_equal(outcome, RK45_DONE);
    assert_true(refused > 2);
    assert_true(fabs(side.value - 2190.0) < .01);
    assert_true(fabs(side.value / rk45_solution(&solver)[1] - 1.0) < 1e-12);
}

/* --- what scipy's solve_ivp says of these, to the last evaluation ------------------------ */

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

static void slow(double t, const double *y, double *slope)
{
    (void)t;
    slope[0] = 1e-3 * y[0];
}

static void stiff(double t, const double *y, double *slope)
{
    slope[0] = -1000.0 * (y[0] - cos(t));
}

static void steep(double t, const double *y, double *slope)
{
    slope[0] = 1e6 / (1.0 + exp(-400.0 * (t - .5))) - y[0];
}

static void late(double t, const double *y, double *slope)
{
    (void)y;
    slope[0] = t * t * t * t * t * t * t * t;
}

static const struct {
    right_side *f;
    double from, to, start, rtol, atol, end;
    size_t evaluations;
} references[] = {
    {decay, 0.0, 3.0, 1.0, 1e-9, 1e-9, .04978706857874054, 230},
    {decay, 3.0, 0.0, 1.0, 1e-9, 1e-9, 20.08553693894501, 296},
    {decay, 0.0, 1e-3, 1.0, 1e-3, 1e-6, .999000499833375, 8}, /* the interval is short */
    {rest, 0.0, 1.0, 1.0, 1e-3, 1e-6, 1.0, 44},               /* ten times longer each step */
    {slow, 0.0, 1.0, 1.0, 1e-3, 1e-6, 1.0010005001667084, 14},
    {stiff, 0.0, 1.0, 0.0, 1e-3, 1e-6, .5410406841534934, 2132},
    {steep, 0.0, 1.0, 1.0, 1e-6, 1e-6, 393463.46123520756,
     296}, /* a fifth of the length at worst */
    {late, 0.0, 3.0, 1.0, 1e-6, 1e-9, 2187.9999567568075, 170},
    {decay, 0.0, 1.0, 1e-9, 1e-3, 1e-6, 3.68333333333333e-10, 8},
};

static void every_evaluation_is_scipys(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
        const struct rk45_rule rule = {.start = references[i].from,
                                       .end = references[i].to,
                                       .rtol = references[i].rtol,
                                       .atol = references[i].atol,
                                       .evaluations_max = 100000,
                                       .dim = 1};
        const struct run run = solve(&rule, &references[i].start, references[i].f);

        if (run.outcome != RK45_DONE || run.evaluations != references[i].evaluations ||
            !(fabs(run.end[0] / references[i].end - 1.0) < 1e-9))
            fail_msg("%zu: %zu evaluations instead of %zu, %.17g instead of %.17g", i,
                     run.evaluations, references[i].evaluations, run.end[0], references[i].end);
    }
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
        cmocka_unit_test(a_density_beside_x_has_its_say_in_the_steps_as_in_scipy),
        cmocka_unit_test(an_integral_beside_the_vector_takes_the_same_steps),
        cmocka_unit_test(every_evaluation_is_scipys),
        cmocka_unit_test(a_limit_that_is_too_low_ends_it_before_it_is_passed),
        cmocka_unit_test(steps_that_get_too_short_end_it),
    };
    return cmocka_run_group_tests_name("rk45", tests, NULL, NULL);
}
