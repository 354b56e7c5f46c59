/* The probability flow ODE by every method on every process: whole runs on the mixture, whose
 * network is exact, with end points known from an independent computation in double. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/allocations.h"
#include "tests/support/chain.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

static void open_process(struct process *process, const struct process_config *config)
{
    struct error error;

    if (!process_init(process, config, &error))
        fail_msg("%s", error.text);
    process->network =
        (struct process_network){.is_points = true, .is_exact = true, .is_exact_at_zero = true};
}

static void give(struct option_values *options, enum sampler_option option, double value)
{
    options->given[option] = true;
    options->value[option] = value;
}

static struct option_values by(enum method method)
{
    struct option_values options = {.given = {false}};

    give(&options, OPTION_METHOD, method);
    return options;
}

static struct plan_request request_of(const struct process *process, size_t steps,
                                      const struct option_values *options)
{
    return (struct plan_request){.process = process,
                                 .sampler = "pf_ode",
                                 .steps = steps > 0 ? steps : 50,
                                 .steps_asked = steps > 0,
                                 .options = options,
                                 .dim = 2,
                                 .output_dim = 2};
}

/* steps 0: rk45. */
static struct plan *plan_of(const struct process *process, size_t steps,
                            const struct option_values *options)
{
    const struct plan_request request = request_of(process, steps, options);

    return chain_plan(&request);
}

static void answer(const struct row *row, const struct plan *plan, float *output)
{
    mixture_output(process_head(plan->process), row->level, -1, row->input, output);
}

/* --- end points ------------------------------------------------------------------------------- */

struct known {
    enum process_type type;
    enum method method;
    size_t steps;
    double tolerance;
    double end[4];
};

static const struct known chains[] = {
    {PROCESS_VP, METHOD_HEUN, 20, 1e-4, {2.874886, 1.040461, -1.704229, -2.098657}},
    {PROCESS_VP, METHOD_RK45, 0, 1e-3, {2.913599, 1.079174, -1.721259, -2.115687}},
    {PROCESS_TABLE, METHOD_RK4, 20, 1e-4, {2.909184, 1.074759, -1.722458, -2.116886}},
    {PROCESS_OU, METHOD_RK4, 50, 1e-4, {2.916009, 1.081584, -1.720248, -2.114676}},
};

static void check_chain(const struct known *known, enum head head)
{
    struct process_config config = process_config_default(known->type);
    const struct option_values options = by(known->method);
    struct process process;
    struct plan *plan;

    config.schedule.head = head;
    config.schedule.clip_sample = GIVEN_TRUE; /* it knows nothing of clipping */
    open_process(&process, &config);
    plan = plan_of(&process, known->steps, &options);
    for (size_t seed = 0; seed < 2; seed++) {
        struct chain chain;

        chain_init(&chain, (uint32_t)seed);
        assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_DONE);
        for (size_t i = 0; i < 2; i++)
            if (!(fabs((double)chain.x[i] - known->end[2 * seed + i]) < known->tolerance))
                fail_msg("%s by %d, %s, seed %zu: %.6f instead of %.6f", process.kind->title,
                         (int)known->method, head_name(head), seed, (double)chain.x[i],
                         known->end[2 * seed + i]);
    }
    plan_destroy(plan);
    process_finish(&process);
}

static void chains_end_where_they_must_through_every_head(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        check_chain(&chains[i], HEAD_EPSILON);
        check_chain(&chains[i], HEAD_SAMPLE);
        check_chain(&chains[i], HEAD_SCORE);
        check_chain(&chains[i], HEAD_V);
    }
}

/* --- many samples ----------------------------------------------------------------------------- */

struct many {
    double share, mean_evaluations;
    double centre[2], deviation[2]; /* of x + y above 0, below */
};

static struct many sample_many(const struct plan *plan, uint32_t count)
{
    double number[2] = {0.0, 0.0}, sum[2] = {0.0, 0.0}, square[2] = {0.0, 0.0};
    double evaluations = 0.0;
    struct many many;

    for (uint32_t seed = 0; seed < count; seed++) {
        struct chain chain;
        int side;

        chain_init(&chain, seed);
        assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_DONE);
        side = chain.x[0] + chain.x[1] > 0.0f ? 0 : 1;
        evaluations += (double)chain.row.evaluations;
        for (size_t i = 0; i < 2; i++) {
            number[side] += 1.0;
            sum[side] += (double)chain.x[i];
            square[side] += (double)chain.x[i] * (double)chain.x[i];
        }
    }
    many.share = number[0] / (2.0 * count);
    many.mean_evaluations = evaluations / count;
    for (size_t side = 0; side < 2; side++) {
        many.centre[side] = sum[side] / number[side];
        many.deviation[side] =
            sqrt(square[side] / number[side] - many.centre[side] * many.centre[side]);
    }
    return many;
}

struct expected {
    enum process_type type;
    enum method method;
    size_t steps;
    struct many many; /* mean_evaluations 0: as the plan says */
};

#define SAMPLES 3000

static void check_many(const struct expected *expected)
{
    struct process_config config = process_config_default(expected->type);
    const struct option_values options = by(expected->method);
    const double p = expected->many.share;
    struct process process;
    struct plan *plan;
    struct many many;

    if (expected->type == PROCESS_VE)
        config.schedule.head = HEAD_SCORE;
    open_process(&process, &config);
    plan = plan_of(&process, expected->steps, &options);
    many = sample_many(plan, SAMPLES);
    assert_true(fabs(many.share - p) < 3.0 * sqrt(p * (1.0 - p) / SAMPLES) + .002);
    for (size_t side = 0; side < 2; side++) {
        const double q = side == 0 ? p : 1.0 - p;
        const double wider = 3.0 / sqrt(2.0 * q * SAMPLES);

        assert_true(fabs(many.centre[side] - expected->many.centre[side]) < .01 + wider);
        assert_true(fabs(many.deviation[side] - expected->many.deviation[side]) < .01 + wider);
    }
    if (expected->many.mean_evaluations > 0.0)
        assert_true(fabs(many.mean_evaluations / expected->many.mean_evaluations - 1.0) < .1);
    else
        assert_true(many.mean_evaluations == (double)plan->evaluations);
    plan_destroy(plan);
    process_finish(&process);
}

static void shares_centres_and_widths_are_those_of_the_simulation(void **state)
{
    static const struct expected rows[] = {
        {PROCESS_VP, METHOD_RK45, 0, {.205, 64.0, {3.0, -2.99}, {1.0, 1.0}}},
        {PROCESS_SUB_VP, METHOD_RK45, 0, {.205, 68.0, {3.0, -2.99}, {1.0, 1.0}}},
        {PROCESS_VP, METHOD_RK4, 20, {.205, 0.0, {3.0, -2.99}, {1.0, 1.0}}},
        {PROCESS_VP, METHOD_HEUN, 50, {.205, 0.0, {3.0, -2.99}, {1.0, 1.0}}},
        {PROCESS_VP, METHOD_EULER, 100, {.207, 0.0, {2.96, -2.96}, {1.0, 1.0}}},
        {PROCESS_SUB_VP, METHOD_EULER, 100, {.207, 0.0, {2.96, -2.97}, {1.01, 1.0}}},
        {PROCESS_VE, METHOD_EULER, 100, {.236, 0.0, {3.07, -3.02}, {1.14, 1.13}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_many(&rows[i]);
}

/* --- there and back --------------------------------------------------------------------------- */

static double round_trip(const struct process *process, size_t steps, enum method method,
                         uint32_t seed)
{
    const struct option_values options = by(method);
    struct plan_request request = request_of(process, steps, &options);
    struct plan *down = chain_plan(&request), *up;
    struct chain chain, back;
    float start[2];
    double error = 0.0;

    request.sampler = "pf_ode_inverse";
    up = chain_plan(&request);
    chain_init(&chain, seed);
    assert_int_equal(chain_run(&chain, down, answer), ADVANCE_DONE);
    chain_init(&back, 99);
    back.row.given = chain.x;
    assert_int_equal(chain_run(&back, up, answer), ADVANCE_DONE);
    chain_init(&chain, seed);
    rng_randn(&chain.row.rng, start, 2);
    for (size_t i = 0; i < 2; i++)
        error += ((double)back.x[i] - (double)start[i]) * ((double)back.x[i] - (double)start[i]);
    plan_destroy(down);
    plan_destroy(up);
    return error / 2.0;
}

static void a_sample_leads_back_to_its_noise(void **state)
{
    static const enum process_type types[] = {PROCESS_VP, PROCESS_SUB_VP, PROCESS_TABLE};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const struct process_config config = process_config_default(types[i]);
        struct process process;
        double by_rk4 = 0.0, by_rk45 = 0.0;

        open_process(&process, &config);
        for (uint32_t seed = 0; seed < 50; seed++) {
            by_rk4 += round_trip(&process, 50, METHOD_RK4, seed) / 50.0;
            by_rk45 += round_trip(&process, 0, METHOD_RK45, seed) / 50.0;
        }
        assert_true(by_rk4 < 1e-6);
        assert_true(by_rk45 < 1e-6);
        process_finish(&process);
    }
}

/* --- plans ------------------------------------------------------------------------------------ */

static void evaluations_are_counted_by_method(void **state)
{
    static const struct {
        enum method method;
        size_t each;
    } rows[] = {{METHOD_EULER, 1}, {METHOD_HEUN, 2}, {METHOD_RK4, 4}};
    const struct process_config config = process_config_default(PROCESS_VP);
    struct process process;

    (void)state;
    open_process(&process, &config);
    for (size_t i = 0; i < 3; i++) {
        const struct option_values options = by(rows[i].method);
        struct plan *plan = plan_of(&process, 12, &options);

        assert_int_equal(plan->evaluations, 12 * rows[i].each);
        assert_int_equal(plan->evaluations_due, plan->evaluations);
        assert_false(plan->is_adaptive);
        assert_false(plan->options.given[OPTION_RTOL]);
        assert_true(plan->options.given[OPTION_SAMPLING_EPS]);
        plan_destroy(plan);
    }
    process_finish(&process);
}

static void rk45_counts_no_steps_and_says_its_limit(void **state)
{
    const struct process_config config = process_config_default(PROCESS_VP);
    struct option_values options = by(METHOD_RK45);
    struct process process;
    struct plan *plan;

    (void)state;
    give(&options, OPTION_MAX_NFE, 500.0);
    open_process(&process, &config);
    plan = plan_of(&process, 0, &options);
    assert_int_equal(plan->steps, 0);
    assert_int_equal(plan->evaluations, 500);
    assert_true(plan->is_adaptive);
    assert_true(plan->options.value[OPTION_ATOL] == 1e-5);
    plan_destroy(plan);
    process_finish(&process);
}

/* By the larger tolerance, between a least number and the limit. */
static void rk45_expects_more_of_finer_tolerances_and_never_more_than_its_limit(void **state)
{
    static const struct {
        double rtol, atol, max_nfe;
        size_t expected;
    } rows[] = {{1e-5, 1e-5, 1e4, 400},     {1e-12, 1e-5, 1e4, 400}, {1e-8, 1e-8, 1e4, 4000},
                {1e-12, 1e-12, 1e4, 10000}, {1e-5, 1e-5, 50, 50},    {.1, .1, 1e4, 100}};
    const struct process_config config = process_config_default(PROCESS_VP);
    struct process process;

    (void)state;
    open_process(&process, &config);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct option_values options = by(METHOD_RK45);
        struct plan *plan;

        give(&options, OPTION_RTOL, rows[i].rtol);
        give(&options, OPTION_ATOL, rows[i].atol);
        give(&options, OPTION_MAX_NFE, rows[i].max_nfe);
        plan = plan_of(&process, 0, &options);
        assert_in_range(plan->evaluations_due, rows[i].expected - 1, rows[i].expected);
        assert_int_equal(plan->evaluations, rows[i].max_nfe);
        plan_destroy(plan);
    }
    process_finish(&process);
}

/* Where a step asks: at the end of the one before, at its own middle and end. */
static void stages_are_asked_at_their_own_times(void **state)
{
    static const double times[] = {1.0, .75, .75, .5, .5, .25, .25, 0.0};
    struct process_config config = process_config_default(PROCESS_FLOW);
    const struct option_values options = by(METHOD_RK4);
    struct process process;
    struct plan *plan;

    (void)state;
    config.time_scale = 10.0;
    open_process(&process, &config);
    plan = plan_of(&process, 2, &options);
    for (size_t i = 0; i < 8; i++) {
        assert_true(plan->step[i].from.sigma == times[i]);
        assert_true(plan->step[i].model_time == 10.0 * times[i]);
        assert_int_equal(plan->step[i].is_inner, i % 4 < 3);
    }
    plan_destroy(plan);
    process_finish(&process);
}

static void a_limit_that_is_too_low_is_a_failure_that_knows_what_was_used(void **state)
{
    const struct process_config config = process_config_default(PROCESS_VP);
    struct option_values options = by(METHOD_RK45);
    struct process process;
    struct plan *plan;
    struct chain chain;

    (void)state;
    give(&options, OPTION_MAX_NFE, 30.0);
    open_process(&process, &config);
    plan = plan_of(&process, 0, &options);
    chain_init(&chain, 0);
    assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_NOT_CONVERGED);
    assert_int_equal(chain.row.evaluations, 26);
    plan_destroy(plan);
    process_finish(&process);
}

static void rows_allocate_nothing(void **state)
{
    const struct process_config config = process_config_default(PROCESS_VP);
    struct process process;

    (void)state;
    open_process(&process, &config);
    for (int method = METHOD_EULER; method <= METHOD_RK45; method++) {
        const struct option_values options = by((enum method)method);
        struct plan *plan = plan_of(&process, method == METHOD_RK45 ? 0 : 5, &options);
        const size_t before = allocations_count();
        struct chain chain;

        chain_init(&chain, 0);
        assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_DONE);
        assert_int_equal(allocations_count(), before);
        plan_destroy(plan);
    }
    process_finish(&process);
}

/* A row knows nothing of the step that another had before in its place. */
static void what_is_left_in_a_row_is_not_felt(void **state)
{
    const struct process_config config = process_config_default(PROCESS_VP);
    const struct option_values options = by(METHOD_RK45);
    struct process process;
    struct plan *plan;
    struct chain fresh, used;

    (void)state;
    open_process(&process, &config);
    plan = plan_of(&process, 0, &options);
    chain_init(&fresh, 4);
    chain_init(&used, 4);
    memset(used.state, 0x55, sizeof(used.state));
    (void)chain_run(&fresh, plan, answer);
    (void)chain_run(&used, plan, answer);
    assert_memory_equal(fresh.x, used.x, 2 * sizeof(float));
    assert_int_equal(fresh.row.evaluations, used.row.evaluations);
    plan_destroy(plan);
    process_finish(&process);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void refused(const struct process *process, size_t steps,
                    const struct option_values *options, const char *sentence)
{
    const struct plan_request request = request_of(process, steps, options);
    struct error error;
    struct plan *plan = plan_create(&request, &error);

    assert_null(plan);
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, sentence);
}

static void options_that_say_nothing_are_refused(void **state)
{
    const struct process_config config = process_config_default(PROCESS_VP);
    struct option_values steps = by(METHOD_RK45), rtol = by(METHOD_HEUN), eps = by(METHOD_HEUN);
    struct process process;

    (void)state;
    give(&rtol, OPTION_RTOL, 1e-4);
    open_process(&process, &config);
    refused(&process, 20, &steps, "method rk45 chooses its steps itself");
    refused(&process, 20, &rtol, "rtol is of method rk45");
    give(&eps, OPTION_SAMPLING_EPS, .5);
    refused(&process, 20, &eps, "sampling_eps must be above 0 and below 0.5, got 0.5");
    give(&eps, OPTION_SAMPLING_EPS, 0.0);
    refused(&process, 20, &eps, "sampling_eps must be above 0 and below 0.5, got 0");
    process_finish(&process);
}

static void tables_begin_at_their_first_entry(void **state)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct option_values eps = by(METHOD_HEUN);
    struct process process;

    (void)state;
    give(&eps, OPTION_SAMPLING_EPS, .0009);
    open_process(&process, &config);
    refused(&process, 20, &eps, "sampling_eps must be at least 0.001 and below 0.5, got 0.0009");
    give(&eps, OPTION_SAMPLING_EPS, .001);
    plan_destroy(plan_of(&process, 20, &eps));
    process_finish(&process);
    config.schedule.rescale_betas_zero_snr = true;
    config.schedule.head = HEAD_V;
    open_process(&process, &config);
    refused(&process, 20, &eps,
            "pf_ode needs a process in continuous time; this model's process is a beta table whose "
            "alpha_bar ends at 0");
    process_finish(&process);
}

static void a_model_that_cannot_say_where_to_go_is_refused(void **state)
{
    struct process_config config = process_config_default(PROCESS_OU_FINITE);
    const struct option_values heun = by(METHOD_HEUN), euler = by(METHOD_EULER);
    struct process process;

    (void)state;
    open_process(&process, &config);
    refused(&process, 20, &heun,
            "pf_ode would ask the model at alpha 0, sigma 1, where its output, epsilon, does not "
            "say how x moves");
    process_finish(&process);
    config.schedule.head = HEAD_V;
    open_process(&process, &config);
    plan_destroy(plan_of(&process, 20, &heun));
    process_finish(&process);
    config = process_config_default(PROCESS_FLOW);
    config.schedule.head = HEAD_SAMPLE;
    open_process(&process, &config);
    refused(&process, 20, &heun,
            "pf_ode would ask the model at alpha 1, sigma 0, where its output, sample, does not "
            "say how x moves");
    plan_destroy(plan_of(&process, 20, &euler));
    process_finish(&process);
    config.schedule.head = HEAD_VELOCITY;
    open_process(&process, &config);
    process.network.is_exact_at_zero = false;
    refused(&process, 20, &heun,
            "pf_ode would ask the model at sigma 0, where data with single points have no density");
    process_finish(&process);
    config = process_config_default(PROCESS_VE);
    open_process(&process, &config);
    refused(&process, 1, &euler, "method euler needs at least 2 steps on process ve");
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_end_where_they_must_through_every_head),
        cmocka_unit_test(shares_centres_and_widths_are_those_of_the_simulation),
        cmocka_unit_test(a_sample_leads_back_to_its_noise),
        cmocka_unit_test(evaluations_are_counted_by_method),
        cmocka_unit_test(rk45_counts_no_steps_and_says_its_limit),
        cmocka_unit_test(rk45_expects_more_of_finer_tolerances_and_never_more_than_its_limit),
        cmocka_unit_test(stages_are_asked_at_their_own_times),
        cmocka_unit_test(a_limit_that_is_too_low_is_a_failure_that_knows_what_was_used),
        cmocka_unit_test(rows_allocate_nothing),
        cmocka_unit_test(what_is_left_in_a_row_is_not_felt),
        cmocka_unit_test(options_that_say_nothing_are_refused),
        cmocka_unit_test(tables_begin_at_their_first_entry),
        cmocka_unit_test(a_model_that_cannot_say_where_to_go_is_refused),
    };
    return cmocka_run_group_tests_name("sampler_pf_ode", tests, NULL, NULL);
}
