/* The forward process, in one shot and step by step. */
#include "tests/support/test.h"

#include "core/diffusion/moment.h"
#include "core/diffusion/probe_noise.h"
#include "tests/support/known.h"
#include "tests/support/probe_row.h"

#include <math.h>
#include <string.h>

#define DIM 64

/* Where each process is looked at: early, late, at its end. */
static const struct {
    enum process_type type;
    double t[3];
} places[] = {
    {PROCESS_TABLE, {0.0, 250.0, 999.0}}, {PROCESS_VP, {.01, .4, 1.0}},
    {PROCESS_SUB_VP, {.01, .4, 1.0}},     {PROCESS_VE, {.01, .4, 1.0}},
    {PROCESS_VE_LINEAR, {.01, .4, 1.0}},  {PROCESS_OU, {.01, .7, 5.0}},
    {PROCESS_OU_FINITE, {.01, .5, 1.0}},  {PROCESS_FLOW, {.01, .5, 1.0}},
    {PROCESS_CM, {.002, 1.0, 80.0}},
};

static void open_process(struct process *process, const struct process_config *config)
{
    struct error error;

    if (!process_init(process, config, &error))
        fail_msg("%s", error.text);
}

static void open_type(struct process *process, enum process_type type)
{
    const struct process_config config = process_config_default(type);

    open_process(process, &config);
}

static struct plan *ask(const struct process *process, double t, bool is_chain)
{
    struct error error = {.code = ERROR_NONE};
    struct plan *plan = noise_plan(
        &(struct noise_question){
            .process = process, .dim = DIM, .output_dim = DIM, .t = t, .is_chain = is_chain},
        &error);

    if (plan == NULL)
        fail_msg("%s", error.text);
    return plan;
}

static void fill_data(float x[DIM], double scale)
{
    for (size_t i = 0; i < DIM; i++)
        x[i] = (float)(scale * ((double)i / (double)(DIM - 1) - .5));
}

static double distance_from_identity(const struct probe_row *row, struct level level)
{
    double worst = 0.0;

    for (size_t i = 0; i < DIM; i++) {
        const double x = level.alpha * (double)row->given[i] + level.sigma * row->figures[i];

        worst = fmax(worst, fabs((double)row->chain.x[i] - x) / fmax(1.0, fabs(x)));
    }
    return worst;
}

static void for_all_places(void (*check)(const struct process *process, double t, bool is_chain))
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct process process;

        open_type(&process, places[i].type);
        for (size_t j = 0; j < 3; j++) {
            check(&process, places[i].t[j], false);
            check(&process, places[i].t[j], true);
        }
        process_finish(&process);
    }
}

/* --- what x_t is made of */

static void check_identity(const struct process *process, double t, bool is_chain)
{
    struct plan *plan = ask(process, t, is_chain);
    struct probe_row row = {.noise = NULL};
    struct moment moment;
    struct error error;
    float data[DIM];

    fill_data(data, 6.0);
    row.given = data;
    assert_int_equal(plan->evaluations, 0);
    assert_int_equal(plan->figure_count, DIM);
    assert_true(moment_at(&moment, process, t, "t", &error));
    assert_true(moment.level.alpha == noise_level(plan).alpha);
    assert_true(moment.level.sigma == noise_level(plan).sigma);
    assert_int_equal(probe_row_run(&row, plan, 7, NULL), ADVANCE_DONE);
    assert_true(distance_from_identity(&row, noise_level(plan)) < 1e-6);
    plan_destroy(plan);
}

static void x_t_is_alpha_x_0_and_sigma_eps_for_every_process(void **state)
{
    (void)state;
    for_all_places(check_identity);
}

static void check_given(const struct process *process, double t, bool is_chain)
{
    struct plan *plan;
    struct probe_row drawn = {.noise = NULL}, given = {.noise = NULL};
    float data[DIM], eps[DIM];

    if (is_chain)
        return;
    plan = ask(process, t, false);
    fill_data(data, 2.0);
    drawn.given = given.given = data;
    probe_row_run(&drawn, plan, 3, NULL);
    for (size_t i = 0; i < DIM; i++)
        eps[i] = (float)drawn.figures[i];
    given.noise = eps;
    probe_row_run(&given, plan, 4, NULL);
    assert_memory_equal(given.chain.x, drawn.chain.x, sizeof eps);
    assert_memory_equal(given.figures, drawn.figures, DIM * sizeof *given.figures);
    plan_destroy(plan);
}

static void the_same_eps_gives_the_same_bits(void **state)
{
    (void)state;
    for_all_places(check_given);
}

static void eps_of_a_seed_is_its_first_draw(void **state)
{
    struct probe_row row = {.noise = NULL};
    float data[DIM], eps[DIM];
    struct process process;
    struct plan *plan;
    struct rng rng;

    (void)state;
    open_type(&process, PROCESS_TABLE);
    plan = ask(&process, 500.0, false);
    fill_data(data, 1.0);
    row.given = data;
    probe_row_run(&row, plan, 42, NULL);
    rng_seed(&rng, 42);
    rng_randn(&rng, eps, DIM);
    for (size_t i = 0; i < DIM; i++)
        assert_true((float)row.figures[i] == eps[i]);
    plan_destroy(plan);
    process_finish(&process);
}

/* x_1 of a flow is drawn as the flow begins. */
static void eps_of_a_flow_from_an_interval_is_in_it(void **state)
{
    struct process_config config = process_config_default(PROCESS_FLOW);
    struct probe_row row = {.noise = NULL};
    double least = (double)INFINITY, most = -(double)INFINITY;
    struct process process;
    struct plan *plan;
    float data[DIM];

    (void)state;
    config.base = FLOW_BASE_UNIFORM;
    config.base_low = 2.0;
    config.base_high = 3.0;
    open_process(&process, &config);
    plan = ask(&process, .5, false);
    fill_data(data, 1.0);
    row.given = data;
    probe_row_run(&row, plan, 1, NULL);
    for (size_t i = 0; i < DIM; i++) {
        least = fmin(least, row.figures[i]);
        most = fmax(most, row.figures[i]);
    }
    assert_true(least >= 2.0 && least < 2.2 && most > 2.8 && most <= 3.0);
    assert_true(distance_from_identity(&row, noise_level(plan)) < 1e-6);
    plan_destroy(plan);
    process_finish(&process);
}

static void levels_are_those_of_diffusers_add_noise(void **state)
{
    struct process process;
    struct plan *plan;
    struct level level;

    (void)state;
    open_type(&process, PROCESS_TABLE);
    plan = ask(&process, 999.0, false);
    level = noise_level(plan);
    assert_true(level.alpha == sqrt(process.schedule.alpha_bar_parity[999]));
    assert_true(fabs(level.alpha * level.alpha - 4.03583e-5) < 1e-9);
    plan_destroy(plan);
    process_finish(&process);
}

/* --- many rows */

struct moments {
    double count, sum, square;
};

/* eps that the x_t of many seeds say: N(0, 1), whichever way x went. */
static struct moments measure(const struct plan *plan, size_t rows)
{
    const struct level level = noise_level(plan);
    struct moments moments = {0.0, 0.0, 0.0};
    struct probe_row row = {.noise = NULL};
    float data[DIM];

    fill_data(data, 6.0);
    row.given = data;
    for (size_t seed = 0; seed < rows; seed++) {
        probe_row_run(&row, plan, (uint32_t)seed, NULL);
        for (size_t i = 0; i < DIM; i++) {
            const double eps =
                ((double)row.chain.x[i] - level.alpha * (double)data[i]) / level.sigma;

            moments.count += 1.0;
            moments.sum += eps;
            moments.square += eps * eps;
        }
    }
    return moments;
}

static void check_moments(const struct process *process, double t, bool is_chain)
{
    struct plan *plan = ask(process, t, is_chain);
    const struct moments moments = measure(plan, is_chain ? 16 : 1600);
    const double mean = moments.sum / moments.count;
    const double variance = moments.square / moments.count - mean * mean;

    if (!(fabs(mean) < 3.0 / sqrt(moments.count)) ||
        !(fabs(variance - 1.0) < 3.0 * sqrt(2.0 / moments.count)))
        fail_msg("%s at %g, %s: mean %.4f, variance %.4f", process->kind->name, t,
                 is_chain ? "a chain" : "one shot", mean, variance);
    plan_destroy(plan);
}

static void mean_and_variance_are_those_of_the_process(void **state)
{
    (void)state;
    for_all_places(check_moments);
}

static void half_way_the_finite_process_has_mean_half_and_variance_three_quarters(void **state)
{
    struct process process;
    struct plan *shot, *chain;

    (void)state;
    open_type(&process, PROCESS_OU_FINITE);
    shot = ask(&process, .5, false);
    chain = ask(&process, .5, true);
    assert_true(fabs(noise_level(shot).alpha - .5) < 1e-15);
    assert_true(fabs(noise_level(shot).sigma * noise_level(shot).sigma - .75) < 1e-15);
    assert_memory_equal(&chain->step[chain->step_count - 1].to, &shot->step[0].to,
                        sizeof shot->step[0].to);
    plan_destroy(shot);
    plan_destroy(chain);
    process_finish(&process);
}

/* --- chains */

static void a_chain_of_a_table_draws_once_for_each_timestep(void **state)
{
    struct probe_row row = {.noise = NULL};
    float data[DIM], noise[DIM];
    struct process process;
    struct plan *plan;
    struct rng rng;

    (void)state;
    open_type(&process, PROCESS_TABLE);
    plan = ask(&process, 9.0, true);
    fill_data(data, 1.0);
    row.given = data;
    probe_row_run(&row, plan, 5, NULL);
    rng_seed(&rng, 5);
    for (size_t i = 0; i < 10; i++)
        rng_randn(&rng, noise, DIM);
    assert_memory_equal(row.chain.row.noise, noise, sizeof noise);
    rng_randn(&rng, noise, DIM);
    rng_randn(&row.chain.row.rng, data, DIM);
    assert_memory_equal(data, noise, sizeof noise);
    plan_destroy(plan);
    process_finish(&process);
}

static void a_chain_to_the_first_timestep_is_one_shot(void **state)
{
    struct probe_row one = {.noise = NULL}, other = {.noise = NULL};
    struct process process;
    struct plan *shot, *chain;
    float data[DIM];

    (void)state;
    open_type(&process, PROCESS_TABLE);
    shot = ask(&process, 0.0, false);
    chain = ask(&process, 0.0, true);
    fill_data(data, 2.0);
    one.given = other.given = data;
    probe_row_run(&one, shot, 11, NULL);
    probe_row_run(&other, chain, 11, NULL);
    assert_memory_equal(one.chain.x, other.chain.x, sizeof data);
    plan_destroy(shot);
    plan_destroy(chain);
    process_finish(&process);
}

/* One of its steps is less than a float of 1e5 can tell, the whole way is not. */
static void a_chain_does_not_lose_its_steps_beside_large_data(void **state)
{
    struct probe_row row = {.noise = NULL};
    struct process process;
    struct plan *plan;
    float data[DIM];
    double square = 0.0;

    (void)state;
    open_type(&process, PROCESS_VE_LINEAR);
    plan = ask(&process, 1e-4, true);
    for (size_t i = 0; i < DIM; i++)
        data[i] = 1e5f;
    row.given = data;
    probe_row_run(&row, plan, 5, NULL);
    for (size_t i = 0; i < DIM; i++)
        square += row.figures[i] * row.figures[i] / DIM;
    assert_true(square > .5 && square < 2.0);
    plan_destroy(plan);
    process_finish(&process);
}

/* With alpha_bar 0 nothing is left of x_0. */
static void a_chain_ends_where_the_table_does(void **state)
{
    struct process_config config = known_config(HEAD_V);
    struct process process;
    struct plan *plan;

    (void)state;
    config.schedule.rescale_betas_zero_snr = true;
    open_process(&process, &config);
    plan = ask(&process, 999.0, true);
    assert_true(noise_level(plan).alpha == 0.0);
    assert_true(noise_level(plan).sigma == 1.0);
    check_identity(&process, 999.0, true);
    plan_destroy(plan);
    process_finish(&process);
}

/* --- refusals */

static void refuse(const struct process *process, const struct noise_question *question,
                   const char *text)
{
    struct noise_question whole = *question;
    struct error error = {.code = ERROR_NONE};

    whole.process = process;
    whole.dim = whole.output_dim = 2;
    assert_null(noise_plan(&whole, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, text);
}

static void what_cannot_be_noised_is_refused(void **state)
{
    struct process_config config = process_config_default(PROCESS_FLOW);
    struct process table, flow;

    (void)state;
    config.base = FLOW_BASE_ANNULUS;
    config.base_low = 1.0;
    config.base_high = 2.0;
    open_process(&flow, &config);
    open_type(&table, PROCESS_TABLE);
    refuse(&table, &(struct noise_question){.t = 1000.0},
           "t must be 0..999, a timestep of this model, got 1000");
    refuse(&table, &(struct noise_question){.t = (double)NAN},
           "t must be 0..999, a timestep of this model, got nan");
    refuse(&table, &(struct noise_question){.t = 1.5, .is_chain = true},
           "t must be a whole timestep: a chain walks by those of the table, got 1.5");
    refuse(&table, &(struct noise_question){.t = 1.0, .is_chain = true, .has_noise = true},
           "eps cannot be given beside chain: each of its steps draws its own");
    refuse(&flow, &(struct noise_question){.t = 0.0},
           "t must be above 0 and at most 1, the time of this model's process, got 0");
    refuse(&flow, &(struct noise_question){.t = .5, .is_chain = true},
           "chain must be false: a flow from another base than N(0, I) is a straight line, not a "
           "chain");
    process_finish(&table);
    process_finish(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x_t_is_alpha_x_0_and_sigma_eps_for_every_process),
        cmocka_unit_test(the_same_eps_gives_the_same_bits),
        cmocka_unit_test(eps_of_a_seed_is_its_first_draw),
        cmocka_unit_test(eps_of_a_flow_from_an_interval_is_in_it),
        cmocka_unit_test(levels_are_those_of_diffusers_add_noise),
        cmocka_unit_test(mean_and_variance_are_those_of_the_process),
        cmocka_unit_test(half_way_the_finite_process_has_mean_half_and_variance_three_quarters),
        cmocka_unit_test(a_chain_of_a_table_draws_once_for_each_timestep),
        cmocka_unit_test(a_chain_to_the_first_timestep_is_one_shot),
        cmocka_unit_test(a_chain_does_not_lose_its_steps_beside_large_data),
        cmocka_unit_test(a_chain_ends_where_the_table_does),
        cmocka_unit_test(what_cannot_be_noised_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
