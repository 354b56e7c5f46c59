/* Any head drives any sampler: an exact model that answers by another head, at the same draws, ends
 * where it ended. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/chain.h"
#include "tests/support/known.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

#define AGREE 1e-3

enum { SEEDS = 3, SEEDS_OF_MEANS = 64, STEPS = 50 };

/* What a sampler must be told on a process that has no largest sigma, or that a short test wants.
 */
static void give(struct known_run *run, enum sampler_option option, double value)
{
    run->options[run->option_count++] = (struct known_option){option, value};
}

static struct known_run run_of(const struct sampler *sampler, enum process_type type)
{
    struct known_run run = {.sampler = sampler->name, .steps = STEPS};
    const bool is_open = type == PROCESS_FLOW || type == PROCESS_OU_FINITE;

    /* The uniform grid of a flow ends at the data, where only velocity says how x moves. */
    if (sampler_has_option(sampler, OPTION_SPACING) &&
        sampler_has_choice(sampler, OPTION_SPACING, SPACING_UNIFORM))
        give(&run, OPTION_SPACING, SPACING_LINSPACE);
    if (sampler_has_option(sampler, OPTION_SIGMA))
        give(&run, OPTION_SIGMA, 1.0);
    if (is_open && sampler_has_option(sampler, OPTION_SIGMA_Q))
        give(&run, OPTION_SIGMA_Q, 20.0);
    if (is_open && sampler == sampler_find("annealed_langevin"))
        give(&run, OPTION_SIGMA_MAX, 20.0);
    if (sampler_has_option(sampler, OPTION_STEPS_PER_LEVEL))
        give(&run, OPTION_STEPS_PER_LEVEL, 2.0);
    return run;
}

static void sample(const struct known_run *run, enum process_type type, enum head head,
                   size_t seeds, float (*x)[MIXTURE_DIM])
{
    const struct process_config config = known_config_of(type, head);
    struct process process;
    struct plan *plan = known_plan(run, &config, &process);

    for (size_t seed = 0; seed < seeds; seed++) {
        struct chain chain;

        chain_init(&chain, (uint32_t)seed);
        assert_int_equal(chain_run(&chain, plan, known_answer), ADVANCE_DONE);
        for (size_t i = 0; i < MIXTURE_DIM; i++)
            x[seed][i] = chain.x[i];
    }
    plan_destroy(plan);
    process_finish(&process);
}

/* Not: a head that the process does not have, a sampler for another process, and a head that would
 * be asked where it says nothing: epsilon or score at alpha 0, sample at sigma 0. */
static bool runs_on(const struct sampler *sampler, enum process_type type, enum head head)
{
    const struct process_config config = known_config_of(type, head);
    const struct known_run run = run_of(sampler, type);
    struct error error;
    struct process process;
    struct plan *plan;
    bool runs;

    if (!process_init(&process, &config, &error))
        return false;
    runs = sampler_runs_on(sampler, &process, &error);
    process_finish(&process);
    if (!runs)
        return false;
    plan = known_try(&run, &config, &process, &error);
    if (plan == NULL && strstr(error.text, "at alpha 0,") == NULL &&
        strstr(error.text, ", sigma 0,") == NULL)
        fail_msg("%s", error.text);
    process_finish(&process);
    plan_destroy(plan);
    return plan != NULL;
}

/* PNDM combines raw outputs and makes epsilon of the sum, with the x that the step began with, as
 * diffusers does: by v that is another method. */
static bool is_another_method(const struct sampler *sampler, enum head head)
{
    return sampler == sampler_find("pndm") && head == HEAD_V;
}

static enum head first_head(const struct sampler *sampler, enum process_type type)
{
    enum head head = HEAD_EPSILON;

    while (head <= HEAD_VELOCITY && !runs_on(sampler, type, head))
        head++;
    return head;
}

/* How many heads were compared. */
static size_t compare(const struct sampler *sampler, enum process_type type)
{
    const struct known_run run = run_of(sampler, type);
    const enum head first = first_head(sampler, type);
    float expected[SEEDS][MIXTURE_DIM], found[SEEDS][MIXTURE_DIM];
    size_t compared = 0;

    if (first > HEAD_VELOCITY)
        return 0;
    sample(&run, type, first, SEEDS, expected);
    for (enum head head = first + 1; head <= HEAD_VELOCITY; head++) {
        if (!runs_on(sampler, type, head) || is_another_method(sampler, head))
            continue;
        sample(&run, type, head, SEEDS, found);
        compared++;
        for (size_t i = 0; i < SEEDS; i++)
            for (size_t j = 0; j < MIXTURE_DIM; j++)
                if (!(fabs((double)found[i][j] - (double)expected[i][j]) < AGREE))
                    fail_msg("%s on %d, seed %zu: %.6f by %s, %.6f by %s", sampler->name, (int)type,
                             i, (double)found[i][j], head_name(head), (double)expected[i][j],
                             head_name(first));
    }
    return compared;
}

static void any_head_drives_any_sampler(void **state)
{
    const struct sampler *sampler;

    (void)state;
    for (size_t i = 0; (sampler = sampler_at(i)) != NULL; i++) {
        size_t compared = 0;

        for (enum process_type type = PROCESS_TABLE; type < PROCESS_CM; type++)
            compared += compare(sampler, type);
        /* A consistency model has a head of its own; flow_rk4 has no grid but the uniform one. */
        if (compared == 0 && sampler != sampler_find("consistency") &&
            sampler != sampler_find("flow_rk4"))
            fail_msg("%s was driven by one head alone", sampler->name);
    }
}

static void mean_by_rk45(enum process_type type, enum head head, double mean[MIXTURE_DIM])
{
    const struct known_run run = {
        .sampler = "pf_ode", .options = {{OPTION_METHOD, METHOD_RK45}}, .option_count = 1};
    float x[SEEDS_OF_MEANS][MIXTURE_DIM];

    sample(&run, type, head, SEEDS_OF_MEANS, x);
    for (size_t j = 0; j < MIXTURE_DIM; j++) {
        mean[j] = 0.0;
        for (size_t i = 0; i < SEEDS_OF_MEANS; i++)
            mean[j] += (double)x[i][j] / SEEDS_OF_MEANS;
    }
}

/* Where outputs in float32 differ in their last bit, steps of adaptive length differ, too. */
static void adaptive_steps_by_any_head_agree_in_their_means(void **state)
{
    static const enum process_type types[] = {PROCESS_TABLE, PROCESS_VP, PROCESS_SUB_VP};
    static const enum head heads[] = {HEAD_SAMPLE, HEAD_SCORE};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        for (size_t k = 0; k < sizeof(heads) / sizeof(heads[0]); k++) {
            double expected[MIXTURE_DIM], found[MIXTURE_DIM];

            mean_by_rk45(types[i], HEAD_EPSILON, expected);
            mean_by_rk45(types[i], heads[k], found);
            for (size_t j = 0; j < MIXTURE_DIM; j++)
                assert_true(fabs(found[j] - expected[j]) < AGREE);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_head_drives_any_sampler),
        cmocka_unit_test(adaptive_steps_by_any_head_agree_in_their_means),
    };
    return cmocka_run_group_tests_name("heads", tests, NULL, NULL);
}
