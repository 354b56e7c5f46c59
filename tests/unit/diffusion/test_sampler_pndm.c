/* PNDM: end points, its order of evaluations, its refusals. */
#include "tests/support/test.h"

#include "tests/support/chain.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"

#include <math.h>

static const struct known_run prk = {.sampler = "pndm", .steps = 10};
static const struct known_run plms = {
    .sampler = "pndm", .steps = 10, .options = {{OPTION_SKIP_PRK_STEPS, 1.0}}, .option_count = 1};

static void chains_end_where_they_must_by_every_head(void **state)
{
    static const double by_prk[] = {3.086122, 1.231169, -1.610454, -2.009295};
    static const double by_plms[] = {3.038147, 1.186411, -1.623260, -2.021410};
    static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_SCORE};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        const struct process_config config = known_config(heads[i]);

        known_ends(&prk, &config, by_prk, 1e-4);
        known_ends(&plms, &config, by_plms, 1e-4);
    }
}

/* The outputs of a v head are summed as they come, as diffusers has it, and that is not a sum of
 * noises: another chain. */
static void chains_of_a_v_head_end_elsewhere(void **state)
{
    static const double by_prk[] = {2.534857, 1.009097, -1.494915, -1.822976};
    static const double by_plms[] = {2.515382, .989621, -1.492848, -1.820909};
    const struct process_config config = known_config(HEAD_V);

    (void)state;
    known_ends(&prk, &config, by_prk, 1e-4);
    known_ends(&plms, &config, by_plms, 1e-4);
}

static void it_samples_the_mixture(void **state)
{
    static const struct known_shares shares = {.run = {.sampler = "pndm", .steps = 10},
                                               .samples = 20000,
                                               .share = .216,
                                               .centre = {3.03, -2.99},
                                               .deviation = {1.05, 1.01}};

    (void)state;
    known_shares(&shares);
}

static void assert_asked(const struct known_run *run, const long *times, size_t count,
                         const char *inner)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(run, &config, &process);

    assert_int_equal(plan->evaluations, count);
    assert_int_equal(plan->step_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(plan->step[i].model_time == (double)times[i]);
        assert_int_equal(plan->step[i].is_inner, inner[i] == 'i');
        assert_false(plan->step[i].draws);
    }
    plan_destroy(plan);
    process_finish(&process);
}

/* T / n = 166: the middle of a step is 83 above its end. */
static void steps_by_runge_kutta_ask_four_times_others_once(void **state)
{
    static const long times[] = {830, 747, 747, 664, 664, 581, 581, 498,
                                 498, 415, 415, 332, 332, 166, 0};
    static const long without[] = {830, 664, 664, 498, 332, 166, 0};
    const struct known_run short_prk = {.sampler = "pndm", .steps = 6};
    const struct known_run short_plms = {.sampler = "pndm",
                                         .steps = 6,
                                         .options = {{OPTION_SKIP_PRK_STEPS, 1.0}},
                                         .option_count = 1};

    (void)state;
    assert_asked(&short_prk, times, 15, "iii.iii.iii....");
    assert_asked(&short_plms, without, 7, "i......");
}

/* Of ten timesteps the last six are a list of their own; the stride stays that of ten. */
static void from_a_picture_the_kept_timesteps_are_the_list(void **state)
{
    static const long times[] = {500, 450, 450, 400, 400, 350, 350, 300,
                                 300, 250, 250, 200, 200, 100, 0};
    static const long without[] = {500, 400, 400, 300, 200, 100, 0};
    const struct known_run begun_prk = {.sampler = "pndm", .steps = 10, .strength = .6};
    const struct known_run begun_plms = {.sampler = "pndm",
                                         .steps = 10,
                                         .options = {{OPTION_SKIP_PRK_STEPS, 1.0}},
                                         .option_count = 1,
                                         .strength = .6};
    const struct known_run too_few = {.sampler = "pndm", .steps = 10, .strength = .3};
    const struct known_run none = {.sampler = "pndm", .steps = 10, .strength = .05};
    const struct process_config config = known_config(HEAD_EPSILON);

    (void)state;
    assert_asked(&begun_prk, times, 15, "iii.iii.iii....");
    assert_asked(&begun_plms, without, 7, "i......");
    known_refusal(&too_few, &config, "pndm needs at least 4 steps, or skip_prk_steps true; got 3");
    known_refusal(&none, &config, "strength 0.05 of 10 steps is not one whole step");
}

static void a_picture_is_begun_with_at_the_level_of_the_first_kept_timestep(void **state)
{
    const struct known_run run = {.sampler = "pndm", .steps = 10, .strength = .6};
    const struct process_config config = known_config(HEAD_EPSILON);
    const float picture[] = {.5f, -2.0f};
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    const double alpha_bar = process.schedule.alpha_bar_parity[500];
    struct chain chain;
    float draw[2];
    struct rng rng;

    (void)state;
    chain_init(&chain, 3);
    chain.row.given = picture;
    plan->sampler->begin(&chain.row, plan);
    rng_seed(&rng, 3);
    rng_randn(&rng, draw, 2);
    assert_true(chain.row.time == 500.0);
    for (size_t i = 0; i < 2; i++)
        assert_true(fabs(sqrt(alpha_bar) * (double)picture[i] +
                         sqrt(1.0 - alpha_bar) * (double)draw[i] - (double)chain.x[i]) < 1e-6);
    plan_destroy(plan);
    process_finish(&process);
}

static void the_discrete_form_of_vp_is_such_a_table(void **state)
{
    static const double by_prk[] = {3.086122, 1.231169, -1.610454, -2.009295};
    const struct process_config config = known_config_vp();

    (void)state;
    known_ends(&prk, &config, by_prk, 2e-4);
}

/* Where entries are not T / n apart, diffusers moves x between other levels than those that the
 * model hears of. */
static void x_moves_by_the_stride_whatever_the_spacing(void **state)
{
    const struct known_run linspace = {.sampler = "pndm",
                                       .steps = 5,
                                       .options = {{OPTION_SPACING, SPACING_LINSPACE}},
                                       .option_count = 1};
    const struct known_run trailing = {
        .sampler = "pndm",
        .steps = 7,
        .options = {{OPTION_SPACING, SPACING_TRAILING}, {OPTION_SKIP_PRK_STEPS, 1.0}},
        .option_count = 2};
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&linspace, &config, &process);
    const double *alpha_bar = process.schedule.alpha_bar_parity;
    struct chain chain;
    double x;

    (void)state;
    assert_true(plan->step[0].to.alpha == sqrt(alpha_bar[899]));
    assert_true(plan->step[1].model_time == 849.0 &&
                plan->step[1].to.alpha == sqrt(alpha_bar[849]));
    assert_true(plan->step[3].model_time == 749.0 &&
                plan->step[3].to.alpha == sqrt(alpha_bar[749]));
    plan_destroy(plan);
    process_finish(&process);
    plan = known_plan(&trailing, &config, &process);
    alpha_bar = process.schedule.alpha_bar_parity;
    chain_init(&chain, 7);
    plan->sampler->begin(&chain.row, plan);
    x = (double)chain.x[0];
    for (size_t i = 0; i < 2; i++) /* no noise: x grows as alpha does */
        (void)plan->sampler->advance(&chain.row, plan, (const float[]){0.0f, 0.0f});
    x *= sqrt(alpha_bar[856] / alpha_bar[998]);
    assert_true(fabs((double)chain.x[0] - x) < 1e-6 * fabs(x));
    plan_destroy(plan);
    process_finish(&process);
}

static void one_step_asks_once(void **state)
{
    static const long times[] = {999};
    const struct known_run one = {
        .sampler = "pndm",
        .steps = 1,
        .options = {{OPTION_SKIP_PRK_STEPS, 1.0}, {OPTION_SPACING, SPACING_TRAILING}},
        .option_count = 2};

    (void)state;
    assert_asked(&one, times, 1, ".");
}

static void nothing_but_x_T_is_drawn(void **state)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&prk, &config, &process);
    struct chain chain;
    struct rng rng;
    float draw[2];

    (void)state;
    chain_init(&chain, 7);
    plan->sampler->begin(&chain.row, plan);
    for (size_t i = 0; i < plan->evaluations; i++) {
        mixture_output(HEAD_EPSILON, chain.row.level, -1, chain.input, chain.output);
        (void)plan->sampler->advance(&chain.row, plan, chain.output);
    }
    rng_seed(&rng, 7);
    rng_randn(&rng, draw, 2);
    assert_int_equal(rng_word(&chain.row.rng), rng_word(&rng));
    plan_destroy(plan);
    process_finish(&process);
}

/* The model says 0 noise for ever: x grows as alpha does, down to timestep 0 or to 1. */
static double end_of(enum config_flag set_alpha_to_one)
{
    struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan;
    struct chain chain;
    enum advance advance = ADVANCE_EVALUATE;
    double growth;

    config.schedule.set_alpha_to_one = set_alpha_to_one;
    plan = known_plan(&prk, &config, &process);
    chain_init(&chain, 7);
    plan->sampler->begin(&chain.row, plan);
    growth = 1.0 / (double)chain.x[0];
    while (advance == ADVANCE_EVALUATE)
        advance = plan->sampler->advance(&chain.row, plan, (const float[]){0.0f, 0.0f});
    growth *= (double)chain.x[0] * sqrt(process.schedule.alpha_bar_parity[900]);
    plan_destroy(plan);
    process_finish(&process);
    return growth * growth;
}

static void it_ends_at_the_first_timestep_unless_the_config_says_at_one(void **state)
{
    (void)state;
    assert_true(fabs(end_of(NOT_GIVEN) - .9999) < 2e-6);
    assert_true(fabs(end_of(GIVEN_FALSE) - .9999) < 2e-6);
    assert_true(fabs(end_of(GIVEN_TRUE) - 1.0) < 2e-6);
}

static void too_few_steps_and_a_start_without_signal_are_refused(void **state)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process_config no_signal = known_config(HEAD_V);
    const struct known_run three = {.sampler = "pndm", .steps = 3};
    const struct known_run trailing = {.sampler = "pndm",
                                       .steps = 10,
                                       .options = {{OPTION_SPACING, SPACING_TRAILING}},
                                       .option_count = 1};

    (void)state;
    no_signal.schedule.rescale_betas_zero_snr = true;
    known_refusal(&three, &config, "pndm needs at least 4 steps, or skip_prk_steps true; got 3");
    known_refusal(&trailing, &no_signal,
                  "pndm cannot leave timestep 999, where alpha_bar is 0: take a spacing that does "
                  "not start there");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_end_where_they_must_by_every_head),
        cmocka_unit_test(chains_of_a_v_head_end_elsewhere),
        cmocka_unit_test(it_samples_the_mixture),
        cmocka_unit_test(steps_by_runge_kutta_ask_four_times_others_once),
        cmocka_unit_test(from_a_picture_the_kept_timesteps_are_the_list),
        cmocka_unit_test(a_picture_is_begun_with_at_the_level_of_the_first_kept_timestep),
        cmocka_unit_test(the_discrete_form_of_vp_is_such_a_table),
        cmocka_unit_test(x_moves_by_the_stride_whatever_the_spacing),
        cmocka_unit_test(one_step_asks_once),
        cmocka_unit_test(nothing_but_x_T_is_drawn),
        cmocka_unit_test(it_ends_at_the_first_timestep_unless_the_config_says_at_one),
        cmocka_unit_test(too_few_steps_and_a_start_without_signal_are_refused),
    };
    return cmocka_run_group_tests_name("pndm", tests, NULL, NULL);
}
