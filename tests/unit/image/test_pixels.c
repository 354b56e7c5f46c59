/* Floats become bytes as diffusers makes them, and pictures a grid without gaps. */
#include "tests/support/test.h"

#include "core/image/pixels.h"

#include <math.h>
#include <stdlib.h>

static uint8_t byte_of(float x)
{
    uint8_t pixel;

    pixels_from_x0(&x, 1, 1, 1, &pixel);
    return pixel;
}

static void values_are_clamped_and_rounded_half_to_even(void **state)
{
    (void)state;
    assert_int_equal(byte_of(-1.0f), 0);
    assert_int_equal(byte_of(1.0f), 255);
    assert_int_equal(byte_of(-7.5f), 0);
    assert_int_equal(byte_of(7.5f), 255);
    assert_int_equal(byte_of(INFINITY), 255);
    assert_int_equal(byte_of(-INFINITY), 0);
    assert_int_equal(byte_of(NAN), 0);
    assert_int_equal(byte_of(0.0f), 128);                /* 127.5 */
    assert_int_equal(byte_of(-1.0f + 1.0f / 255.0f), 0); /* just below 0.5 in float32 */
    assert_int_equal(byte_of(2.0f * 100.0f / 255.0f - 1.0f), 100);
}

static void every_byte_survives_the_way_to_x0_and_back(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++)
        assert_int_equal(byte_of(2.0f * ((float)i / 255.0f) - 1.0f), i);
}

static void channels_come_last(void **state)
{
    const float x[] = {-1, 1, 1, -1, 0.2f, 0.2f, 1, 1, -1, -1, -1, 1}; /* 3,2,2 */
    uint8_t pixels[12];
    float values[12];

    (void)state;
    pixels_from_x0(x, 3, 2, 2, pixels);
    assert_memory_equal(pixels, ((uint8_t[]){0, 153, 0, 255, 153, 0, 255, 255, 0, 0, 255, 255}),
                        12);
    pixels_to_hwc(x, 3, 2, 2, values);
    for (size_t i = 0; i < 4; i++)
        for (size_t c = 0; c < 3; c++)
            assert_true(values[i * 3 + c] == x[c * 4 + i]);
}

static void a_grid_is_as_square_as_can_be(void **state)
{
    static const size_t expected[][3] = {{0, 0, 0},  {1, 1, 1},  {2, 2, 1}, {3, 2, 2},
                                         {4, 2, 2},  {5, 3, 2},  {9, 3, 3}, {10, 4, 3},
                                         {12, 4, 3}, {13, 4, 4}, {17, 5, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(grid_columns(expected[i][0]), expected[i][1]);
        assert_int_equal(grid_rows(expected[i][0]), expected[i][2]);
    }
}

static void a_grid_places_pictures_by_lines_and_leaves_the_rest_black(void **state)
{
    const uint8_t pixels[] = {1, 2, 3, 4, 5, 6}; /* three of 2x1 */
    struct picture grid;
    struct error error;

    (void)state;
    assert_true(grid_make(pixels, 3, 2, 1, 1, &grid, &error));
    assert_int_equal(grid.width, 4);
    assert_int_equal(grid.height, 2);
    assert_memory_equal(grid.pixels, ((uint8_t[]){1, 2, 3, 4, 5, 6, 0, 0}), 8);
    free(grid.pixels);
}

static void a_grid_above_8192_a_side_is_refused(void **state)
{
    struct picture grid;
    struct error error;

    (void)state;
    assert_false(grid_make(NULL, 5, 2731, 1, 1, &grid, &error));
    assert_int_equal(error.code, ERROR_INVALID);
}

static void every_byte_comes_back_from_its_x0(void **state)
{
    uint8_t pixels[256], back[256];
    float x[256];

    (void)state;
    for (size_t i = 0; i < 256; i++)
        pixels[i] = (uint8_t)i;
    pixels_to_x0(pixels, 1, 16, 16, x);
    assert_true(x[0] == -1.0f && x[255] == 1.0f && x[51] == -0.6f);
    pixels_from_x0(x, 1, 16, 16, back);
    assert_memory_equal(back, pixels, sizeof pixels);
}

static void channels_come_first_and_go_last_again(void **state)
{
    const float values[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const uint8_t pixels[6] = {0, 51, 255, 255, 0, 51};
    float planes[12], back[12];

    (void)state;
    pixels_to_chw(values, 3, 2, 2, planes);
    assert_true(planes[1] == 3.0f && planes[4] == 1.0f && planes[8] == 2.0f);
    pixels_to_hwc(planes, 3, 2, 2, back);
    assert_memory_equal(back, values, sizeof values);
    pixels_to_x0(pixels, 3, 1, 2, planes);
    assert_true(planes[0] == -1.0f && planes[1] == 1.0f && planes[2] == -0.6f);
}

static void a_part_is_put_where_it_belongs(void **state)
{
    uint8_t dots[4] = {1, 2, 3, 4};
    const struct picture part = {2, 2, 1, dots};
    static const uint8_t expected[12] = {0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0};
    struct picture sheet;
    struct error error;

    (void)state;
    assert_true(picture_make(4, 3, 1, &sheet, &error));
    picture_put(&sheet, 1, 1, &part);
    assert_memory_equal(sheet.pixels, expected, sizeof expected);
    free(sheet.pixels);
    assert_false(picture_make(8193, 1, 1, &sheet, &error));
    assert_int_equal(error.code, ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_clamped_and_rounded_half_to_even),
        cmocka_unit_test(every_byte_survives_the_way_to_x0_and_back),
        cmocka_unit_test(channels_come_last),
        cmocka_unit_test(a_grid_is_as_square_as_can_be),
        cmocka_unit_test(a_grid_places_pictures_by_lines_and_leaves_the_rest_black),
        cmocka_unit_test(a_grid_above_8192_a_side_is_refused),
        cmocka_unit_test(every_byte_comes_back_from_its_x0),
        cmocka_unit_test(channels_come_first_and_go_last_again),
        cmocka_unit_test(a_part_is_put_where_it_belongs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
