/* The tutorial's samplers in VE coordinates, on processes of several kinds. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/chain.h"
#include "tests/support/mixture.h"

#include <math.h>

static void open_process(struct process *process, const struct process_config *config,
                         bool is_exact)
{
    struct error error;

    if (!process_init(process, config, &error))
        fail_msg("%s", error.text);
    process->network = (struct process_network){
        .is_points = true, .is_exact = is_exact, .is_exact_at_zero = is_exact};
}

static struct option_values sigma_q(double value)
{
    struct option_values options = {.given = {false}};

    options.given[OPTION_SIGMA_Q] = true;
    options.value[OPTION_SIGMA_Q] = value;
    return options;
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

/* The end of a run of the mixture under any process with that head. */
static void run(enum process_type type, enum head head, const char *sampler, uint32_t seed,
                float end[2])
{
    struct process_config config = process_config_default(type);
    const struct option_values options = sigma_q(10.0);
    struct process process;
    struct plan *plan;
    struct chain chain;

    config.sigma_q = 10.0;
    config.schedule.head = head;
    open_process(&process, &config, true);
    plan = plan_of(&process, sampler, 10, &options);
    chain_init(&chain, seed);
    assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_DONE);
    assert_int_equal(chain.row.evaluations, 10);
    end[0] = chain.x[0];
    end[1] = chain.x[1];
    plan_destroy(plan);
    process_finish(&process);
}

/* Known from an independent computation in double. */
static void ddpm_ends_where_it_must(void **state)
{
    static const double known[2][2] = {{-2.301733, 1.355250}, {7.789917, -8.864035}};

    (void)state;
    for (uint32_t seed = 0; seed < 2; seed++) {
        float end[2];

        run(PROCESS_VE_LINEAR, HEAD_SCORE, "ve_ddpm", seed, end);
        for (size_t i = 0; i < 2; i++)
            assert_true(fabs((double)end[i] - known[seed][i]) < 1e-4);
    }
}

/* Whatever the network was trained on and says: x in VE coordinates is the same. */
static void every_process_and_head_gives_the_same(void **state)
{
    static const struct {
        enum process_type type;
        enum head head;
    } cases[] = {
        {PROCESS_VE_LINEAR, HEAD_EPSILON}, {PROCESS_VE_LINEAR, HEAD_SAMPLE},
        {PROCESS_VE, HEAD_SCORE},          {PROCESS_TABLE, HEAD_EPSILON},
        {PROCESS_TABLE, HEAD_V},           {PROCESS_TABLE, HEAD_SAMPLE},
        {PROCESS_TABLE, HEAD_SCORE},       {PROCESS_VP, HEAD_V},
        {PROCESS_SUB_VP, HEAD_EPSILON},    {PROCESS_OU, HEAD_SAMPLE},
        {PROCESS_OU_FINITE, HEAD_SCORE},   {PROCESS_FLOW, HEAD_VELOCITY},
        {PROCESS_FLOW, HEAD_SAMPLE},
    };
    static const char *const samplers[] = {"ve_ddpm", "ve_ddim"};

    (void)state;
    for (size_t s = 0; s < 2; s++)
        for (uint32_t seed = 0; seed < 4; seed++) {
            float expected[2];

            run(PROCESS_VE_LINEAR, HEAD_SCORE, samplers[s], seed, expected);
            for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                float end[2];

                run(cases[i].type, cases[i].head, samplers[s], seed, end);
                assert_float_equal(end[0], expected[0], 1e-3f);
                assert_float_equal(end[1], expected[1], 1e-3f);
            }
        }
}

/* One point at 0, through the score. */
static void point_mass(const struct row *row, const struct plan *plan, float *output)
{
    const double sigma = row->level.sigma;

    (void)plan;
    for (size_t i = 0; i < 2; i++)
        output[i] = (float)(-(double)row->input[i] / (sigma * sigma));
}

static void ddim_shrinks_a_point_mass_as_the_noise_does(void **state)
{
    struct process_config config = process_config_default(PROCESS_VE_LINEAR);
    const struct option_values options = {.given = {false}};
    struct process process;
    struct plan *plan;
    struct chain chain;

    (void)state;
    config.sigma_q = 10.0;
    config.schedule.head = HEAD_SCORE;
    open_process(&process, &config, false);
    plan = plan_of(&process, "ve_ddim", 12, &options);
    assert_true(plan->options.value[OPTION_SIGMA_Q] == 10.0);
    chain_init(&chain, 3);
    plan->sampler->begin(&chain.row, plan);
    for (size_t i = 0; i < 12; i++) {
        const struct plan_step *step = &plan->step[i];
        const double before[2] = {(double)chain.x[0], (double)chain.x[1]};

        assert_false(step->draws);
        point_mass(&chain.row, plan, chain.output);
        assert_int_equal(plan->sampler->advance(&chain.row, plan, chain.output),
                         i < 11 ? ADVANCE_EVALUATE : ADVANCE_DONE);
        for (size_t k = 0; k < 2; k++)
            assert_true(fabs((double)chain.x[k] - before[k] * step->to.sigma / step->from.sigma) <
                        1e-6 * fmax(1.0, fabs(before[k])));
    }
    plan_destroy(plan);
    process_finish(&process);
}

static void ddpm_draws_at_every_step(void **state)
{
    const struct process_config config = process_config_default(PROCESS_VE);
    const struct option_values options = {.given = {false}};
    struct process process;
    struct plan *plan;

    (void)state;
    open_process(&process, &config, true);
    plan = plan_of(&process, "ve_ddpm", 5, &options);
    assert_true(plan->start_scale == 50.0);
    for (size_t i = 0; i < 5; i++)
        assert_true(plan->step[i].draws);
    plan_destroy(plan);
    process_finish(&process);
}

static void refused(const struct process *process, const struct option_values *options,
                    const char *sentence)
{
    struct error error;
    struct plan *plan = plan_create(&(struct plan_request){.process = process,
                                                           .sampler = "ve_ddim",
                                                           .steps = 4,
                                                           .options = options,
                                                           .dim = 2,
                                                           .output_dim = 2},
                                    &error);

    assert_null(plan);
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, sentence);
}

static void levels_outside_the_process_are_refused(void **state)
{
    struct process_config config = process_config_default(PROCESS_VE);
    const struct option_values none = {.given = {false}}, low = sigma_q(.015), high = sigma_q(51.0);
    struct process process;

    (void)state;
    open_process(&process, &config, false);
    refused(&process, &low,
            "ve_ddim would ask the model at sigma 0.0075, outside the range of its noise");
    refused(&process, &high,
            "ve_ddim would ask the model at sigma 51, outside the range of its noise");
    process_finish(&process);
    config = process_config_default(PROCESS_FLOW);
    open_process(&process, &config, true);
    refused(&process, &none, "sigma_q must be given: a flow has no largest noise level");
    process_finish(&process);
    config = process_config_default(PROCESS_VE_LINEAR);
    open_process(&process, &config, true);
    refused(&process, &high, "sigma_q of this model is 1 and cannot be changed");
    process_finish(&process);
    config = process_config_default(PROCESS_FLOW);
    config.base = FLOW_BASE_UNIFORM;
    config.base_high = 1.0;
    open_process(&process, &config, true);
    refused(&process, &high,
            "ve_ddim needs noise that is N(0, I) at every level; this model's process is a flow "
            "from another base than N(0, I)");
    process_finish(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ddpm_ends_where_it_must),
        cmocka_unit_test(every_process_and_head_gives_the_same),
        cmocka_unit_test(ddim_shrinks_a_point_mass_as_the_noise_does),
        cmocka_unit_test(ddpm_draws_at_every_step),
        cmocka_unit_test(levels_outside_the_process_are_refused),
    };
    return cmocka_run_group_tests_name("sampler_ve_tutorial", tests, NULL, NULL);
}
