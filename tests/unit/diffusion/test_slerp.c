#include "tests/support/test.h"

#include "core/base/rng.h"
#include "core/diffusion/slerp.h"

#include <math.h>
#include <string.h>

#define DIM 768

static void draw(uint32_t seed, float *values)
{
    struct rng rng;

    rng_seed(&rng, seed);
    rng_randn(&rng, values, DIM);
}

static double length(const float *values, size_t dim)
{
    double sum = 0.0;

    for (size_t i = 0; i < dim; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

static void a_quarter_of_the_way_is_a_quarter_of_the_angle(void **state)
{
    static const double ANGLES[] = {1e-3, .5, 1.5707963267948966, 2.5, 3.0};

    (void)state;
    for (size_t i = 0; i < sizeof ANGLES / sizeof ANGLES[0]; i++) {
        const float from[2] = {2.0f, 0.0f};
        const float to[2] = {(float)(2.0 * cos(ANGLES[i])), (float)(2.0 * sin(ANGLES[i]))};
        float out[2];

        slerp(from, to, 2, .25, out);
        assert_true(fabs((double)out[0] - 2.0 * cos(ANGLES[i] / 4.0)) < 2e-6);
        assert_true(fabs((double)out[1] - 2.0 * sin(ANGLES[i] / 4.0)) < 2e-6);
    }
}

static void both_ends_are_kept_to_the_bit(void **state)
{
    float from[DIM], to[DIM], out[DIM];

    (void)state;
    draw(3, from);
    draw(4, to);
    slerp(from, to, DIM, 0.0, out);
    assert_memory_equal(out, from, sizeof out);
    slerp(from, to, DIM, 1.0, out);
    assert_memory_equal(out, to, sizeof out);
}

/* The straight way from one draw to another passes at 1/sqrt 2 of their length. */
static void the_way_between_two_draws_is_as_long_as_they_are(void **state)
{
    float from[DIM], to[DIM], out[DIM];

    (void)state;
    draw(3, from);
    draw(4, to);
    for (int i = 1; i < 10; i++) {
        const double q = .1 * (double)i;
        const double between = (1.0 - q) * length(from, DIM) + q * length(to, DIM);

        slerp(from, to, DIM, q, out);
        assert_true(fabs(length(out, DIM) / between - 1.0) < .02);
    }
}

static void without_an_angle_the_way_is_straight(void **state)
{
    static const float FROM[3] = {1.0f, 2.0f, -2.0f};
    static const float TO[][3] = {
        {3.0f, 6.0f, -6.0f}, {-1.0f, -2.0f, 2.0f}, {0.0f, 0.0f, 0.0f}, {1.0f, 2.0f, -2.0f}};
    float out[3];

    (void)state;
    for (size_t i = 0; i < sizeof TO / sizeof TO[0]; i++) {
        slerp(FROM, TO[i], 3, .25, out);
        for (size_t k = 0; k < 3; k++)
            assert_true(out[k] == .75f * FROM[k] + .25f * TO[i][k]);
        slerp(TO[i], FROM, 3, .75, out);
        for (size_t k = 0; k < 3; k++)
            assert_true(out[k] == .75f * FROM[k] + .25f * TO[i][k]);
    }
}

/* There the straight way passes at 5e-6 of their length. */
static void between_nearly_opposite_ends_the_length_is_kept(void **state)
{
    const float from[2] = {1.0f, 0.0f}, to[2] = {-1.0f, 1e-5f};
    float out[2];

    (void)state;
    slerp(from, to, 2, .5, out);
    assert_true(fabs(length(out, 2) - 1.0) < 1e-6);
    assert_true(out[1] > .999f);
}

static void it_may_be_written_over_an_end(void **state)
{
    float from[DIM], to[DIM], out[DIM];

    (void)state;
    draw(8, from);
    draw(9, to);
    slerp(from, to, DIM, .3, out);
    slerp(from, to, DIM, .3, to);
    assert_memory_equal(out, to, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quarter_of_the_way_is_a_quarter_of_the_angle),
        cmocka_unit_test(both_ends_are_kept_to_the_bit),
        cmocka_unit_test(the_way_between_two_draws_is_as_long_as_they_are),
        cmocka_unit_test(without_an_angle_the_way_is_straight),
        cmocka_unit_test(between_nearly_opposite_ends_the_length_is_kept),
        cmocka_unit_test(it_may_be_written_over_an_end),
    };

    return cmocka_run_group_tests_name("slerp", tests, NULL, NULL);
}
