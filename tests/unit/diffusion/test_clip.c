#include "tests/support/test.h"

#include "core/diffusion/clip.h"

#include <math.h>
#include <stdlib.h>

#define MAX 200

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static double sorted_quantile(const float *values, size_t count, double ratio)
{
    float sorted[MAX];
    const double position = ratio * (double)(count - 1);
    const size_t below = (size_t)position, above = below + 1 < count ? below + 1 : below;

    for (size_t i = 0; i < count; i++)
        sorted[i] = values[i];
    qsort(sorted, count, sizeof(sorted[0]), ascending);
    return (double)sorted[below] +
           (position - (double)below) * ((double)sorted[above] - (double)sorted[below]);
}

static void check_quantiles(float (*value)(size_t i), size_t count)
{
    static const double ratios[] = {0.0, .1, .5, .9, .95, .995, 1.0};

    for (size_t k = 0; k < sizeof(ratios) / sizeof(ratios[0]); k++) {
        float values[MAX], kept[MAX];

        for (size_t i = 0; i < count; i++)
            values[i] = kept[i] = value(i);
        assert_true(fabs(clip_quantile(values, count, ratios[k]) -
                         sorted_quantile(kept, count, ratios[k])) < 1e-12);
    }
}

static float scattered(size_t i)
{
    return (float)((i * 7919) % 1009) / 100.0f;
}

static float rising(size_t i)
{
    return (float)i;
}

static float falling(size_t i)
{
    return (float)(MAX - i);
}

static float equal(size_t i)
{
    (void)i;
    return 2.5f;
}

static float mostly_infinite(size_t i)
{
    return i % 3 == 0 ? (float)i : 1e30f;
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
    static float (*const kinds[])(size_t) = {scattered, rising, falling, equal, mostly_infinite};

    (void)state;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (size_t count = 1; count <= MAX; count += count < 10 ? 1 : 19)
            check_quantiles(kinds[k], count);
}

static const struct conversion as_output = {.x0_o = 1.0};

static const struct clip_rule usual = {.limit = 1.0, .ratio = .995, .maximum = 1.0};

static struct clip clip_of(const struct clip_rule *rule, const float *output, size_t dim)
{
    static const float x[MAX];
    static float scratch[MAX];

    return clip_for(rule, &as_output, x, output, dim, scratch);
}

static void nothing_is_clipped_unless_the_config_says_so(void **state)
{
    const float output[] = {-1e30f, 5.0f};
    struct clip_rule rule = usual;
    struct clip clip;

    (void)state;
    rule.limit = (double)INFINITY;
    clip = clip_of(&rule, output, 2);
    assert_true(clip_value(&clip, -1e30) == -1e30);
    assert_true(clip.scale == 1.0);
}

static void clip_sample_bounds_by_its_range(void **state)
{
    const float output[] = {0.0f};
    struct clip_rule rule = usual;
    struct clip clip;

    (void)state;
    rule.limit = 1.5;
    clip = clip_of(&rule, output, 1);
    assert_true(clip_value(&clip, 2.0) == 1.5);
    assert_true(clip_value(&clip, -2.0) == -1.5);
    assert_true(clip_value(&clip, 1.25) == 1.25);
    assert_true(isnan(clip_value(&clip, (double)NAN)));
    assert_true(clip.scale == 1.0);
}

static void thresholding_bounds_by_a_quantile_and_divides_by_it(void **state)
{
    const float output[] = {-3.0f, .5f, 1.0f, 2.0f, .25f};
    struct clip_rule rule = usual;
    struct clip clip;

    (void)state;
    rule.thresholding = true; /* wins over clip_sample, which is on */
    rule.ratio = .75;
    rule.maximum = 10.0;
    clip = clip_of(&rule, output, 5);
    assert_true(clip.limit == 2.0);
    assert_true(clip.scale == .5);
    rule.maximum = 1.6;
    clip = clip_of(&rule, output, 5);
    assert_true(clip.limit == 1.6);
    rule.ratio = 0.0;
    clip = clip_of(&rule, output, 5);
    assert_true(clip.limit == 1.0);
}

static void thresholding_of_values_that_are_no_numbers_ends(void **state)
{
    const float output[] = {(float)NAN, .5f, (float)NAN, (float)INFINITY, (float)NAN};
    struct clip_rule rule = usual;
    struct clip clip;

    (void)state;
    rule.thresholding = true;
    rule.maximum = 4.0;
    clip = clip_of(&rule, output, 5);
    assert_true(clip.limit == 4.0);
    assert_true(isnan(clip_value(&clip, (double)NAN)));
}

static void two_values_are_clipped_as_one_is(void **state)
{
    static const double values[] = {-3.0, -1.5, -0.0, 0.0, 1.25, 1.5, 7.0, (double)INFINITY};
    const struct clip clips[] = {{.limit = 1.5, .scale = 1.0},
                                 {.limit = (double)INFINITY, .scale = 1.0}};

    (void)state;
    for (size_t c = 0; c < 2; c++) {
        for (size_t i = 0; i + 1 < sizeof values / sizeof *values; i++) {
            const double_pair both = clip_pair(&clips[c], (double_pair){values[i], values[i + 1]});

            assert_true(both[0] == clip_value(&clips[c], values[i]));
            assert_true(both[1] == clip_value(&clips[c], values[i + 1]));
        }
        assert_true(isnan(clip_pair(&clips[c], (double_pair){(double)NAN, 1.0})[0]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
        cmocka_unit_test(nothing_is_clipped_unless_the_config_says_so),
        cmocka_unit_test(clip_sample_bounds_by_its_range),
        cmocka_unit_test(two_values_are_clipped_as_one_is),
        cmocka_unit_test(thresholding_bounds_by_a_quantile_and_divides_by_it),
        cmocka_unit_test(thresholding_of_values_that_are_no_numbers_ends),
    };
    return cmocka_run_group_tests_name("clip", tests, NULL, NULL);
}
