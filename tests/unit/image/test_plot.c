/* Points stand where the axes say, in the same picture on every machine. */
#include "tests/support/test.h"

#include "core/base/digest.h"
#include "core/image/plot.h"

#include <stdlib.h>
#include <string.h>

static const double VIEW[4] = {-8, 8, -8, 8};

static struct picture plot(const float *points, size_t n, size_t dim, const int32_t *labels)
{
    struct picture picture;
    struct error error;

    assert_true(plot_points(points, n, dim, labels, VIEW, &picture, &error));
    assert_int_equal(picture.width, PLOT_SIZE);
    assert_int_equal(picture.height, PLOT_SIZE);
    assert_int_equal(picture.channels, 3);
    return picture;
}

/* Pixels that are clearly coloured: axes and numbers are greys. */
static size_t coloured(const struct picture *picture, size_t from_x, size_t to_x, size_t from_y,
                       size_t to_y)
{
    size_t count = 0;

    for (size_t y = from_y; y < to_y; y++)
        for (size_t x = from_x; x < to_x; x++) {
            const uint8_t *pixel = picture->pixels + (y * picture->width + x) * 3;

            count += abs(pixel[0] - pixel[2]) > 60;
        }
    return count;
}

static void a_point_is_drawn_where_the_axes_say(void **state)
{
    const float point[2] = {4.0f, 4.0f};
    struct picture picture = plot(point, 1, 2, NULL);

    (void)state;
    assert_true(coloured(&picture, 0, 512, 0, 512) > 20);
    assert_int_equal(coloured(&picture, 0, 512, 0, 512), coloured(&picture, 375, 395, 117, 137));
    free(picture.pixels);
}

static void points_outside_are_left_out(void **state)
{
    const float points[] = {8.5f, 0, 0, -9, -1e30f, 3, 3, 1e30f};
    struct picture picture = plot(points, 4, 2, NULL);

    (void)state;
    assert_int_equal(coloured(&picture, 0, 512, 0, 512), 0);
    free(picture.pixels);
}

static void classes_have_colours(void **state)
{
    const float points[] = {-4, 0, 4, 0};
    const int32_t labels[] = {0, 1};
    struct picture picture = plot(points, 2, 2, labels);
    const uint8_t *left = picture.pixels + (size_t)(239 * 512 + 158) * 3;
    const uint8_t *right = picture.pixels + (size_t)(239 * 512 + 384) * 3;

    (void)state;
    assert_true(left[0] > left[2] + 60);
    assert_true(right[2] > right[0] + 40);
    free(picture.pixels);
}

static void bars_grow_with_their_share(void **state)
{
    float points[300];
    struct picture picture;
    size_t left, right;

    (void)state;
    for (size_t i = 0; i < 300; i++)
        points[i] = i < 100 ? -4.0f : 4.0f;
    picture = plot(points, 300, 1, NULL);
    left = coloured(&picture, 0, 272, 0, 512);
    right = coloured(&picture, 272, 512, 0, 512);
    assert_true(left > 100);
    assert_in_range(2 * left, right - right / 50, right + right / 50);
    free(picture.pixels);
}

static void the_picture_has_the_same_bits_everywhere(void **state)
{
    float points[2000];
    char digest[DIGEST_TEXT_SIZE];
    uint32_t word = 1;
    struct picture picture;

    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        word = word * 1664525u + 1013904223u;
        points[i] = (float)(word >> 8) / 1048576.0f - 8.0f;
    }
    picture = plot(points, 1000, 2, NULL);
    digest_of(picture.pixels, (size_t)512 * 512 * 3, digest);
    assert_string_equal(digest, "85c19bd8920565d249d80986874ee5e81051e26f90836e8c77e6250228a3ad3a");
    free(picture.pixels);
    picture = plot(points, 2000, 1, NULL);
    digest_of(picture.pixels, (size_t)512 * 512 * 3, digest);
    assert_string_equal(digest, "47a4f67b5c213f2e6ae2faf41036bbd70172cb79cf564488415efcb0b93d4bab");
    free(picture.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_is_drawn_where_the_axes_say),
        cmocka_unit_test(points_outside_are_left_out),
        cmocka_unit_test(classes_have_colours),
        cmocka_unit_test(bars_grow_with_their_share),
        cmocka_unit_test(the_picture_has_the_same_bits_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
