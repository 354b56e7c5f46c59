#include "tests/support/test.h"

#include "core/base/digest.h"
#include "core/base/gang.h"
#include "core/base/rng.h"
#include "core/base/rng_normal.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define SIZE_MAX_TESTED 3072

static float values[2 * SIZE_MAX_TESTED];

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Known answers of PyTorch 2.15 on x86-64. */
static void words_are_those_of_mt19937(void **state)
{
    static const uint32_t zero[] = {2357136044u, 2546248239u, 3071714933u, 3626093760u};
    static const uint32_t other[] = {1608637542u, 3421126067u, 4083286876u};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 42);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(rng_word(&rng), other[i]);
    rng_seed(&rng, 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rng_word(&rng), zero[i]);
    for (size_t i = 4; i < 1000; i++)
        (void)rng_word(&rng);
    assert_int_equal(rng_word(&rng), 1333075495u);
}

static void few_normals_are_torchs(void **state)
{
    static const uint32_t want[] = {0x3fc53f5c, 0xbe963c50, 0xc00b7149, 0x3f1184b6};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 0);
    rng_randn(&rng, values, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(bits_of(values[i]), want[i]);
}

static void sixteen_normals_are_torchs(void **state)
{
    static const uint32_t want[] = {0xbf901b85, 0xbf93808a, 0xbe804bd6, 0xbede255d,
                                    0x3f594515, 0x3f312783, 0xbea1cc6d, 0xc0075fc1,
                                    0x3ea50138, 0xbfa1b4f4, 0x3eb330ff, 0x3e9dc3bb,
                                    0x3df56f77, 0x3f9e6b93, 0x3f8ef28e, 0xbe7d367c};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 0);
    rng_randn(&rng, values, 16);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(bits_of(values[i]), want[i]);
}

static void uniforms_are_torchs(void **state)
{
    static const float want[] = {0.49625659F, 0.76822180F, 0.08847743F, 0.13203049F};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 0);
    rng_rand(&rng, values, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(bits_of(values[i]), bits_of(want[i]));
}

static void assert_randn(uint32_t seed, size_t n, const char *sum)
{
    char text[DIGEST_TEXT_SIZE];
    struct rng rng;

    rng_seed(&rng, seed);
    rng_randn(&rng, values, n);
    digest_of(values, n * sizeof *values, text);
    text[16] = '\0';
    assert_string_equal(text, sum);
}

static void normals_of_any_number_are_torchs(void **state)
{
    (void)state;
    assert_randn(0, 17, "6d2169852e19b6d1");
    assert_randn(0, 784, "0293ee908f1dc270");
    assert_randn(0, 3072, "79276078d05527a3");
    assert_randn(42, 3072, "a025713fe0b1573d");
}

static void the_kept_normal_survives_a_larger_draw(void **state)
{
    char text[DIGEST_TEXT_SIZE];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 0);
    rng_randn(&rng, values, 1);
    rng_randn(&rng, values + 1, 16);
    rng_randn(&rng, values + 17, 1);
    digest_of(values, 18 * sizeof *values, text);
    text[16] = '\0';
    assert_string_equal(text, "1b0d987a71bfc1da");
}

static void seeding_forgets_the_kept_normal(void **state)
{
    struct rng rng;
    float first;

    (void)state;
    rng_seed(&rng, 7);
    rng_randn(&rng, &first, 1);
    rng_seed(&rng, 7);
    rng_randn(&rng, values, 1);
    assert_int_equal(bits_of(values[0]), bits_of(first));
}

static void a_copy_draws_the_same_numbers(void **state)
{
    struct rng rng, copy;

    (void)state;
    rng_seed(&rng, 5);
    rng_randn(&rng, values, 3);
    copy = rng;
    rng_randn(&rng, values, 700);
    rng_randn(&copy, values + SIZE_MAX_TESTED, 700);
    assert_memory_equal(values, values + SIZE_MAX_TESTED, 700 * sizeof *values);
}

static void both_builds_of_the_transform_have_the_same_bits(void **state)
{
    struct rng rng;

    (void)state;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        skip();
    rng_seed(&rng, 1);
    for (int i = 0; i < 20; i++) {
        rng_rand(&rng, values, SIZE_MAX_TESTED);
        memset(values, 0, 2 * sizeof *values); /* log(1) and an angle of 0 */
        memcpy(values + SIZE_MAX_TESTED, values, SIZE_MAX_TESTED * sizeof *values);
        rng_normal_fma(values, SIZE_MAX_TESTED / RNG_BLOCK);
        rng_normal_baseline(values + SIZE_MAX_TESTED, SIZE_MAX_TESTED / RNG_BLOCK);
        assert_memory_equal(values, values + SIZE_MAX_TESTED, SIZE_MAX_TESTED * sizeof *values);
    }
}

static void no_normal_is_a_negative_zero_or_not_finite(void **state)
{
    static float block[RNG_BLOCK];

    (void)state;
    for (size_t i = 0; i < RNG_BLOCK / 2; i++) {
        block[i] = i % 2 == 0 ? 0 : 0x1.fffffep-1F; /* the least and the largest uniform */
        block[i + RNG_BLOCK / 2] = (float)i / 8;
    }
    rng_normal_baseline(block, 1);
    for (size_t i = 0; i < RNG_BLOCK; i++) {
        assert_true(isfinite(block[i]));
        assert_false(block[i] == 0 && signbit(block[i]));
    }
}

static void the_float_mode_changes_no_bit(void **state)
{
    (void)state;
    gang_float_mode();
    few_normals_are_torchs(NULL);
    normals_of_any_number_are_torchs(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_those_of_mt19937),
        cmocka_unit_test(few_normals_are_torchs),
        cmocka_unit_test(sixteen_normals_are_torchs),
        cmocka_unit_test(uniforms_are_torchs),
        cmocka_unit_test(normals_of_any_number_are_torchs),
        cmocka_unit_test(the_kept_normal_survives_a_larger_draw),
        cmocka_unit_test(seeding_forgets_the_kept_normal),
        cmocka_unit_test(a_copy_draws_the_same_numbers),
        cmocka_unit_test(both_builds_of_the_transform_have_the_same_bits),
        cmocka_unit_test(no_normal_is_a_negative_zero_or_not_finite),
        cmocka_unit_test(the_float_mode_changes_no_bit),
    };

    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
