/* A PNG holds the pixels and the texts that went in, and nothing else. */
#include "tests/support/test.h"

#include "core/image/png.h"
#include "tests/support/png_decode.h"

#include <stdlib.h>
#include <string.h>

static void check_round_trip(size_t width, size_t height, size_t channels)
{
    const size_t size = width * height * channels;
    struct picture picture = {width, height, channels, malloc(size)}, back;
    struct buffer file = {0};
    struct error error;

    for (size_t i = 0; i < size; i++)
        picture.pixels[i] = (uint8_t)(i * i / 3 + i % 7 * 31);
    assert_true(png_encode(&picture, NULL, 0, &file, &error));
    assert_true(png_decode(file.data, file.size, &back));
    assert_int_equal(back.width, width);
    assert_int_equal(back.height, height);
    assert_int_equal(back.channels, channels);
    assert_memory_equal(back.pixels, picture.pixels, size);
    free(back.pixels);
    free(picture.pixels);
    buffer_finish(&file);
}

static void pixels_come_back(void **state)
{
    (void)state;
    check_round_trip(1, 1, 1);
    check_round_trip(5, 3, 1);
    check_round_trip(16, 16, 3);
    check_round_trip(61, 40, 3);
    check_round_trip(8192, 1, 3);
}

static void texts_come_back_in_utf8_before_the_pixels(void **state)
{
    static const struct png_text texts[] = {{"denoised", "{\"tag\":\"grün 🎈\"}"},
                                            {"parameters", "hat\nSteps: 50"}};
    uint8_t pixel = 77;
    const struct picture picture = {1, 1, 1, &pixel};
    struct picture back;
    struct buffer file = {0};
    struct error error;
    char *text;

    (void)state;
    assert_true(png_encode(&picture, texts, 2, &file, &error));
    assert_memory_equal(file.data + 33 + 4, "iTXt", 4);
    for (size_t i = 0; i < 2; i++) {
        text = png_find_text(file.data, file.size, texts[i].keyword);
        assert_string_equal(text, texts[i].text);
        free(text);
    }
    assert_true(png_decode(file.data, file.size, &back));
    assert_int_equal(back.pixels[0], 77);
    free(back.pixels);
    buffer_finish(&file);
}

static void what_a_png_cannot_hold_is_refused(void **state)
{
    static const struct picture pictures[] = {{1, 1, 2, NULL},    {1, 1, 4, NULL},
                                              {0, 1, 1, NULL},    {1, 0, 1, NULL},
                                              {8193, 1, 1, NULL}, {1, 8193, 3, NULL}};
    struct buffer file = {0};
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        assert_false(png_encode(&pictures[i], NULL, 0, &file, &error));
        assert_int_equal(error.code, ERROR_INVALID);
    }
    assert_int_equal(file.size, 0);
}

static int start(void **state)
{
    (void)state;
    png_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_come_back),
        cmocka_unit_test(texts_come_back_in_utf8_before_the_pixels),
        cmocka_unit_test(what_a_png_cannot_hold_is_refused),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
