/* The variational bound: its gap on data whose network is exact, its terms by another formula, and
 * what it refuses. */
#include "tests/support/test.h"

#include "core/diffusion/decoder.h"
#include "core/diffusion/posterior.h"
#include "core/diffusion/probe_elbo.h"
#include "tests/support/chain.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

#define T 1000

struct asked {
    struct process process;
    struct plan *plan;
    double figures[ELBO_FIGURES + 2 * T];
};

static void open_process(struct process *process, const struct process_config *config)
{
    struct error error;

    if (!process_init(process, config, &error))
        fail_msg("%s", error.text);
}

static void ask(struct asked *asked, const struct process_config *config,
                struct elbo_question question)
{
    struct error error;

    open_process(&asked->process, config);
    question.process = &asked->process;
    if (question.dim == 0)
        question.dim = question.output_dim = MIXTURE_DIM;
    asked->plan = elbo_plan(&question, &error);
    if (asked->plan == NULL)
        fail_msg("%s", error.text);
}

static void end(struct asked *asked)
{
    plan_destroy(asked->plan);
    process_finish(&asked->process);
}

static void measure(struct asked *asked, const float *x_0, uint32_t seed, chain_model *model)
{
    struct chain chain;

    memset(asked->figures, 0, sizeof asked->figures);
    chain_init(&chain, seed);
    chain.row.given = x_0;
    chain.row.figures = asked->figures;
    assert_int_equal(chain_run(&chain, asked->plan, model), ADVANCE_DONE);
    assert_int_equal(chain.row.evaluations, asked->plan->evaluations);
}

/* --- the gap to the entropy ------------------------------------------------------------------- */

/* 1/5 N((3,3), I) + 4/5 N((-3,-3), I). */
static void draw_data(struct rng *rng, float x_0[2])
{
    float uniform;
    double side;

    rng_rand(rng, &uniform, 1);
    side = (double)uniform < .2 ? 3.0 : -3.0;
    rng_randn(rng, x_0, 2);
    for (size_t i = 0; i < 2; i++)
        x_0[i] = (float)((double)x_0[i] + side);
}

static double nats_of_density(const float x_0[2])
{
    const double x = (double)x_0[0], y = (double)x_0[1], pi = acos(-1.0);
    const double there = exp(-((x - 3.0) * (x - 3.0) + (y - 3.0) * (y - 3.0)) / 2.0);
    const double here = exp(-((x + 3.0) * (x + 3.0) + (y + 3.0) * (y + 3.0)) / 2.0);

    return -log((.2 * there + .8 * here) / (2.0 * pi));
}

#define ROWS 1000

/* The gap of a row is known better than the bound itself: that of the same x_0 is taken off. */
static void check_gap(struct elbo_question question, double gap)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct asked asked;
    struct rng rng;
    double sum = 0.0, squares = 0.0, error;

    ask(&asked, &config, question);
    rng_seed(&rng, 99);
    for (uint32_t seed = 0; seed < ROWS; seed++) {
        float x_0[2];
        double difference;

        draw_data(&rng, x_0);
        measure(&asked, x_0, seed, known_answer);
        difference = asked.figures[ELBO_NATS] - nats_of_density(x_0);
        sum += difference;
        squares += difference * difference;
    }
    end(&asked);
    error = sqrt((squares / ROWS - sum / ROWS * sum / ROWS) / ROWS);
    print_message("gap %.4f +- %.4f, exactly %.4f\n", sum / ROWS, error, gap);
    assert_true(fabs(sum / ROWS - gap) < 3.0 * error);
    assert_true(error < .1);
}

static void its_gap_to_the_entropy_is_the_exact_one(void **state)
{
    (void)state;
    check_gap((struct elbo_question){.has_variance = true,
                                     .variance = VARIANCE_FIXED_LARGE,
                                     .has_first = true,
                                     .first = ELBO_FIRST_BETA},
              .0023);
    check_gap((struct elbo_question){.has_variance = false}, 1.1600);
}

/* --- terms ------------------------------------------------------------------------------------ */

static const float point[2] = {2.5f, -1.0f};

/* By the mean's difference in epsilon (samplers of the same seed draw the same noise). */
static double term_by_epsilon(const struct schedule *table, size_t t, bool large,
                              const float noise[2])
{
    const double ab = table->alpha_bar[t], beta = table->beta[t];
    const double posterior = posterior_at(table, t).variance;
    const double variance = large ? beta : posterior;
    const double factor = beta / (sqrt(1.0 - beta) * sqrt(1.0 - ab));
    float x[2], epsilon[2];
    double sum = 0.0;

    for (size_t i = 0; i < 2; i++)
        x[i] = (float)(sqrt(ab) * (double)point[i] + sqrt(1.0 - ab) * (double)noise[i]);
    mixture_output(HEAD_EPSILON, (struct level){.alpha = sqrt(ab), .sigma = sqrt(1.0 - ab)}, -1, x,
                   epsilon);
    for (size_t i = 0; i < 2; i++) {
        const double difference = factor * ((double)epsilon[i] - (double)noise[i]);

        sum += (log(variance / posterior) - 1.0 + posterior / variance +
                difference * difference / variance) /
               2.0;
    }
    return sum;
}

static void check_terms(bool large)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct asked asked;
    struct rng rng;
    double rate;

    ask(&asked, &config,
        (struct elbo_question){.has_variance = true,
                               .variance = large ? VARIANCE_FIXED_LARGE : VARIANCE_FIXED_SMALL,
                               .keeps_terms = true});
    assert_int_equal(asked.plan->figure_count, ELBO_FIGURES + 2 * T);
    measure(&asked, point, 7, known_answer);
    rate = asked.figures[ELBO_PRIOR];
    rng_seed(&rng, 7);
    for (size_t t = T - 1; t > 0; t--) {
        const double term = asked.figures[ELBO_FIGURES + t];
        float noise[2];
        double wanted;

        rng_randn(&rng, noise, 2);
        wanted = term_by_epsilon(&asked.process.schedule, t, large, noise);
        if (!(fabs(term - wanted) < 1e-4 * fabs(wanted) + 1e-8))
            fail_msg("timestep %zu: %.12g, not %.12g", t, term, wanted);
        rate += term;
    }
    assert_true(fabs(asked.figures[ELBO_RATE] - rate) < 1e-9);
    assert_true(asked.figures[ELBO_DISTORTION] == asked.figures[ELBO_FIGURES]);
    assert_true(asked.figures[ELBO_NATS] ==
                asked.figures[ELBO_RATE] + asked.figures[ELBO_DISTORTION]);
    end(&asked);
}

static void terms_are_those_of_the_formula_in_epsilon(void **state)
{
    (void)state;
    check_terms(false);
    check_terms(true);
}

static void the_last_term_is_the_distance_to_the_prior(void **state)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct asked asked;

    (void)state;
    ask(&asked, &config, (struct elbo_question){.has_variance = false});
    measure(&asked, point, 1, known_answer);
    assert_true(asked.figures[ELBO_PRIOR] ==
                schedule_prior_kl(&asked.process.schedule, 2, 2.5 * 2.5 + 1.0));
    end(&asked);
}

static void figures_without_terms_are_the_same(void **state)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    struct asked with, without;

    (void)state;
    ask(&with, &config, (struct elbo_question){.keeps_terms = true});
    ask(&without, &config, (struct elbo_question){.keeps_terms = false});
    assert_int_equal(without.plan->figure_count, ELBO_FIGURES);
    measure(&with, point, 3, known_answer);
    measure(&without, point, 3, known_answer);
    assert_memory_equal(with.figures, without.figures, ELBO_FIGURES * sizeof(double));
    end(&with);
    end(&without);
}

static void any_head_gives_the_same_bound(void **state)
{
    static const enum head heads[] = {HEAD_EPSILON, HEAD_SAMPLE, HEAD_V, HEAD_SCORE};
    double nats[4];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const struct process_config config = known_config(heads[i]);
        struct asked asked;

        ask(&asked, &config, (struct elbo_question){.has_variance = false});
        measure(&asked, point, 3, known_answer);
        nats[i] = asked.figures[ELBO_NATS];
        end(&asked);
        assert_true(fabs(nats[i] - nats[0]) < 2e-3);
    }
}

/* x_0-hat of a mixture follows the noise until little of it is left. */
static void the_prediction_comes_near_as_noise_goes(void **state)
{
    const struct process_config config = known_config(HEAD_EPSILON);
    double mean[5] = {0.0};
    struct asked asked;
    struct rng rng;

    (void)state;
    ask(&asked, &config, (struct elbo_question){.keeps_terms = true});
    rng_seed(&rng, 5);
    for (uint32_t seed = 0; seed < 40; seed++) {
        float x_0[2];

        draw_data(&rng, x_0);
        measure(&asked, x_0, seed, known_answer);
        for (size_t t = 0; t < T; t++)
            mean[t / 200] += asked.figures[ELBO_FIGURES + T + t] / (40 * 200);
    }
    assert_true(asked.figures[ELBO_FIGURES + T] < .03);
    for (size_t i = 1; i < 5; i++)
        assert_true(mean[i] > 1.05 * mean[i - 1]);
    end(&asked);
}

/* --- variances that the network says ---------------------------------------------------------- */

static float said; /* behind the output proper */

static void answer_with_variance(const struct row *row, const struct plan *plan, float *output)
{
    known_answer(row, plan, output);
    for (size_t i = 0; i < MIXTURE_DIM; i++)
        output[MIXTURE_DIM + i] = said;
}

static void check_learned(enum variance_type type, float value, enum variance_type as)
{
    struct process_config config = known_config(HEAD_EPSILON);
    struct asked fixed, learned;

    ask(&fixed, &config,
        (struct elbo_question){.has_variance = true,
                               .variance = as,
                               .has_first = true,
                               .first = as == VARIANCE_FIXED_LARGE ? ELBO_FIRST_BETA
                                                                   : ELBO_FIRST_POSTERIOR});
    chain_config(&config, OPTION_VARIANCE_TYPE, (double)type);
    ask(&learned, &config, (struct elbo_question){.dim = 2, .output_dim = 4});
    said = value;
    measure(&fixed, point, 3, known_answer);
    measure(&learned, point, 3, answer_with_variance);
    for (size_t i = 0; i < ELBO_FIGURES; i++)
        assert_true(fabs(learned.figures[i] - fixed.figures[i]) < 1e-9);
    end(&fixed);
    end(&learned);
}

static void a_learned_range_ends_at_the_fixed_variances(void **state)
{
    (void)state;
    check_learned(VARIANCE_LEARNED_RANGE, -1.0f, VARIANCE_FIXED_SMALL);
    check_learned(VARIANCE_LEARNED_RANGE, 1.0f, VARIANCE_FIXED_LARGE);
}

static void answer_with_beta(const struct row *row, const struct plan *plan, float *output)
{
    const struct schedule *table = process_table(plan->process);

    said = (float)table->beta[table->config.timesteps - 1 - row->step];
    answer_with_variance(row, plan, output);
}

static void a_learned_variance_is_taken_as_it_is_said(void **state)
{
    struct process_config config = known_config(HEAD_EPSILON);
    struct asked fixed, learned;

    (void)state;
    ask(&fixed, &config,
        (struct elbo_question){.has_variance = true,
                               .variance = VARIANCE_FIXED_LARGE,
                               .has_first = true,
                               .first = ELBO_FIRST_BETA});
    chain_config(&config, OPTION_VARIANCE_TYPE, (double)VARIANCE_LEARNED);
    ask(&learned, &config, (struct elbo_question){.dim = 2, .output_dim = 4});
    measure(&fixed, point, 3, known_answer);
    measure(&learned, point, 3, answer_with_beta);
    assert_true(fabs(learned.figures[ELBO_NATS] - fixed.figures[ELBO_NATS]) < 1e-4);
    end(&fixed);
    end(&learned);
}

static void check_no_variance(enum variance_type type, float value, bool is_eight_bit)
{
    struct process_config config = known_config(HEAD_EPSILON);
    const float bytes[MIXTURE_DIM] = {1.0f, -1.0f};
    struct asked asked;
    struct chain chain;

    chain_config(&config, OPTION_VARIANCE_TYPE, (double)type);
    ask(&asked, &config,
        (struct elbo_question){.dim = 2, .output_dim = 4, .is_eight_bit = is_eight_bit});
    said = value;
    chain_init(&chain, 1);
    chain.row.given = is_eight_bit ? bytes : point;
    chain.row.figures = asked.figures;
    memset(asked.figures, 0, sizeof asked.figures);
    assert_int_equal(chain_run(&chain, asked.plan, answer_with_variance), ADVANCE_FAILED);
    end(&asked);
}

static void a_variance_that_is_none_fails_the_row(void **state)
{
    (void)state;
    for (int is_eight_bit = 0; is_eight_bit < 2; is_eight_bit++) {
        check_no_variance(VARIANCE_LEARNED, -1.0f, is_eight_bit);
        check_no_variance(VARIANCE_LEARNED, 0.0f, is_eight_bit);
        check_no_variance(VARIANCE_LEARNED_RANGE, -1e5f, is_eight_bit);
    }
}

/* --- pictures --------------------------------------------------------------------------------- */

/* x_0-hat is .19 whatever is asked. */
static void answer_sample(const struct row *row, const struct plan *plan, float *output)
{
    (void)row;
    for (size_t i = 0; i < plan->dim; i++)
        output[i] = .19f;
}

static void pictures_end_in_the_probability_of_their_bytes(void **state)
{
    const struct process_config config = known_config(HEAD_SAMPLE);
    const float x_0[3] = {.2f, -1.0f, 1.0f};
    struct asked asked;
    double wanted = 0.0;

    (void)state;
    ask(&asked, &config,
        (struct elbo_question){.dim = 3,
                               .output_dim = 3,
                               .is_eight_bit = true,
                               .has_first = true,
                               .first = ELBO_FIRST_BETA});
    measure(&asked, x_0, 3, answer_sample);
    for (size_t i = 0; i < 3; i++)
        wanted -= decoder_log_probability((double)x_0[i], (double).19f, .01);
    assert_true(fabs(asked.figures[ELBO_DISTORTION] / wanted - 1.0) < 1e-12);
    end(&asked);
}

static void errors_on_the_way_are_root_mean_squares_over_dimensions(void **state)
{
    const struct process_config config = known_config(HEAD_SAMPLE);
    const float x_0[2] = {.79f, -.61f};
    struct asked asked;

    (void)state;
    ask(&asked, &config, (struct elbo_question){.keeps_terms = true});
    measure(&asked, x_0, 3, answer_sample);
    for (size_t t = 0; t < T; t++)
        assert_true(fabs(asked.figures[ELBO_FIGURES + T + t] - sqrt((.36 + .64) / 2.0)) < 1e-7);
    end(&asked);
}

/* As the sampler's own step has it. */
static void predictions_are_clipped_where_the_config_says_so(void **state)
{
    struct process_config config = known_config(HEAD_SAMPLE);
    const float x_0[2] = {.1f, .1f};
    struct asked asked;

    (void)state;
    config.schedule.clip_sample = GIVEN_TRUE;
    config.schedule.clip_sample_range = .1;
    ask(&asked, &config, (struct elbo_question){.keeps_terms = true});
    measure(&asked, x_0, 3, answer_sample);
    assert_true(asked.figures[ELBO_FIGURES + T + 500] < 1e-7);
    end(&asked);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void refused(const struct process_config *config, struct elbo_question question,
                    const char *text)
{
    struct process process;
    struct error error = {.code = ERROR_NONE};

    open_process(&process, config);
    question.process = &process;
    question.dim = 2;
    if (question.output_dim == 0)
        question.output_dim = 2;
    assert_null(elbo_plan(&question, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, text);
    process_finish(&process);
}

static void what_has_no_bound_is_refused(void **state)
{
    static double betas[] = {.1, 0.0, .2};
    const struct process_config flow = known_config_of(PROCESS_FLOW, HEAD_VELOCITY);
    struct process_config config = known_config(HEAD_EPSILON);

    (void)state;
    refused(&flow, (struct elbo_question){.dim = 2},
            "elbo needs a beta table; this model's process is a flow");
    refused(&config,
            (struct elbo_question){.has_variance = true, .variance = VARIANCE_LEARNED_RANGE},
            "variance_type must not be learned_range: the model predicts no variance");
    chain_config(&config, OPTION_VARIANCE_TYPE, (double)VARIANCE_LEARNED);
    refused(&config,
            (struct elbo_question){.output_dim = 4, .has_first = true, .first = ELBO_FIRST_BETA},
            "decoder_variance must not be given: the model predicts the variance");
    config = known_config(HEAD_EPSILON);
    config.schedule.timesteps = 3;
    config.schedule.trained_betas = betas;
    refused(&config, (struct elbo_question){.dim = 2},
            "elbo needs betas above 0; this model's beta 2 is 0");
}

/* alpha_bar ends at 0: epsilon would have no x_0 there, v has. */
static void a_table_that_ends_in_pure_noise_is_measured(void **state)
{
    struct process_config config = known_config(HEAD_V);
    struct asked asked;

    (void)state;
    config.schedule.rescale_betas_zero_snr = true;
    ask(&asked, &config, (struct elbo_question){.has_variance = false});
    measure(&asked, point, 3, known_answer);
    assert_true(asked.figures[ELBO_PRIOR] == 0.0);
    assert_true(asked.figures[ELBO_NATS] > 0.0);
    end(&asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_gap_to_the_entropy_is_the_exact_one),
        cmocka_unit_test(terms_are_those_of_the_formula_in_epsilon),
        cmocka_unit_test(the_last_term_is_the_distance_to_the_prior),
        cmocka_unit_test(figures_without_terms_are_the_same),
        cmocka_unit_test(any_head_gives_the_same_bound),
        cmocka_unit_test(the_prediction_comes_near_as_noise_goes),
        cmocka_unit_test(a_learned_range_ends_at_the_fixed_variances),
        cmocka_unit_test(a_learned_variance_is_taken_as_it_is_said),
        cmocka_unit_test(a_variance_that_is_none_fails_the_row),
        cmocka_unit_test(pictures_end_in_the_probability_of_their_bytes),
        cmocka_unit_test(errors_on_the_way_are_root_mean_squares_over_dimensions),
        cmocka_unit_test(predictions_are_clipped_where_the_config_says_so),
        cmocka_unit_test(what_has_no_bound_is_refused),
        cmocka_unit_test(a_table_that_ends_in_pure_noise_is_measured),
    };

    return cmocka_run_group_tests_name("elbo", tests, NULL, NULL);
}
