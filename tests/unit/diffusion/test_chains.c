/* Whole reverse processes on the mixture, whose network is exact, from the draws of torch's
 * generator: end points of seeds 0 and 1 known from an independent computation in double. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/chain.h"
#include "tests/support/mixture.h"

#include <math.h>

#define TOLERANCE 1e-4
#define DEFAULT   (-1.0)
#define HAT       (-2.0) /* sigma_hat in place of eta */

struct known {
    const char *name, *sampler;
    size_t steps;
    enum spacing spacing;
    enum variance_type variance_type;
    double eta;
    bool clip_sample;
    double end[4]; /* x y of seed 0, then of seed 1 */
};

static void answer(const struct row *row, const struct plan *plan, float *output)
{
    mixture_output(process_head(plan->process), row->level, -1, row->input, output);
    output[2] = output[3] = .3f; /* the predicted variance, where it is one */
}

static void run(const char *name, const struct plan *plan, chain_model *model, const double *end)
{
    for (size_t seed = 0; seed < 2; seed++) {
        struct chain chain;

        chain_init(&chain, (uint32_t)seed);
        assert_int_equal(chain_run(&chain, plan, model), ADVANCE_DONE);
        assert_int_equal(chain.row.evaluations, plan->evaluations);
        for (size_t i = 0; i < 2; i++)
            if (!(fabs((double)chain.x[i] - end[2 * seed + i]) < TOLERANCE))
                fail_msg("%s, seed %zu: %.6f instead of %.6f", name, seed, (double)chain.x[i],
                         end[2 * seed + i]);
    }
}

static void give(struct option_values *options, enum sampler_option option, double value)
{
    options->given[option] = true;
    options->value[option] = value;
}

static void check_head(const struct known *known, enum head head)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct option_values options = {.given = {false}};
    struct plan_request request = {.sampler = known->sampler,
                                   .steps = known->steps,
                                   .options = &options,
                                   .dim = 2,
                                   .output_dim = known->variance_type < VARIANCE_LEARNED ? 2 : 4};
    struct process process;
    struct error error;
    struct plan *plan;

    config.schedule.head = head;
    config.schedule.clip_sample = known->clip_sample ? GIVEN_TRUE : GIVEN_FALSE;
    chain_config(&config, OPTION_VARIANCE_TYPE, known->variance_type);
    if (!process_init(&process, &config, &error))
        fail_msg("%s", error.text);
    request.process = &process;
    give(&options, OPTION_SPACING, known->spacing);
    if (known->eta == HAT)
        give(&options, OPTION_SIGMA_HAT, 1.0);
    else if (known->eta >= 0.0)
        give(&options, OPTION_ETA, known->eta);
    plan = chain_plan(&request);
    run(known->name, plan, answer, known->end);
    plan_destroy(plan);
    process_finish(&process);
}

/* An exact network says the same through every head. */
static void check(const struct known *known)
{
    check_head(known, HEAD_EPSILON);
    check_head(known, HEAD_SAMPLE);
    check_head(known, HEAD_V);
    check_head(known, HEAD_SCORE);
}

static void ddpm_chains_end_where_they_must(void **state)
{
    static const struct known chains[] = {
        {"small lead10",
         "ddpm",
         10,
         SPACING_LEADING,
         VARIANCE_FIXED_SMALL,
         DEFAULT,
         false,
         {-4.291043, -2.403165, -3.734330, -3.442030}},
        {"small log lead10",
         "ddpm",
         10,
         SPACING_LEADING,
         VARIANCE_FIXED_SMALL_LOG,
         DEFAULT,
         false,
         {-4.291043, -2.403165, -3.734330, -3.442030}},
        {"large lead10",
         "ddpm",
         10,
         SPACING_LEADING,
         VARIANCE_FIXED_LARGE,
         DEFAULT,
         false,
         {-4.898600, -2.711423, -4.306330, -3.620666}},
        {"learned_range lead10",
         "ddpm",
         10,
         SPACING_LEADING,
         VARIANCE_LEARNED_RANGE,
         DEFAULT,
         false,
         {-4.566724, -2.432618, -3.915493, -3.536023}},
        {"small lead1000",
         "ddpm",
         1000,
         SPACING_LEADING,
         VARIANCE_FIXED_SMALL,
         DEFAULT,
         false,
         {-2.770211, -2.076442, -4.035612, -5.054037}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
        check(&chains[i]);
}

static void ddim_chains_end_where_they_must(void **state)
{
    static const struct known chains[] = {
        {"lead10",
         "ddim",
         10,
         SPACING_LEADING,
         VARIANCE_FIXED_SMALL,
         DEFAULT,
         false,
         {1.177681, -.348003, -1.743765, -2.071809}},
        {"lead10 of a model with a variance",
         "ddim",
         10,
         SPACING_LEADING,
         VARIANCE_LEARNED_RANGE,
         0.0,
         false,
         {1.177681, -.348003, -1.743765, -2.071809}},
        {"trail7",
         "ddim",
         7,
         SPACING_TRAILING,
         VARIANCE_FIXED_SMALL,
         0.0,
         false,
         {-.474258, -1.884300, -1.808115, -2.111294}},
        {"linspace10",
         "ddim",
         10,
         SPACING_LINSPACE,
         VARIANCE_FIXED_SMALL,
         0.0,
         false,
         {1.864953, .304895, -1.473413, -1.808848}},
        {"lead10 clip_sample",
         "ddim",
         10,
         SPACING_LEADING,
         VARIANCE_FIXED_SMALL,
         0.0,
         true,
         {.993497, .682883, -.820359, -.850629}},
        {"eta 1 lead10",
         "ddim",
         10,
         SPACING_LEADING,
         VARIANCE_FIXED_SMALL,
         1.0,
         false,
         {-4.291043, -2.403165, -3.734330, -3.442030}},
        {"sigma_hat trail10",
         "ddim",
         10,
         SPACING_TRAILING,
         VARIANCE_FIXED_SMALL,
         HAT,
         false,
         {-4.724849, -3.067051, -4.301940, -3.561287}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
        check(&chains[i]);
}

static void guided(const struct row *row, float guidance, float *output)
{
    float conditional[2];

    mixture_output(HEAD_EPSILON, row->level, 0, row->input, conditional);
    mixture_output(HEAD_EPSILON, row->level, -1, row->input, output);
    for (int i = 0; i < 2; i++)
        output[i] += guidance * (conditional[i] - output[i]);
}

static void guided_by_1(const struct row *row, const struct plan *plan, float *output)
{
    (void)plan;
    guided(row, 1.0f, output);
}

static void guided_by_2(const struct row *row, const struct plan *plan, float *output)
{
    (void)plan;
    guided(row, 2.0f, output);
}

static void guided_chains_end_where_they_must(void **state)
{
    static const double by_1[] = {4.240623, 2.714939, 3.509027, 3.180983};
    static const double by_2[] = {4.805575, 3.279892, 4.116309, 3.788265};
    struct process_config config = process_config_default(PROCESS_TABLE);
    const struct option_values options = {.given = {false}};
    struct process process;
    struct plan_request request = {.process = &process,
                                   .sampler = "ddim",
                                   .steps = 10,
                                   .options = &options,
                                   .dim = 2,
                                   .output_dim = 2};
    struct error error;
    struct plan *plan;

    (void)state;
    config.schedule.clip_sample = GIVEN_FALSE;
    assert_true(process_init(&process, &config, &error));
    plan = chain_plan(&request);
    run("guidance 1", plan, guided_by_1, by_1);
    run("guidance 2", plan, guided_by_2, by_2);
    plan_destroy(plan);
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ddpm_chains_end_where_they_must),
        cmocka_unit_test(ddim_chains_end_where_they_must),
        cmocka_unit_test(guided_chains_end_where_they_must),
    };
    return cmocka_run_group_tests_name("chains", tests, NULL, NULL);
}
