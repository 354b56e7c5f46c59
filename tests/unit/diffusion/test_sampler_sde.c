/* Reverse SDEs, predictor-corrector and the corrector alone, on every process that they know. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/chain.h"
#include "tests/support/known.h"

#include <math.h>
#include <string.h>

#define ALD                                                                                        \
    {                                                                                              \
        OPTION_CORRECTOR, CORRECTOR_ALD                                                            \
    }
#define LANGEVIN                                                                                   \
    {                                                                                              \
        OPTION_CORRECTOR, CORRECTOR_LANGEVIN                                                       \
    }

static bool has_head(enum process_type type, enum head head)
{
    struct process_config config = known_config_of(type, head);
    struct process process;
    struct error error;
    const bool has = process_init(&process, &config, &error);

    process_finish(&process);
    return has;
}

/* --- end points */

/* An exact network says the same through every head. */
static void chains_end_where_they_must_by_every_head(void **state)
{
    static const struct {
        enum process_type type;
        struct known_run run;
        double end[4];
    } chains[] = {
        {PROCESS_VP,
         {.sampler = "sde_euler_maruyama", .steps = 50},
         {-3.760888, -1.833241, -3.495879, -4.199278}},
        {PROCESS_VP,
         {.sampler = "reverse_diffusion", .steps = 50},
         {-3.815345, -1.863189, -3.554114, -4.252529}},
        {PROCESS_VP,
         {.sampler = "predictor_corrector", .steps = 50, .options = {ALD}, .option_count = 1},
         {-3.622125, -1.444542, -3.787344, -2.375056}},
        {PROCESS_SUB_VP,
         {.sampler = "sde_euler_maruyama", .steps = 50},
         {-3.343354, -1.610393, -4.141589, -3.726420}},
        {PROCESS_VE,
         {.sampler = "reverse_diffusion", .steps = 10},
         {-5.187568, -2.613799, -6.207591, -3.695303}},
        {PROCESS_VE,
         {.sampler = "predictor_corrector",
          .steps = 10,
          .options = {LANGEVIN, {OPTION_SNR, .15}},
          .option_count = 2},
         {-4.819428, -.972441, -.501158, -6.017502}},
        {PROCESS_TABLE,
         {.sampler = "sde_euler_maruyama", .steps = 50},
         {-3.758238, -1.830294, -3.500397, -4.197313}},
        {PROCESS_TABLE,
         {.sampler = "reverse_diffusion", .steps = 50},
         {-3.658983, -1.707208, -3.474670, -4.085112}},
        {PROCESS_OU,
         {.sampler = "sde_euler_maruyama", .steps = 50},
         {1.571994, 2.955429, -2.035415, -4.585938}},
    };
    static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_V, HEAD_SCORE};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        for (size_t k = 0; k < sizeof(chains) / sizeof(chains[0]); k++) {
            const struct process_config config = known_config_of(chains[k].type, heads[i]);

            /* The score is x_0's rounding over sigma^2, which ends at 2e-4. */
            if (has_head(chains[k].type, heads[i]))
                known_ends(&chains[k].run, &config, chains[k].end,
                           heads[i] == HEAD_SAMPLE ? 1e-3 : 1e-4);
        }
}

/* --- shares */

static void they_sample_the_mixture(void **state)
{
    static const struct known_shares shares[] = {
        {.run = {.sampler = "sde_euler_maruyama", .steps = 100},
         .process = PROCESS_VP,
         .samples = 4000,
         .share = .203,
         .centre = {2.99, -3.0},
         .deviation = {1.01, 1.01}},
        {.run = {.sampler = "reverse_diffusion", .steps = 100},
         .process = PROCESS_VP,
         .samples = 4000,
         .share = .204,
         .centre = {3.01, -3.02},
         .deviation = {1.02, 1.02}},
        {.run = {.sampler = "ancestral_sde", .steps = 100},
         .process = PROCESS_VP,
         .samples = 4000,
         .share = .192,
         .centre = {3.04, -3.06},
         .deviation = {1.01, 1.0}},
        {.run = {.sampler = "predictor_corrector", .steps = 100},
         .process = PROCESS_VP,
         .samples = 2000,
         .share = .202,
         .centre = {3.02, -3.02},
         .deviation = {1.01, 1.01}},
        {.run = {.sampler = "sde_euler_maruyama", .steps = 100},
         .process = PROCESS_SUB_VP,
         .samples = 4000,
         .share = .202,
         .centre = {2.99, -3.0},
         .deviation = {1.02, 1.01}},
        {.run = {.sampler = "reverse_diffusion", .steps = 100},
         .process = PROCESS_VE,
         .samples = 4000,
         .share = .217,
         .centre = {2.99, -3.0},
         .deviation = {1.05, 1.05}},
        {.run = {.sampler = "ancestral_sde", .steps = 100},
         .process = PROCESS_VE,
         .samples = 4000,
         .share = .193,
         .centre = {2.96, -2.98},
         .deviation = {.97, .96}},
        {.run = {.sampler = "predictor_corrector", .steps = 100},
         .process = PROCESS_VE,
         .samples = 2000,
         .share = .21,
         .centre = {3.0, -3.0},
         .deviation = {1.03, 1.02}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
        known_shares(&shares[i]);
}

/* It falls behind the levels and ends far out: share .44, deviation 6.2 of modes whose own is 1. */
static void a_corrector_alone_does_not_reach_the_data_of_ve(void **state)
{
    const struct known_run run = {.sampler = "corrector_only", .steps = 100};
    const struct process_config config = known_config_of(PROCESS_VE, HEAD_SCORE);
    const size_t samples = 2000;
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    double count = 0.0, sum = 0.0, square = 0.0;
    double deviation;

    (void)state;
    for (size_t seed = 0; seed < samples; seed++) {
        struct chain chain;

        chain_init(&chain, (uint32_t)seed);
        assert_int_equal(chain_run(&chain, plan, known_answer), ADVANCE_DONE);
        if (chain.x[0] + chain.x[1] < 0.0f)
            continue;
        count += 1.0;
        for (size_t i = 0; i < 2; i++) {
            sum += (double)chain.x[i];
            square += (double)chain.x[i] * (double)chain.x[i];
        }
    }
    deviation = sqrt(square / (2.0 * count) - sum * sum / (4.0 * count * count));
    assert_true(fabs(count / (double)samples - .44) < .035);
    assert_true(deviation > 3.0);
    plan_destroy(plan);
    process_finish(&process);
}

/* --- plans */

static void times_fall_evenly_and_each_is_asked_once_for_every_part(void **state)
{
    const struct known_run run = {.sampler = "predictor_corrector",
                                  .steps = 30,
                                  .options = {{OPTION_CORRECT_STEPS, 2.0}},
                                  .option_count = 1};
    const struct process_config config = known_config_of(PROCESS_VP, HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);

    (void)state;
    assert_int_equal(plan->step_count, 90);
    assert_int_equal(plan->evaluations, 90);
    assert_int_equal(plan_whole_steps(plan), 30);
    assert_true(plan->start_scale == 1.0);
    for (size_t i = 0; i < 90; i++) {
        const double t = 1.0 - (double)(i / 3) * .999 / 29.0;
        const struct level level = process_level(&process, t);

        assert_true(fabs(plan->step[i].model_time - 999.0 * t) < 1e-9);
        assert_true(fabs(plan->step[i].from.sigma - level.sigma) < 1e-12);
        assert_int_equal(plan->step[i].is_inner, i % 3 != 2);
        assert_true(plan->step[i].draws);
        assert_true(i % 3 == 2 || plan->step[i].to.sigma == plan->step[i].from.sigma);
        assert_true(i % 3 != 2 || i == 89 ||
                    plan->step[i].to.sigma == plan->step[i + 1].from.sigma);
    }
    assert_true(plan->step[89].to.sigma == 0.0);
    plan_destroy(plan);
    process_finish(&process);
}

static void a_table_runs_from_its_last_entry_to_its_first(void **state)
{
    const struct known_run run = {.sampler = "reverse_diffusion", .steps = 1000};
    const struct process_config config = known_config(HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);
    const double *beta = process.schedule.beta;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        const double expected = beta[999 - i];
        const double score = process_score(&process, plan->step[i].from).o;

        assert_true(fabs(plan->step[i].model_time - (double)(999 - i)) < 1e-9);
        /* beta S */
        assert_true(fabs(plan->step[i].coefficient[2] / score - expected) < 1e-9 * expected);
    }
    plan_destroy(plan);
    process_finish(&process);
}

/* x_T, then each part's noise in order, the last one too, which is not added. */
static void every_evaluation_draws_and_the_last_draw_is_not_added(void **state)
{
    static const struct {
        struct known_run run;
        size_t draws;
        bool ends_with_mean;
    } cases[] = {
        {{.sampler = "sde_euler_maruyama", .steps = 30}, 30, true},
        {{.sampler = "reverse_diffusion", .steps = 30}, 30, true},
        {{.sampler = "ancestral_sde", .steps = 30}, 30, true},
        {{.sampler = "predictor_corrector", .steps = 30}, 60, true},
        {{.sampler = "corrector_only", .steps = 30, .options = {ALD}, .option_count = 1},
         30,
         false},
    };
    const struct process_config config = known_config_of(PROCESS_VP, HEAD_EPSILON);

    (void)state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct process process;
        struct plan *plan = known_plan(&cases[k].run, &config, &process);
        const double last = plan->step[plan->step_count - 1].coefficient[3];
        struct chain chain;
        struct rng rng;
        float draw[2];

        chain_init(&chain, 7);
        assert_int_equal(chain_run(&chain, plan, known_answer), ADVANCE_DONE);
        rng_seed(&rng, 7);
        for (size_t i = 0; i < 1 + cases[k].draws; i++)
            rng_randn(&rng, draw, 2);
        assert_memory_equal(chain.noise, draw, sizeof(draw));
        assert_int_equal(rng_word(&chain.row.rng), rng_word(&rng));
        assert_int_equal(last == 0.0, cases[k].ends_with_mean);
        plan_destroy(plan);
        process_finish(&process);
    }
}

/* One step from the same x on ve: sqrt(q) of fresh noise, or s_{k-1} sqrt(q) / s_k. */
static void ancestral_steps_of_ve_add_less_noise(void **state)
{
    const struct known_run one = {.sampler = "reverse_diffusion", .steps = 10};
    const struct known_run other = {.sampler = "ancestral_sde", .steps = 10};
    const struct process_config config = known_config_of(PROCESS_VE, HEAD_SCORE);
    struct process process, process_too;
    struct plan *reverse = known_plan(&one, &config, &process);
    struct plan *ancestral = known_plan(&other, &config, &process_too);
    const double ratio = pow(5000.0, -1.0 / 9.0);

    (void)state;
    assert_true(reverse->start_scale == 50.0);
    for (size_t i = 0; i < 10; i++) {
        const double s = .01 * pow(5000.0, (double)(9 - i) / 9.0);
        const double to = i == 9 ? 0.0 : s * ratio, noise = i == 9 ? 0.0 : sqrt(s * s - to * to);

        assert_true(fabs(reverse->step[i].coefficient[2] - (s * s - to * to)) < 1e-9 * s * s);
        assert_true(fabs(reverse->step[i].coefficient[3] - noise) < 1e-9 * s);
        assert_true(fabs(ancestral->step[i].coefficient[2] - (s * s - to * to)) < 1e-9 * s * s);
        assert_true(fabs(ancestral->step[i].coefficient[3] - noise * ratio) < 1e-9 * s);
    }
    plan_destroy(reverse);
    plan_destroy(ancestral);
    process_finish(&process);
    process_finish(&process_too);
}

/* c = 2 w (snr |z| / |S|)^2 with the norms of this row: recomputed from what the row drew. */
static void a_langevin_correction_takes_the_norms_of_its_own_row(void **state)
{
    static const enum process_type types[] = {PROCESS_VE, PROCESS_VP};
    static const float output[] = {.3f, -.8f};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        const struct known_run run = {.sampler = "corrector_only",
                                      .steps = 40,
                                      .options = {LANGEVIN, {OPTION_SNR, .2}},
                                      .option_count = 2};
        const struct process_config config = known_config_of(types[k], HEAD_SCORE);
        struct process process;
        struct plan *plan = known_plan(&run, &config, &process);
        const double beta = (.1 + 39.0 * 19.9 / 39.0) / 40.0;
        const double w = types[k] == PROCESS_VE ? 1.0 : 1.0 - beta;
        struct chain chain;
        float x[2];
        double c;

        chain_init(&chain, 4);
        plan->sampler->begin(&chain.row, plan);
        memcpy(x, chain.x, sizeof(x));
        assert_int_equal(plan->sampler->advance(&chain.row, plan, output), ADVANCE_EVALUATE);
        c = 2.0 * w * .04 * (pow((double)chain.noise[0], 2.0) + pow((double)chain.noise[1], 2.0)) /
            (pow((double)output[0], 2.0) + pow((double)output[1], 2.0));
        for (size_t i = 0; i < 2; i++)
            assert_true(fabs((double)chain.x[i] - (double)x[i] - c * (double)output[i] -
                             sqrt(2.0 * c) * (double)chain.noise[i]) <
                        1e-6 * fmax(1.0, fabs((double)x[i])));
        plan_destroy(plan);
        process_finish(&process);
    }
}

static void points_are_corrected_by_ald_pictures_by_langevin(void **state)
{
    const struct process_config config = known_config_of(PROCESS_VE, HEAD_SCORE);
    const struct sampler *sampler = sampler_find("predictor_corrector");
    struct process process;
    struct error error;

    (void)state;
    assert_true(process_init(&process, &config, &error));
    assert_true(sampler_option_default(sampler, &process, OPTION_CORRECTOR) == CORRECTOR_LANGEVIN);
    process.network.is_points = true;
    assert_true(sampler_option_default(sampler, &process, OPTION_CORRECTOR) == CORRECTOR_ALD);
    assert_true(sampler_option_default(sampler, &process, OPTION_SNR) == .16);
    assert_true(sampler_option_default(sampler, &process, OPTION_SAMPLING_EPS) == 1e-5);
    process_finish(&process);
}

static void sub_vp_is_predicted_by_euler_maruyama_unless_told(void **state)
{
    const struct known_run run = {.sampler = "predictor_corrector", .steps = 30};
    const struct process_config config = known_config_of(PROCESS_SUB_VP, HEAD_EPSILON);
    struct process process;
    struct plan *plan = known_plan(&run, &config, &process);

    (void)state;
    assert_true(plan->options.value[OPTION_PREDICTOR] == PREDICTOR_EULER_MARUYAMA);
    plan_destroy(plan);
    process_finish(&process);
}

/* --- refusals */

static void what_cannot_run_is_refused(void **state)
{
    static const struct {
        enum process_type type;
        struct known_run run;
        const char *text;
    } rows[] = {
        {PROCESS_VE,
         {.sampler = "reverse_diffusion", .steps = 1},
         "reverse_diffusion needs at least 2 steps"},
        {PROCESS_VP,
         {.sampler = "reverse_diffusion", .steps = 20},
         "reverse_diffusion needs more steps than beta_max, 20, on process vp, got 20"},
        {PROCESS_VP,
         {.sampler = "ancestral_sde", .steps = 2},
         "ancestral_sde needs more steps than beta_max, 20, on process vp, got 2"},
        {PROCESS_SUB_VP,
         {.sampler = "corrector_only", .steps = 20},
         "corrector_only needs more steps than beta_max, 20, on process sub_vp, got 20"},
        {PROCESS_SUB_VP,
         {.sampler = "predictor_corrector",
          .steps = 50,
          .options = {{OPTION_PREDICTOR, PREDICTOR_ANCESTRAL}},
          .option_count = 1},
         "predictor must be euler_maruyama: it is the only one of process sub_vp"},
        {PROCESS_SUB_VP,
         {.sampler = "reverse_diffusion", .steps = 50},
         "reverse_diffusion needs a beta table, vp or ve; this model's process is sub_vp"},
        {PROCESS_FLOW,
         {.sampler = "sde_euler_maruyama", .steps = 50},
         "sde_euler_maruyama needs a beta table, vp, sub_vp, ve, ve_linear or ou; this model's "
         "process is a flow"},
        {PROCESS_VP,
         {.sampler = "sde_euler_maruyama",
          .steps = 50,
          .options = {{OPTION_SAMPLING_EPS, 0.0}},
          .option_count = 1},
         "sampling_eps must be above 0 and below 0.5, got 0"},
        {PROCESS_VP,
         {.sampler = "sde_euler_maruyama",
          .steps = 50,
          .options = {{OPTION_SAMPLING_EPS, 1e-20}},
          .option_count = 1},
         "sde_euler_maruyama would ask the model at sigma 0, where there is no score"},
        {PROCESS_OU,
         {.sampler = "sde_euler_maruyama",
          .steps = 50,
          .options = {{OPTION_SAMPLING_EPS, 2.5}},
          .option_count = 1},
         "sampling_eps must be above 0 and below 2.5, got 2.5"},
        {PROCESS_TABLE,
         {.sampler = "sde_euler_maruyama",
          .steps = 50,
          .options = {{OPTION_SAMPLING_EPS, .0009}},
          .option_count = 1},
         "sampling_eps must be at least 0.001 and below 0.5, got 0.0009"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const enum head head = rows[i].type == PROCESS_FLOW ? HEAD_VELOCITY : HEAD_EPSILON;
        const struct process_config config = known_config_of(rows[i].type, head);

        known_refusal(&rows[i].run, &config, rows[i].text);
    }
}

static void a_table_without_signal_at_its_end_is_refused(void **state)
{
    const struct known_run run = {.sampler = "sde_euler_maruyama", .steps = 3};
    struct process_config config = known_config(HEAD_V);

    (void)state;
    config.schedule.rescale_betas_zero_snr = true;
    known_refusal(&run, &config,
                  "sde_euler_maruyama needs a beta table, vp, sub_vp, ve, ve_linear or ou; this "
                  "model's process is a beta table whose alpha_bar ends at 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_end_where_they_must_by_every_head),
        cmocka_unit_test(they_sample_the_mixture),
        cmocka_unit_test(a_corrector_alone_does_not_reach_the_data_of_ve),
        cmocka_unit_test(times_fall_evenly_and_each_is_asked_once_for_every_part),
        cmocka_unit_test(a_table_runs_from_its_last_entry_to_its_first),
        cmocka_unit_test(every_evaluation_draws_and_the_last_draw_is_not_added),
        cmocka_unit_test(ancestral_steps_of_ve_add_less_noise),
        cmocka_unit_test(a_langevin_correction_takes_the_norms_of_its_own_row),
        cmocka_unit_test(points_are_corrected_by_ald_pictures_by_langevin),
        cmocka_unit_test(sub_vp_is_predicted_by_euler_maruyama_unless_told),
        cmocka_unit_test(what_cannot_run_is_refused),
        cmocka_unit_test(a_table_without_signal_at_its_end_is_refused),
    };
    return cmocka_run_group_tests_name("sde", tests, NULL, NULL);
}
