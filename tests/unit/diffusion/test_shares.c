/* Many samples of the mixture: how many end in each mode, where and how wide, beside simulated
 * values of 400,000 samples. Seeds are fixed; a tolerance is what so many samples allow. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "tests/support/chain.h"
#include "tests/support/mixture.h"

#include <math.h>

struct expected {
    const char *sampler;
    size_t timesteps, steps, samples;
    enum spacing spacing;
    double share; /* of samples with x + y above 0 */
    double centre, other_centre, deviation, other_deviation;
};

struct mode {
    double count, sum, square; /* over both coordinates */
};

static void answer(const struct row *row, const struct plan *plan, float *output)
{
    mixture_output(process_head(plan->process), row->level, -1, row->input, output);
}

static void sample(const struct plan *plan, size_t samples, struct mode modes[2])
{
    for (size_t seed = 0; seed < samples; seed++) {
        struct chain chain;
        struct mode *mode;

        chain_init(&chain, (uint32_t)seed);
        assert_int_equal(chain_run(&chain, plan, answer), ADVANCE_DONE);
        mode = &modes[chain.x[0] + chain.x[1] > 0.0f ? 0 : 1];
        for (size_t i = 0; i < 2; i++) {
            mode->count += 1.0;
            mode->sum += (double)chain.x[i];
            mode->square += (double)chain.x[i] * (double)chain.x[i];
        }
    }
}

static void check_mode(const struct mode *mode, double centre, double deviation)
{
    const double mean = mode->sum / mode->count;
    const double width = sqrt(mode->square / mode->count - mean * mean);
    const double standard_error = deviation / sqrt(mode->count);

    assert_true(fabs(mean - centre) < .01 + 3.0 * standard_error);
    assert_true(fabs(width - deviation) < .01 + 3.0 * standard_error / sqrt(2.0));
}

static void check(const struct expected *expected)
{
    struct process_config config = process_config_default(PROCESS_TABLE);
    struct option_values options = {.given = {false}};
    struct process process;
    struct plan_request request = {.process = &process,
                                   .sampler = expected->sampler,
                                   .steps = expected->steps,
                                   .options = &options,
                                   .dim = 2,
                                   .output_dim = 2};
    const double n = (double)expected->samples, p = expected->share;
    struct mode modes[2] = {{0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}};
    struct error error;
    struct plan *plan;

    config.schedule.timesteps = expected->timesteps;
    config.schedule.clip_sample = GIVEN_FALSE;
    chain_config(&config, OPTION_SPACING, (double)expected->spacing);
    assert_true(process_init(&process, &config, &error));
    plan = chain_plan(&request);
    sample(plan, expected->samples, modes);
    assert_true(fabs(modes[0].count / (2.0 * n) - p) < 3.0 * sqrt(p * (1.0 - p) / n) + .002);
    check_mode(&modes[0], expected->centre, expected->deviation);
    check_mode(&modes[1], expected->other_centre, expected->other_deviation);
    plan_destroy(plan);
    process_finish(&process);
}

static void ddpm_samples_the_mixture(void **state)
{
    static const struct expected expected = {"ddpm", 1000, 1000, 500, SPACING_LEADING,
                                             .1995,  3.0,  -3.0, 1.0, 1.0};

    (void)state;
    check(&expected);
}

/* A hundred timesteps do not reach the prior, and a perfect network does not help. */
static void ddpm_from_the_wrong_prior_samples_another_mixture(void **state)
{
    static const struct expected expected = {"ddpm", 100,  100,   2000, SPACING_LEADING,
                                             .3995,  2.29, -2.16, .93,  .94};

    (void)state;
    check(&expected);
}

static void ddim_in_ten_steps_is_a_little_narrow(void **state)
{
    static const struct expected expected = {"ddim", 1000, 10,    4000, SPACING_TRAILING,
                                             .182,   2.68, -2.88, .95,  .89};

    (void)state;
    check(&expected);
}

static void ddim_in_fifty_steps_is_nearly_right(void **state)
{
    static const struct expected expected = {"ddim", 1000, 50,    4000, SPACING_TRAILING,
                                             .2,     2.94, -2.97, .99,  .98};

    (void)state;
    check(&expected);
}

/* It starts where there is still some of the image. */
static void quadratic_spacing_is_biased(void **state)
{
    static const struct expected expected = {"ddim", 1000, 10,    4000, SPACING_QUADRATIC,
                                             .193,   2.56, -2.78, .99,  .94};

    (void)state;
    check(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ddpm_samples_the_mixture),
        cmocka_unit_test(ddpm_from_the_wrong_prior_samples_another_mixture),
        cmocka_unit_test(ddim_in_ten_steps_is_a_little_narrow),
        cmocka_unit_test(ddim_in_fifty_steps_is_nearly_right),
        cmocka_unit_test(quadratic_spacing_is_biased),
    };
    return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
