/* Many samples of the mixture: how many end in each mode, where and how wide, beside simulated
 * values of 400,000 samples. Seeds are fixed; a tolerance is what so many samples allow. */
#include "tests/support/test.h"

#include "tests/support/known.h"

static void ddpm_samples_the_mixture(void **state)
{
    static const struct known_shares known = {
        .run = {.sampler = "ddpm",
                .steps = 1000,
                .options = {{OPTION_SPACING, SPACING_LEADING}},
                .option_count = 1},
        .samples = 500,
        .share = .1995,
        .centre = {3.0, -3.0},
        .deviation = {1.0, 1.0}};

    (void)state;
    known_shares(&known);
}

/* A hundred timesteps do not reach the prior, and a perfect network does not help. */
static void ddpm_from_the_wrong_prior_samples_another_mixture(void **state)
{
    static const struct known_shares known = {
        .run = {.sampler = "ddpm",
                .steps = 100,
                .options = {{OPTION_SPACING, SPACING_LEADING}},
                .option_count = 1},
        .timesteps = 100,
        .samples = 2000,
        .share = .3995,
        .centre = {2.29, -2.16},
        .deviation = {.93, .94}};

    (void)state;
    known_shares(&known);
}

static void ddim_in_ten_steps_is_a_little_narrow(void **state)
{
    static const struct known_shares known = {
        .run = {.sampler = "ddim",
                .steps = 10,
                .options = {{OPTION_SPACING, SPACING_TRAILING}},
                .option_count = 1},
        .samples = 4000,
        .share = .182,
        .centre = {2.68, -2.88},
        .deviation = {.95, .89}};

    (void)state;
    known_shares(&known);
}

static void ddim_in_fifty_steps_is_nearly_right(void **state)
{
    static const struct known_shares known = {
        .run = {.sampler = "ddim",
                .steps = 50,
                .options = {{OPTION_SPACING, SPACING_TRAILING}},
                .option_count = 1},
        .samples = 4000,
        .share = .2,
        .centre = {2.94, -2.97},
        .deviation = {.99, .98}};

    (void)state;
    known_shares(&known);
}

/* It starts where there is still some of the image. */
static void quadratic_spacing_is_biased(void **state)
{
    static const struct known_shares known = {
        .run = {.sampler = "ddim",
                .steps = 10,
                .options = {{OPTION_SPACING, SPACING_QUADRATIC}},
                .option_count = 1},
        .samples = 4000,
        .share = .193,
        .centre = {2.56, -2.78},
        .deviation = {.99, .94}};

    (void)state;
    known_shares(&known);
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
