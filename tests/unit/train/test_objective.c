/* What each objective asks of a network at a level, against the formulas of the papers. */
#include "tests/support/test.h"

#include "core/train/objective.h"

#include <math.h>

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-12 * (1.0 + fabs(b)))

static const struct level level = {.alpha = .8, .sigma = .6};

static struct process process_for(enum objective objective)
{
    struct process process;
    struct error error;
    struct process_config config = objective_process(objective, 1000);
    assert_true(process_init(&process, &config, &error));
    return process;
}

static struct objective_term term_of(enum objective objective, struct level at, size_t index)
{
    struct process process = process_for(objective);
    struct objective_term term = objective_term(objective, &process, at, index, 2);
    process_finish(&process);
    return term;
}

static void every_objective_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < OBJECTIVE_COUNT; i++)
        assert_int_equal(objective_find(objective_name((enum objective)i)), i);
    assert_int_equal(objective_find("epsilon"), OBJECTIVE_COUNT);
}

static void regressions_aim_at_what_their_head_says(void **state)
{
    static const struct {
        enum objective objective;
        double weight, of_x0, of_epsilon;
    } rows[] = {
        {OBJECTIVE_EPSILON, .5, 0.0, 1.0},
        {OBJECTIVE_X_0, .5 / .5625, 1.0, 0.0},
        {OBJECTIVE_V, .5, -.6, .8},
        {OBJECTIVE_FLOW, .5, -1.0, 1.0},
        {OBJECTIVE_DENOISING, .18, 0.0, -1 / .6},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct objective_term term = term_of(rows[i].objective, level, 0);
        NEAR(term.weight, rows[i].weight);
        NEAR(term.of_x0, rows[i].of_x0);
        NEAR(term.of_epsilon, rows[i].of_epsilon);
        assert_int_equal(objective_directions(rows[i].objective, 5), 0);
    }
}

static void the_weight_of_data_is_its_snr_within_bounds(void **state)
{
    (void)state;
    NEAR(term_of(OBJECTIVE_X_0, (struct level){.6, .8}, 0).weight, .5);
    NEAR(term_of(OBJECTIVE_X_0, (struct level){.8, .1}, 0).weight, 32.0);
    NEAR(term_of(OBJECTIVE_X_0, (struct level){1.0, 0.0}, 0).weight, 50.0);
}

static void score_matching_has_its_directions_and_the_weight_of_denoising(void **state)
{
    (void)state;
    NEAR(term_of(OBJECTIVE_IMPLICIT, level, 0).weight, .36);
    NEAR(term_of(OBJECTIVE_SLICED, level, 0).weight, .36);
    assert_int_equal(objective_directions(OBJECTIVE_IMPLICIT, 5), 5);
    assert_int_equal(objective_directions(OBJECTIVE_SLICED, 5), 1);
}

/* beta_t^2 / (2 s_t^2 a_t (1 - A_t)), T times. Of the linear table: beta_1 = 1 - A_1 = .0001, so
 * with s^2 = beta the first weight is 1 / (2 * .9999), the last .02 / (2 * .98 (1 - A_T)). */
static void the_bound_weighs_a_level_as_its_variance_says(void **state)
{
    (void)state;
    NEAR(term_of(OBJECTIVE_BOUND, level, 0).weight, 1000.0 / (2.0 * .9999));
    double last = 1000.0 * .02 / (1.96 * (1.0 - 4.035829765e-5));
    assert_true(fabs(term_of(OBJECTIVE_BOUND, level, 999).weight / last - 1.0) < 1e-9);
}

/* With s^2 = betatilde all but L_0 is a distance between means. */
static void the_bound_has_the_variances_share(void **state)
{
    struct process_config config = objective_process(OBJECTIVE_BOUND, 1000);
    struct process process;
    struct error error;
    (void)state;
    config.options.value[OPTION_VARIANCE_TYPE] = (double)VARIANCE_FIXED_SMALL;
    assert_true(process_init(&process, &config, &error));
    double first = log(2.0 * 3.14159265358979323846 * 5.453187661e-5);
    assert_true(fabs(objective_constant(OBJECTIVE_BOUND, &process, 2) / first - 1.0) < 1e-9);
    /* betatilde_2 in the first step: beta^2 / (2 betatilde a (1 - A)). */
    double weight = objective_term(OBJECTIVE_BOUND, &process, level, 0, 2).weight;
    assert_true(fabs(weight * 2.0 * 5.453187661e-5 * .9999 / (1000.0 * 1e-4) - 1.0) < 1e-9);
    process_finish(&process);
}

/* With s^2 = beta, each later step adds (r - 1 - ln r) / 2 a dimension, r = betatilde / beta. */
static void a_larger_variance_costs_nats(void **state)
{
    struct process process = process_for(OBJECTIVE_BOUND);
    double first = 2.0 * log(2.0 * 3.14159265358979323846 * 1e-4),
           ratio = 5.453187661e-5 / .0001199199199;
    (void)state;
    double steps = objective_constant(OBJECTIVE_BOUND, &process, 4) - first;
    double second = 2.0 * (ratio - 1.0 - log(ratio));
    assert_true(steps > second && steps < 3.0 * second);
    process_finish(&process);
}

static void a_process_with_another_head_is_refused(void **state)
{
    struct error error;
    struct process_config config = objective_process(OBJECTIVE_EPSILON, 1000);
    (void)state;
    assert_true(objective_check(OBJECTIVE_EPSILON, &config, &error));
    assert_false(objective_check(OBJECTIVE_V, &config, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    config = objective_process_on(OBJECTIVE_BOUND, PROCESS_VP, 1000);
    assert_false(objective_check(OBJECTIVE_BOUND, &config, &error));
    config = objective_process(OBJECTIVE_BOUND, 1000);
    config.options.value[OPTION_VARIANCE_TYPE] = (double)VARIANCE_LEARNED;
    assert_false(objective_check(OBJECTIVE_BOUND, &config, &error));
    config = objective_process_on(OBJECTIVE_DENOISING, PROCESS_CM, 1000);
    assert_false(objective_check(OBJECTIVE_DENOISING, &config, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_objective_is_found_by_its_name),
        cmocka_unit_test(regressions_aim_at_what_their_head_says),
        cmocka_unit_test(the_weight_of_data_is_its_snr_within_bounds),
        cmocka_unit_test(score_matching_has_its_directions_and_the_weight_of_denoising),
        cmocka_unit_test(the_bound_weighs_a_level_as_its_variance_says),
        cmocka_unit_test(the_bound_has_the_variances_share),
        cmocka_unit_test(a_larger_variance_costs_nats),
        cmocka_unit_test(a_process_with_another_head_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
