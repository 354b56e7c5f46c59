/* Points of formulas: where they lie, how many of each, and that a seed makes them. */
#include "tests/support/test.h"

#include "core/train/data.h"

#include <math.h>
#include <string.h>

static struct data data;

static void open_data(const char *name, uint32_t seed)
{
    struct error error;

    assert_true(data_open(&data, name, seed, &error));
    assert_int_equal(data.dim, 2);
    assert_int_equal(data.count, DATA_POINTS);
}

static const float *point(size_t i)
{
    return data.points + 2 * i;
}

static double radius(size_t i)
{
    return sqrt((double)point(i)[0] * (double)point(i)[0] +
                (double)point(i)[1] * (double)point(i)[1]);
}

static void equal_seeds_give_equal_points(void **state)
{
    float first[64];

    (void)state;
    open_data("moons", 7);
    memcpy(first, data.points, sizeof first);
    data_close(&data);
    open_data("moons", 7);
    assert_memory_equal(first, data.points, sizeof first);
    data_close(&data);
    open_data("moons", 8);
    assert_memory_not_equal(first, data.points, sizeof first);
    data_close(&data);
}

static void one_point_of_five_of_the_two_gaussians_is_at_the_plus(void **state)
{
    size_t plus = 0;

    (void)state;
    open_data("two-gaussians", 0);
    for (size_t i = 0; i < data.count; i++)
        plus += (double)point(i)[0] + (double)point(i)[1] > 0;
    assert_true(fabs((double)plus / DATA_POINTS - .2) < .003);
    assert_true(fabs(data_energy(&data) - 20) < .1);
    data_close(&data);
}

static void eight_clouds_hold_an_eighth_each(void **state)
{
    size_t count[8] = {0};

    (void)state;
    open_data("8-gaussians", 0);
    for (size_t i = 0; i < data.count; i++) {
        const double turn = atan2((double)point(i)[1], (double)point(i)[0]) / 6.283185307;

        count[(size_t)(8 + lround(8 * turn)) % 8]++;
    }
    for (size_t k = 0; k < 8; k++)
        assert_true(fabs((double)count[k] / DATA_POINTS - .125) < .003);
    data_close(&data);
}

static void curves_are_as_thin_as_their_jitter(void **state)
{
    (void)state;
    open_data("ring", 0);
    for (size_t i = 0; i < data.count; i++)
        assert_true(fabs(radius(i) - 1.7) < .2);
    data_close(&data);
    open_data("swiss-roll", 0);
    for (size_t i = 0; i < data.count; i++)
        assert_true(radius(i) > .7 && radius(i) < 3.3);
    data_close(&data);
}

static void ten_points_are_ten_points(void **state)
{
    size_t found = 0;
    float seen[16][2];

    (void)state;
    open_data("10-points", 0);
    for (size_t i = 0; i < data.count; i++) {
        size_t k = 0;

        while (k < found && memcmp(seen[k], point(i), sizeof seen[k]) != 0)
            k++;
        assert_true(k < 16);
        memcpy(seen[k], point(i), sizeof seen[k]);
        found += k == found;
    }
    assert_int_equal(found, 10);
    data_close(&data);
}

static void shapes_are_eight_classes_of_equal_size(void **state)
{
    size_t count[8] = {0};

    (void)state;
    open_data("shapes", 0);
    assert_int_equal(data.class_count, 8);
    assert_string_equal(data.class_names[0], "heart");
    assert_string_equal(data.class_names[7], "checkerboard");
    for (size_t i = 0; i < data.count; i++)
        count[data.labels[i]]++;
    for (size_t k = 0; k < 8; k++)
        assert_true(fabs((double)count[k] / DATA_POINTS - .125) < .003);
    for (size_t i = 0; i < data.count; i++)
        if (data.labels[i] == 3)
            assert_true(fabs(radius(i) - 1.7) < .2);
    data_close(&data);
}

static void every_formula_stays_within_its_view_and_near_the_middle(void **state)
{
    (void)state;
    for (size_t k = 0; data_outlines[k] != NULL; k++) {
        double view[4], mean[2] = {0, 0};
        size_t outside = 0;

        open_data(data_outlines[k]->name, 3);
        data_view(&data, view);
        for (size_t i = 0; i < data.count; i++) {
            mean[0] += (double)point(i)[0] / DATA_POINTS;
            mean[1] += (double)point(i)[1] / DATA_POINTS;
            outside += (double)point(i)[0] < view[0] || (double)point(i)[0] > view[1] ||
                       (double)point(i)[1] < view[2] || (double)point(i)[1] > view[3];
        }
        assert_true(outside <= 2);
        assert_true(fabs(mean[0]) < .25 * view[1] && fabs(mean[1]) < .25 * view[3]);
        data_close(&data);
    }
}

/* A card's view: x0 < x1, y0 < y1 within +-1e6. */
static void points_far_away_or_close_together_have_a_view_that_a_card_may_hold(void **state)
{
    static float sets[][4] = {{1e6f, -1e6f, -1e6f, 1e6f},
                              {5, 0, 5, 1e-20f},
                              {1e6f, 0, 1e6f, 1},
                              {-1e6f, -1e6f, -1e6f, -1e6f},
                              {0, 0, 1e-30f, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct data two = {.name = "two.csv", .points = sets[i], .count = 2, .dim = 2};
        double view[4];

        data_view(&two, view);
        for (size_t k = 0; k < 4; k += 2) {
            assert_true(view[k] < view[k + 1]);
            assert_true(view[k] >= -1e6 && view[k + 1] <= 1e6);
            for (size_t at = k / 2; at < 4; at += 2)
                assert_true((double)sets[i][at] >= view[k] && (double)sets[i][at] <= view[k + 1]);
        }
    }
}

static void an_unknown_name_is_told_all_names(void **state)
{
    struct error error;

    (void)state;
    assert_false(data_open(&data, "swiss", 0, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.text, "'swiss'"));
    for (size_t i = 0; data_outlines[i] != NULL; i++)
        assert_non_null(strstr(error.text, data_outlines[i]->name));
    assert_non_null(strstr(error.text, "shapes, or FILE.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_seeds_give_equal_points),
        cmocka_unit_test(one_point_of_five_of_the_two_gaussians_is_at_the_plus),
        cmocka_unit_test(eight_clouds_hold_an_eighth_each),
        cmocka_unit_test(curves_are_as_thin_as_their_jitter),
        cmocka_unit_test(ten_points_are_ten_points),
        cmocka_unit_test(shapes_are_eight_classes_of_equal_size),
        cmocka_unit_test(every_formula_stays_within_its_view_and_near_the_middle),
        cmocka_unit_test(points_far_away_or_close_together_have_a_view_that_a_card_may_hold),
        cmocka_unit_test(an_unknown_name_is_told_all_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
