/* A PNG of the right size gives its pixels; anything else gives a sentence, and is not decoded. */
#include "tests/support/test.h"

#include "core/image/png.h"
#include "core/image/png_chunk.h"
#include "core/image/png_read.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define WIDTH  5
#define HEIGHT 4

static const struct png_size COLOURED = {WIDTH, HEIGHT, 3}, GREY = {WIDTH, HEIGHT, 1};

/* A file of one IDAT with these pixels and no filters. */
static struct buffer make_file(uint8_t colour, size_t channels, const uint8_t *pixels)
{
    const uint8_t header[] = {8, colour, 0, 0, 0};
    uint8_t lines[HEIGHT * (WIDTH * 4 + 1)] = {0}, packed[512];
    const size_t line = WIDTH * channels;
    uLongf size = sizeof packed;
    struct buffer file = {0};
    size_t chunk;

    for (size_t y = 0; y < HEIGHT; y++)
        memcpy(lines + y * (line + 1) + 1, pixels + y * line, line);
    assert_int_equal(compress(packed, &size, lines, HEIGHT * (line + 1)), Z_OK);
    buffer_append(&file, PNG_SIGNATURE, PNG_SIGNATURE_SIZE);
    chunk = png_chunk_begin(&file, "IHDR");
    png_append_word(&file, WIDTH);
    png_append_word(&file, HEIGHT);
    buffer_append(&file, header, sizeof header);
    png_chunk_end(&file, chunk);
    chunk = png_chunk_begin(&file, "IDAT");
    buffer_append(&file, packed, size);
    png_chunk_end(&file, chunk);
    png_chunk_end(&file, png_chunk_begin(&file, "IEND"));
    return file;
}

static struct buffer make_coloured(uint8_t pixels[WIDTH * HEIGHT * 3])
{
    for (size_t i = 0; i < WIDTH * HEIGHT * 3; i++)
        pixels[i] = (uint8_t)(i * 97 + 13);
    return make_file(2, 3, pixels);
}

static void coloured_pixels_come_back(void **state)
{
    uint8_t pixels[WIDTH * HEIGHT * 3], back[WIDTH * HEIGHT * 3];
    struct buffer file = make_coloured(pixels);
    struct error error;

    (void)state;
    assert_true(png_check_start(file.data, file.size, &COLOURED, &error));
    assert_true(png_read(file.data, file.size, &COLOURED, back, &error));
    assert_memory_equal(back, pixels, sizeof pixels);
    buffer_finish(&file);
}

static void our_own_files_are_read_with_their_texts_dropped(void **state)
{
    static const struct png_text text = {"parameters", "hat"};
    uint8_t pixels[WIDTH * HEIGHT], back[WIDTH * HEIGHT];
    const struct picture picture = {WIDTH, HEIGHT, 1, pixels};
    struct buffer file = {0};
    struct error error;

    (void)state;
    png_start();
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(255 - i * 11);
    assert_true(png_encode(&picture, &text, 1, &file, &error));
    assert_true(png_read(file.data, file.size, &GREY, back, &error));
    assert_memory_equal(back, pixels, sizeof pixels);
    buffer_finish(&file);
}

static void grey_serves_both_and_opaque_colours_serve_where_nothing_is_lost(void **state)
{
    uint8_t grey[WIDTH * HEIGHT], rgba[WIDTH * HEIGHT * 4], back[WIDTH * HEIGHT * 3];
    struct buffer file;
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof grey; i++) {
        grey[i] = (uint8_t)(i * 12);
        memset(rgba + 4 * i, grey[i], 3);
        rgba[4 * i + 3] = 255;
    }
    file = make_file(0, 1, grey);
    assert_true(png_read(file.data, file.size, &COLOURED, back, &error));
    assert_int_equal(back[3 * 7 + 2], grey[7]);
    buffer_finish(&file);
    file = make_file(6, 4, rgba);
    assert_true(png_read(file.data, file.size, &GREY, back, &error));
    assert_memory_equal(back, grey, sizeof grey);
    buffer_finish(&file);
    rgba[4 * 7 + 3] = 254;
    file = make_file(6, 4, rgba);
    assert_false(png_read(file.data, file.size, &GREY, back, &error));
    assert_string_equal(error.text, "the picture is not opaque at x 2, y 1: alpha 254");
    buffer_finish(&file);
    rgba[4 * 7 + 3] = 255;
    rgba[4 * 7 + 1]++;
    file = make_file(6, 4, rgba);
    assert_false(png_read(file.data, file.size, &GREY, back, &error));
    assert_non_null(strstr(error.text, "not grey at x 2, y 1"));
    buffer_finish(&file);
}

static void wrong_ihdr_fields_are_named_before_anything_is_decoded(void **state)
{
    static const struct {
        size_t at;
        unsigned char value;
        const char *text;
    } CASES[] = {{8 + 8 + 2, 64, "16389x4, not the model's 5x4"},
                 {8 + 8 + 3, 0, "0x4"},
                 {8 + 8 + 7, 5, "5x5"},
                 {8 + 8 + 8, 16, "16 bits"},
                 {8 + 8 + 9, 3, "colour type is 3"},
                 {8 + 8 + 9, 4, "colour type is 4"},
                 {8 + 8 + 12, 2, "interlace"},
                 {0, 'G', "not a PNG"},
                 {8 + 3, 14, "does not begin with IHDR"}};
    uint8_t pixels[WIDTH * HEIGHT * 3], back[sizeof pixels];
    struct buffer file = make_coloured(pixels);
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const unsigned char before = file.data[CASES[i].at];

        file.data[CASES[i].at] = CASES[i].value;
        assert_false(png_check_start(file.data, file.size, &COLOURED, &error));
        assert_non_null(strstr(error.text, CASES[i].text));
        assert_false(png_read(file.data, file.size, &COLOURED, back, &error));
        assert_int_equal(error.code, ERROR_INVALID);
        file.data[CASES[i].at] = before;
    }
    assert_true(png_read(file.data, file.size, &COLOURED, back, &error));
    buffer_finish(&file);
}

static void every_cut_and_every_changed_byte_is_refused(void **state)
{
    uint8_t pixels[WIDTH * HEIGHT * 3], back[sizeof pixels];
    struct buffer file = make_coloured(pixels);
    unsigned char *copy;
    struct error error;

    (void)state;
    for (size_t size = 0; size < file.size; size++) {
        copy = malloc(size + 1); /* of the exact size, so that a sanitizer sees a byte too many */
        memcpy(copy, file.data, size);
        assert_false(png_read(copy, size, &COLOURED, back, &error));
        free(copy);
        file.data[size] ^= 0x10;
        assert_false(png_read(file.data, file.size, &COLOURED, back, &error));
        file.data[size] ^= 0x10;
    }
    buffer_append(&file, "x", 1);
    assert_false(png_read(file.data, file.size, &COLOURED, back, &error));
    assert_non_null(strstr(error.text, "bytes follow"));
    buffer_finish(&file);
}

static void good_chunks_around_bad_pixels_are_refused(void **state)
{
    uint8_t pixels[WIDTH * HEIGHT * 3], back[sizeof pixels];
    struct buffer file = make_coloured(pixels);
    size_t chunk;
    struct error error;

    (void)state;
    file.size = PNG_SIGNATURE_SIZE + PNG_HEADER_SIZE;
    chunk = png_chunk_begin(&file, "IDAT");
    buffer_text(&file, "these are no deflated lines");
    png_chunk_end(&file, chunk);
    png_chunk_end(&file, png_chunk_begin(&file, "IEND"));
    assert_false(png_read(file.data, file.size, &COLOURED, back, &error));
    assert_non_null(strstr(error.text, "cannot be decoded"));
    file.size = PNG_SIGNATURE_SIZE + PNG_HEADER_SIZE;
    png_chunk_end(&file, png_chunk_begin(&file, "IEND"));
    assert_false(png_read(file.data, file.size, &COLOURED, back, &error));
    assert_non_null(strstr(error.text, "no pixels"));
    file.size = PNG_SIGNATURE_SIZE + PNG_HEADER_SIZE;
    png_chunk_end(&file, png_chunk_begin(&file, "PLTE"));
    assert_false(png_read(file.data, file.size, &COLOURED, back, &error));
    assert_non_null(strstr(error.text, "none that such a picture has"));
    buffer_finish(&file);
}

static void more_than_the_pixels_is_not_unpacked(void **state)
{
    static const uint8_t zeros[4096];
    uint8_t pixels[WIDTH * HEIGHT * 3], packed[512];
    uLongf size = sizeof packed;
    struct buffer file = make_coloured(pixels);
    struct error error;
    size_t chunk;

    (void)state;
    assert_int_equal(compress(packed, &size, zeros, sizeof zeros), Z_OK);
    file.size = PNG_START;
    chunk = png_chunk_begin(&file, "IDAT");
    buffer_append(&file, packed, size);
    png_chunk_end(&file, chunk);
    png_chunk_end(&file, png_chunk_begin(&file, "IEND"));
    assert_false(png_read(file.data, file.size, &COLOURED, pixels, &error));
    assert_string_equal(error.text, "the PNG file holds more than its pixels");
    buffer_finish(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coloured_pixels_come_back),
        cmocka_unit_test(our_own_files_are_read_with_their_texts_dropped),
        cmocka_unit_test(grey_serves_both_and_opaque_colours_serve_where_nothing_is_lost),
        cmocka_unit_test(wrong_ihdr_fields_are_named_before_anything_is_decoded),
        cmocka_unit_test(every_cut_and_every_changed_byte_is_refused),
        cmocka_unit_test(more_than_the_pixels_is_not_unpacked),
        cmocka_unit_test(good_chunks_around_bad_pixels_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
