/* The samplers of flows: whole runs on the mixture, whose network is exact, their grids, what they
 * refuse. End points are known from an independent computation in double. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/chain.h"
#include "tests/support/mixture.h"

#include <math.h>
#include <string.h>

#define TOLERANCE 1e-4

static struct process_config flow_config(enum head head, bool is_diffusers)
{
    struct process_config config = process_config_default(PROCESS_FLOW);

    config.schedule.head = head;
    config.schedule.class_name =
        is_diffusers ? "FlowMatchEulerDiscreteScheduler" : "DenoisedProcess";
    return config;
}

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

static struct plan *plan_of(const struct process *process, const char *sampler, size_t steps,
                            const struct option_values *options)
{
    return chain_plan(&(struct plan_request){.process = process,
                                             .sampler = sampler,
                                             .steps = steps,
                                             .options = options,
                                             .dim = 2,
                                             .output_dim = 2});
}

static void answer(const struct row *row, const struct plan *plan, float *output)
{
    mixture_output(process_head(plan->process), row->level, -1, row->input, output);
}

static void check_end(const char *name, const struct plan *plan, const double *end)
{
    for (size_t seed = 0; seed < 2; seed++) {
        struct chain chain;

        chain_init(&chain, (uint32_t)seed);
        assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_DONE);
        assert_int_equal(chain.row.evaluations, plan->evaluations);
        for (size_t i = 0; i < 2; i++)
            if (!(fabs((double)chain.x[i] - end[2 * seed + i]) < TOLERANCE))
                fail_msg("%s, seed %zu: %.6f instead of %.6f", name, seed, (double)chain.x[i],
                         end[2 * seed + i]);
    }
}

struct known {
    const char *sampler;
    bool is_diffusers;
    size_t evaluations;
    double end[4];
    bool asks_at_zero;
};

static const struct known chains[] = {
    {"flow_euler", true, 10, {-.675790, -2.265407, -1.832953, -2.174743}, false},
    {"flow_heun", true, 19, {2.244105, .411336, -1.776356, -2.170428}, false},
    {"flow_euler", false, 10, {-.620411, -2.232842, -1.823811, -2.170507}, false},
    {"flow_rk4", false, 40, {2.784091, .949668, -1.757307, -2.151734}, true},
};

static void check_chain(const struct known *known, enum head head)
{
    const struct process_config config = flow_config(head, known->is_diffusers);
    const struct option_values options = {.given = {false}};
    struct process process;
    struct plan *plan;

    open_process(&process, &config);
    plan = plan_of(&process, known->sampler, 10, &options);
    assert_int_equal(plan->evaluations, known->evaluations);
    check_end(known->sampler, plan, known->end);
    plan_destroy(plan);
    process_finish(&process);
}

static void flow_chains_end_where_they_must(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        check_chain(&chains[i], HEAD_VELOCITY);
        if (!chains[i].asks_at_zero)
            check_chain(&chains[i], HEAD_SAMPLE);
    }
}

/* --- grids ---- */

struct grid {
    double shift;
    enum spacing spacing;
    double time[5];
};

static void times_are_those_of_diffusers(void **state)
{
    static const struct grid grids[] = {
        {1.0, SPACING_LINSPACE, {1.0, .667, .334, .001, 0.0}},
        {3.0, SPACING_LINSPACE, {1.0, .8576923, .6021506, .0089286, 0.0}},
        {1.0, SPACING_UNIFORM, {1.0, .75, .5, .25, 0.0}},
    };
    const struct process_config config = flow_config(HEAD_VELOCITY, true);
    struct process process;

    (void)state;
    open_process(&process, &config);
    for (size_t g = 0; g < sizeof(grids) / sizeof(grids[0]); g++) {
        struct option_values options = {.given = {false}};
        struct plan *plan;

        give(&options, OPTION_SPACING, (double)grids[g].spacing);
        if (grids[g].spacing == SPACING_LINSPACE)
            give(&options, OPTION_SHIFT, grids[g].shift);
        plan = plan_of(&process, "flow_euler", 4, &options);
        for (size_t i = 0; i < 4; i++) {
            assert_true(fabs(plan->step[i].from.sigma - grids[g].time[i]) < 1e-7);
            assert_true(fabs(plan->step[i].to.sigma - grids[g].time[i + 1]) < 1e-7);
            assert_true(plan->step[i].model_time == 1000.0 * plan->step[i].from.sigma);
        }
        plan_destroy(plan);
    }
    process_finish(&process);
}

static void one_step_goes_from_noise_to_data(void **state)
{
    const struct process_config config = flow_config(HEAD_VELOCITY, true);
    const struct option_values options = {.given = {false}};
    struct process process;
    struct plan *plan;

    (void)state;
    open_process(&process, &config);
    plan = plan_of(&process, "flow_heun", 1, &options);
    assert_int_equal(plan->evaluations, 1);
    assert_true(plan->step[0].from.sigma == 1.0 && plan->step[0].to.sigma == 0.0);
    plan_destroy(plan);
    process_finish(&process);
}

/* Without shift a folder of diffusers' and one of ours differ in the spacing only. */
static void spacing_follows_the_class(void **state)
{
    static const enum spacing expected[] = {SPACING_UNIFORM, SPACING_LINSPACE};
    const struct option_values options = {.given = {false}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct process_config config = flow_config(HEAD_VELOCITY, i == 1);
        struct process process;
        struct plan *plan;

        open_process(&process, &config);
        plan = plan_of(&process, "flow_heun", 3, &options);
        assert_true(plan->options.value[OPTION_SPACING] == (double)expected[i]);
        assert_int_equal(plan->options.given[OPTION_SHIFT], i == 1);
        plan_destroy(plan);
        process_finish(&process);
    }
}

static void the_configs_shift_is_the_default(void **state)
{
    struct process_config config = flow_config(HEAD_VELOCITY, true);
    const struct option_values options = {.given = {false}};
    struct process process;
    struct plan *plan;

    (void)state;
    chain_config(&config, OPTION_SHIFT, 3.0);
    open_process(&process, &config);
    plan = plan_of(&process, "flow_heun", 4, &options);
    assert_true(fabs(plan->step[1].from.sigma - .8576923) < 1e-7);
    plan_destroy(plan);
    process_finish(&process);
}

/* --- noise ---- */

/* x_0 is known, so every step is (1 - t') x_0 + t' z with the z of the generator. */
static void stochastic_sampling_draws_at_every_step(void **state)
{
    const struct process_config config = flow_config(HEAD_SAMPLE, true);
    struct option_values options = {.given = {false}};
    struct process process;
    struct plan *plan;
    struct chain chain;
    struct rng rng;
    float draws[8];

    (void)state;
    give(&options, OPTION_STOCHASTIC_SAMPLING, 1.0);
    open_process(&process, &config);
    plan = plan_of(&process, "flow_euler", 3, &options);
    chain_init(&chain, 5);
    rng_seed(&rng, 5);
    for (size_t i = 0; i < 4; i++)
        rng_randn(&rng, draws + 2 * i, 2);
    plan->sampler->begin(&chain.row, plan);
    assert_memory_equal(chain.x, draws, 2 * sizeof(float));
    for (size_t i = 0; i < 3; i++) {
        const double to = plan->step[i].to.sigma;
        const float x_0[2] = {.5f, -2.0f};

        assert_int_equal(plan->sampler->advance(&chain.row, plan, x_0),
                         i < 2 ? ADVANCE_EVALUATE : ADVANCE_DONE);
        for (size_t k = 0; k < 2; k++)
            assert_true(fabs((double)chain.x[k] - ((1.0 - to) * (double)x_0[k] +
                                                   to * (double)draws[2 * i + 2 + k])) < 1e-6);
    }
    assert_float_equal(chain.x[0], .5f, 0.0f);
    plan_destroy(plan);
    process_finish(&process);
}

/* --- bases ---- */

/* One point at m: x_t - m = t (x_1 - m). */
static void point_mass(const struct row *row, const struct plan *plan, float *output)
{
    static const double at[2] = {2.0, -1.0};

    (void)plan;
    for (size_t i = 0; i < 2; i++)
        output[i] = (float)(((double)row->input[i] - at[i]) / row->level.sigma);
}

static void euler_from_an_annulus_goes_straight_to_a_point(void **state)
{
    struct process_config config = flow_config(HEAD_VELOCITY, false);
    const struct option_values options = {.given = {false}};
    struct process process;
    struct plan *plan;
    struct chain chain;

    (void)state;
    config.base = FLOW_BASE_ANNULUS;
    config.base_low = 4.0;
    config.base_high = 5.0;
    open_process(&process, &config);
    process.network.is_exact_at_zero = false;
    plan = plan_of(&process, "flow_euler", 7, &options);
    for (uint32_t seed = 0; seed < 8; seed++) {
        float start[2];

        chain_init(&chain, seed);
        plan->sampler->begin(&chain.row, plan);
        memcpy(start, chain.x, sizeof(start));
        assert_true(hypotf(start[0], start[1]) > 3.9999f && hypotf(start[0], start[1]) < 5.0001f);
        for (size_t i = 0; i < 7; i++) {
            const double t = plan->step[i].to.sigma;

            point_mass(&chain.row, plan, chain.output);
            plan->sampler->advance(&chain.row, plan, chain.output);
            assert_true(fabs((double)chain.x[0] - 2.0 - t * ((double)start[0] - 2.0)) < 1e-6);
            assert_true(fabs((double)chain.x[1] + 1.0 - t * ((double)start[1] + 1.0)) < 1e-6);
        }
    }
    plan_destroy(plan);
    process_finish(&process);
}

static void a_uniform_base_is_uniform_and_the_order_of_draws_is_the_generators(void **state)
{
    struct process_config config = flow_config(HEAD_VELOCITY, false);
    const struct option_values options = {.given = {false}};
    struct process process;
    struct plan *plan;
    struct chain chain;

    (void)state;
    config.base = FLOW_BASE_UNIFORM;
    config.base_low = -2.0;
    config.base_high = 6.0;
    open_process(&process, &config);
    plan = plan_of(&process, "flow_rk4", 2, &options);
    chain_init(&chain, 0);
    plan->sampler->begin(&chain.row, plan);
    assert_true(fabs((double)chain.x[0] - (8.0 * .49625659 - 2.0)) < 1e-6);
    assert_true(fabs((double)chain.x[1] - (8.0 * .76822180 - 2.0)) < 1e-6);
    assert_int_equal(chain_run(&chain, plan, point_mass), ADVANCE_FAILED); /* asks at t = 0 */
    plan_destroy(plan);
    process_finish(&process);
}

/* --- refusals ---- */

static void refused(const struct process *process, const char *sampler,
                    const struct option_values *options, const char *sentence)
{
    struct error error;
    struct plan *plan = plan_create(&(struct plan_request){.process = process,
                                                           .sampler = sampler,
                                                           .steps = 5,
                                                           .options = options,
                                                           .dim = 2,
                                                           .output_dim = 2},
                                    &error);

    assert_null(plan);
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, sentence);
}

static void a_model_that_cannot_say_where_to_go_is_refused(void **state)
{
    struct process_config config = flow_config(HEAD_SAMPLE, false);
    const struct option_values none = {.given = {false}};
    struct process process;

    (void)state;
    open_process(&process, &config);
    refused(&process, "flow_heun", &none,
            "flow_heun would ask the model at alpha 1, sigma 0, where its output, sample, does not "
            "say how x moves");
    refused(&process, "flow_rk4", &none,
            "flow_rk4 would ask the model at alpha 1, sigma 0, where its output, sample, does not "
            "say how x moves");
    process_finish(&process);
    config.schedule.head = HEAD_VELOCITY;
    open_process(&process, &config);
    process.network.is_exact_at_zero = false;
    refused(&process, "flow_heun", &none,
            "flow_heun would ask the model at sigma 0, where data with single points have no "
            "density");
    process_finish(&process);
}

static void options_that_say_nothing_are_refused(void **state)
{
    struct process_config config = flow_config(HEAD_VELOCITY, false);
    struct option_values shift = {.given = {false}}, stochastic = {.given = {false}};
    struct option_values leading = {.given = {false}};
    struct process process;

    (void)state;
    give(&shift, OPTION_SHIFT, 3.0);
    give(&stochastic, OPTION_STOCHASTIC_SAMPLING, 1.0);
    give(&leading, OPTION_SPACING, SPACING_LEADING);
    config.base = FLOW_BASE_UNIFORM;
    config.base_high = 1.0;
    open_process(&process, &config);
    refused(&process, "flow_heun", &shift, "shift is of spacing linspace, not of uniform");
    refused(&process, "flow_euler", &stochastic,
            "stochastic_sampling draws N(0, I): this flow has another base");
    refused(&process, "flow_euler", &leading, "sampler flow_euler has no spacing leading");
    refused(&process, "ddim", &leading,
            "ddim needs a beta table; this model's process is a flow from another base than N(0, "
            "I)");
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_chains_end_where_they_must),
        cmocka_unit_test(times_are_those_of_diffusers),
        cmocka_unit_test(one_step_goes_from_noise_to_data),
        cmocka_unit_test(spacing_follows_the_class),
        cmocka_unit_test(the_configs_shift_is_the_default),
        cmocka_unit_test(stochastic_sampling_draws_at_every_step),
        cmocka_unit_test(euler_from_an_annulus_goes_straight_to_a_point),
        cmocka_unit_test(a_uniform_base_is_uniform_and_the_order_of_draws_is_the_generators),
        cmocka_unit_test(a_model_that_cannot_say_where_to_go_is_refused),
        cmocka_unit_test(options_that_say_nothing_are_refused),
    };
    return cmocka_run_group_tests_name("sampler_flow", tests, NULL, NULL);
}
