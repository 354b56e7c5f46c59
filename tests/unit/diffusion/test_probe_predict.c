/* What an exact model says at one point, through every head, in every way of saying it. */
#include "tests/support/test.h"

#include "core/diffusion/moment.h"
#include "core/diffusion/probe_predict.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"
#include "tests/support/probe_row.h"

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

static void open_known(struct process *process, enum process_type type, enum head head)
{
    const struct process_config config = known_config_of(type, head);

    open_process(process, &config);
}

static bool has_head(enum process_type type, enum head head)
{
    const struct process_config config = known_config_of(type, head);
    struct process process;
    struct error error;
    const bool has = type != PROCESS_CM && process_init(&process, &config, &error);

    if (type == PROCESS_CM)
        return false;
    process_finish(&process);
    return has;
}

static struct plan *attempt(const struct process *process, double t, enum predicted as,
                            struct error *error)
{
    return predict_plan(
        &(struct predict_question){
            .process = process, .dim = MIXTURE_DIM, .output_dim = MIXTURE_DIM, .t = t, .as = as},
        error);
}

static void predict(const struct process *process, double t, enum predicted as, const float *x,
                    double value[MIXTURE_DIM])
{
    struct error error = {.code = ERROR_NONE};
    struct plan *plan = attempt(process, t, as, &error);
    struct probe_row row = {.given = x};

    if (plan == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(probe_row_run(&row, plan, 0, known_answer), ADVANCE_DONE);
    assert_int_equal(row.chain.row.evaluations, 1);
    assert_memory_equal(row.chain.x, x, MIXTURE_DIM * sizeof *x);
    memcpy(value, row.figures, MIXTURE_DIM * sizeof *value);
    plan_destroy(plan);
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.9g instead of %.9g", value, expected);
}

/* --- known values */

/* Closed form; both coordinates are equal. t counts from 0 here. */
static void eps_and_x_0_are_the_exact_ones(void **state)
{
    static const struct {
        double t;
        float x;
        double eps, x_0;
    } known[] = {
        {249.0, 0.0f, .898955, -.856646}, {249.0, 1.0f, -.806372, 2.149755},
        {249.0, .25f, -.387487, .714584}, {499.0, 0.0f, .484368, -1.658543},
        {499.0, 1.0f, .348892, 2.372517},
    };

    (void)state;
    for (int head = 0; head <= HEAD_SCORE; head++) {
        struct process process;

        open_known(&process, PROCESS_TABLE, (enum head)head);
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            const float x[] = {known[i].x, known[i].x};
            double eps[2], x_0[2];

            predict(&process, known[i].t, PREDICTED_EPS, x, eps);
            predict(&process, known[i].t, PREDICTED_X0, x, x_0);
            for (size_t j = 0; j < 2; j++) {
                assert_near(eps[j], known[i].eps, 1e-5);
                assert_near(x_0[j], known[i].x_0, 1e-5);
            }
        }
        process_finish(&process);
    }
}

static void the_velocity_of_a_flow_is_noise_minus_data(void **state)
{
    (void)state;
    for (int head = 0; head <= HEAD_VELOCITY; head++) {
        struct process process;
        double u[2];

        if (!has_head(PROCESS_FLOW, (enum head)head))
            continue;
        open_known(&process, PROCESS_FLOW, (enum head)head);
        predict(&process, .5, PREDICTED_VELOCITY, (const float[]){0.0f, 0.0f}, u);
        assert_near(u[0], 1.8, 1e-5);
        assert_near(u[1], 1.8, 1e-5);
        predict(&process, .5, PREDICTED_VELOCITY, (const float[]){1.0f, 1.0f}, u);
        assert_near(u[0], -2.999853, 1e-5);
        process_finish(&process);
    }
}

/* --- one answer by the others */

/* Everything of one point: x = alpha x_0 + sigma eps ties them together. */
static void check_ties(const struct process *process, double t, const float *x)
{
    double eps[2], x_0[2], score[2], v[2], u[2], norm;
    struct moment moment;
    struct error error;
    struct level level, slope;

    assert_true(moment_at(&moment, process, t, "t", &error));
    level = moment.level;
    slope = process_slope(process, moment_time(process, t),
                          process_level(process, moment_time(process, t)));
    norm = sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
    predict(process, t, PREDICTED_EPS, x, eps);
    predict(process, t, PREDICTED_X0, x, x_0);
    predict(process, t, PREDICTED_SCORE, x, score);
    predict(process, t, PREDICTED_V, x, v);
    predict(process, t, PREDICTED_VELOCITY, x, u);
    for (size_t i = 0; i < 2; i++) {
        const double velocity = slope.alpha * x_0[i] + slope.sigma * eps[i];

        assert_near(level.alpha * x_0[i] + level.sigma * eps[i], (double)x[i], 1e-4);
        assert_near(score[i], -eps[i] / level.sigma, 1e-5 * fmax(1.0, fabs(score[i])));
        assert_near(v[i], (level.alpha * eps[i] - level.sigma * x_0[i]) / norm, 1e-4);
        assert_near(u[i], velocity, 2e-4 * fmax(1.0, fabs(velocity)));
    }
}

static void answers_agree_on_every_process_through_every_head(void **state)
{
    (void)state;
    for (int type = 0; type < PROCESS_COUNT; type++)
        for (int head = 0; head <= HEAD_VELOCITY; head++) {
            struct process process;

            if (!has_head((enum process_type)type, (enum head)head))
                continue;
            open_known(&process, (enum process_type)type, (enum head)head);
            check_ties(&process, type == PROCESS_TABLE ? 400.0 : .5, (const float[]){.7f, -1.1f});
            check_ties(&process, type == PROCESS_TABLE ? 120.0 : .2, (const float[]){2.f, 1.5f});
            process_finish(&process);
        }
}

/* x along the flow of velocities, by a small step of the process's own time. */
static void velocity_is_how_x_moves_when_nothing_else_does(void **state)
{
    const float x[] = {.3f, -.8f};
    struct process process;
    double eps[2], x_0[2], u[2];
    const double t = 300.0, h = 1e-3;
    struct level before, after;

    (void)state;
    open_known(&process, PROCESS_TABLE, HEAD_SAMPLE);
    predict(&process, t, PREDICTED_EPS, x, eps);
    predict(&process, t, PREDICTED_X0, x, x_0);
    predict(&process, t, PREDICTED_VELOCITY, x, u);
    before = process_level(&process, moment_time(&process, t - h));
    after = process_level(&process, moment_time(&process, t + h));
    for (size_t i = 0; i < 2; i++)
        assert_near(
            u[i],
            ((after.alpha - before.alpha) * x_0[i] + (after.sigma - before.sigma) * eps[i]) *
                1000.0 / (2.0 * h),
            1e-4);
    process_finish(&process);
}

/* diffusers: x_0 = x / (sigma^2 + 1) - sigma / sqrt(sigma^2 + 1) v, x in VE coordinates. */
static void v_in_ve_coordinates_is_that_of_diffusers(void **state)
{
    const float x[] = {1.5f, -2.5f};
    struct process process;
    double v[2], x_0[2], sigma;

    (void)state;
    open_known(&process, PROCESS_VE, HEAD_EPSILON);
    sigma = process_level(&process, .6).sigma;
    predict(&process, .6, PREDICTED_V, x, v);
    predict(&process, .6, PREDICTED_X0, x, x_0);
    for (size_t i = 0; i < 2; i++)
        assert_near(x_0[i],
                    (double)x[i] / (sigma * sigma + 1.0) - sigma / sqrt(sigma * sigma + 1.0) * v[i],
                    1e-5);
    process_finish(&process);
}

static void raw_is_what_the_head_says(void **state)
{
    static const enum predicted says[] = {[HEAD_EPSILON] = PREDICTED_EPS,
                                          [HEAD_SAMPLE] = PREDICTED_X0,
                                          [HEAD_V] = PREDICTED_V,
                                          [HEAD_SCORE] = PREDICTED_SCORE};
    const float x[] = {.4f, .9f};

    (void)state;
    for (int head = 0; head <= HEAD_SCORE; head++) {
        struct process process;
        double raw[2], value[2];

        open_known(&process, PROCESS_TABLE, (enum head)head);
        predict(&process, 77.0, PREDICTED_RAW, x, raw);
        predict(&process, 77.0, says[head], x, value);
        assert_memory_equal(raw, value, sizeof raw);
        process_finish(&process);
    }
}

/* --- between timesteps, and beside the output proper */

static void between_two_timesteps_sigma_is_linear(void **state)
{
    struct process process;
    struct error error;
    double sigma[3];

    (void)state;
    open_known(&process, PROCESS_TABLE, HEAD_EPSILON);
    for (size_t i = 0; i < 3; i++) {
        struct plan *plan = attempt(&process, 100.0 + (double)i / 2.0, PREDICTED_RAW, &error);
        const struct level level = predict_level(plan);

        sigma[i] = level.sigma / level.alpha;
        assert_true(plan->step[0].model_time == 100.0 + (double)i / 2.0);
        plan_destroy(plan);
    }
    assert_near(sigma[1], (sigma[0] + sigma[2]) / 2.0, 1e-12);
    process_finish(&process);
}

static void answer_with_variance(const struct row *row, const struct plan *plan, float *output)
{
    known_answer(row, plan, output);
    output[2] = .25f;
    output[3] = -.5f;
}

static void raw_holds_a_learned_variance_too(void **state)
{
    const float x[] = {.4f, .9f};
    struct probe_row row = {.given = x};
    struct process process;
    struct error error;
    struct plan *plan;

    (void)state;
    open_known(&process, PROCESS_TABLE, HEAD_EPSILON);
    plan = predict_plan(
        &(struct predict_question){
            .process = &process, .dim = 2, .output_dim = 4, .t = 10.0, .as = PREDICTED_RAW},
        &error);
    assert_int_equal(plan->figure_count, 4);
    assert_int_equal(probe_row_run(&row, plan, 0, answer_with_variance), ADVANCE_DONE);
    assert_true(row.figures[2] == .25 && row.figures[3] == -.5);
    plan_destroy(plan);
    process_finish(&process);
}

/* Its input is scaled: at its least noise x_0 is x itself, whatever it answers. */
static void a_consistency_model_says_x_where_there_is_no_noise(void **state)
{
    const float x[] = {1.5f, -.25f};
    struct process_config config = process_config_default(PROCESS_CM);
    struct process process;
    double x_0[2], eps[2], score[2];

    (void)state;
    open_process(&process, &config);
    predict(&process, config.sigma_min, PREDICTED_X0, x, x_0);
    assert_near(x_0[0], 1.5, 1e-6);
    predict(&process, 2.0, PREDICTED_X0, x, x_0);
    predict(&process, 2.0, PREDICTED_EPS, x, eps);
    predict(&process, 2.0, PREDICTED_SCORE, x, score);
    for (size_t i = 0; i < 2; i++) {
        assert_near(x_0[i] + 2.0 * eps[i], (double)x[i], 1e-6);
        assert_near(score[i], -eps[i] / 2.0, 1e-12);
    }
    process_finish(&process);
}

/* --- Tweedie */

static void draw_data(struct rng *rng, float x[2])
{
    float side;

    rng_rand(rng, &side, 1);
    rng_randn(rng, x, 2);
    for (size_t i = 0; i < 2; i++)
        x[i] += side < .2f ? 3.0f : -3.0f;
}

static void the_mean_of_x_0_is_nearer_to_it_than_x_t_is(void **state)
{
    const double t = 300.0;
    double tweedie = 0.0, naive = 0.0;
    struct process process;
    struct level level;
    struct rng rng;

    (void)state;
    open_known(&process, PROCESS_TABLE, HEAD_EPSILON);
    level = process_level(&process, moment_time(&process, t));
    rng_seed(&rng, 1);
    for (size_t n = 0; n < 2000; n++) {
        float data[2], noise[2], x[2];
        double x_0[2];

        draw_data(&rng, data);
        rng_randn(&rng, noise, 2);
        for (size_t i = 0; i < 2; i++)
            x[i] = (float)(level.alpha * (double)data[i] + level.sigma * (double)noise[i]);
        predict(&process, t, PREDICTED_X0, x, x_0);
        for (size_t i = 0; i < 2; i++) {
            tweedie += (x_0[i] - (double)data[i]) * (x_0[i] - (double)data[i]);
            naive += ((double)x[i] / level.alpha - (double)data[i]) *
                     ((double)x[i] / level.alpha - (double)data[i]);
        }
    }
    assert_true(tweedie < .9 * naive);
    process_finish(&process);
}

/* --- refusals */

static void refuse(const struct process *process, double t, enum predicted as, const char *text)
{
    struct error error = {.code = ERROR_NONE};

    assert_null(attempt(process, t, as, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, text);
}

static void what_the_head_cannot_say_is_refused(void **state)
{
    struct process_config config = known_config(HEAD_EPSILON);
    struct process process;

    (void)state;
    config.schedule.rescale_betas_zero_snr = true;
    config.schedule.allows_zero_snr = true;
    open_process(&process, &config);
    refuse(&process, 999.0, PREDICTED_X0,
           "as must not be x0 at alpha 0, sigma 1: the model's output, epsilon, does not say it "
           "there");
    refuse(&process, 999.0, PREDICTED_V,
           "as must not be v at alpha 0, sigma 1: the model's output, epsilon, does not say it "
           "there");
    refuse(&process, 10.0, PREDICTED_VELOCITY,
           "as must not be velocity: alpha_bar of this model's table ends at 0, which no "
           "continuous time reaches");
    process_finish(&process);
    config.schedule.head = HEAD_V;
    open_process(&process, &config);
    for (int as = 0; as < PREDICTED_COUNT; as++) {
        double value[2];

        if (as == PREDICTED_VELOCITY)
            continue;
        predict(&process, 999.0, (enum predicted)as, (const float[]){1.0f, 2.0f}, value);
        assert_true(isfinite(value[0]) && isfinite(value[1]));
    }
    process_finish(&process);
}

static void times_and_bases_that_have_no_answer_are_refused(void **state)
{
    struct process_config config = process_config_default(PROCESS_FLOW);
    struct process process;

    (void)state;
    config.base = FLOW_BASE_UNIFORM;
    config.base_high = 1.0;
    open_process(&process, &config);
    refuse(&process, .5, PREDICTED_SCORE,
           "as must not be score: what this flow starts from is not N(0, I), and its noise is no "
           "score");
    refuse(&process, 1.5, PREDICTED_X0,
           "t must be above 0 and at most 1, the time of this model's process, got 1.5");
    process_finish(&process);
    config = process_config_default(PROCESS_CM);
    open_process(&process, &config);
    refuse(&process, .001, PREDICTED_X0,
           "t must be at least 0.002, the least noise of this model, got 0.001");
    process_finish(&process);
    open_known(&process, PROCESS_TABLE, HEAD_EPSILON);
    refuse(&process, -1.0, PREDICTED_X0, "t must be 0..999, a timestep of this model, got -1");
    process_finish(&process);
}

static void names_are_found(void **state)
{
    (void)state;
    for (int as = 0; as < PREDICTED_COUNT; as++)
        assert_int_equal(predicted_find(predicted_name((enum predicted)as)), as);
    assert_int_equal(predicted_find("epsilon"), PREDICTED_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eps_and_x_0_are_the_exact_ones),
        cmocka_unit_test(the_velocity_of_a_flow_is_noise_minus_data),
        cmocka_unit_test(answers_agree_on_every_process_through_every_head),
        cmocka_unit_test(velocity_is_how_x_moves_when_nothing_else_does),
        cmocka_unit_test(v_in_ve_coordinates_is_that_of_diffusers),
        cmocka_unit_test(raw_is_what_the_head_says),
        cmocka_unit_test(between_two_timesteps_sigma_is_linear),
        cmocka_unit_test(raw_holds_a_learned_variance_too),
        cmocka_unit_test(a_consistency_model_says_x_where_there_is_no_noise),
        cmocka_unit_test(the_mean_of_x_0_is_nearer_to_it_than_x_t_is),
        cmocka_unit_test(what_the_head_cannot_say_is_refused),
        cmocka_unit_test(times_and_bases_that_have_no_answer_are_refused),
        cmocka_unit_test(names_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
