/* An animation is a PNG of its first frame, with the others in chunks that count. */
#include "tests/support/test.h"

#include "core/image/apng.h"
#include "core/image/png_chunk.h"
#include "tests/support/png_decode.h"

#include <stdlib.h>
#include <string.h>

#define SIDE   6
#define FRAMES 4

static void fill(uint8_t pixels[SIDE * SIDE * 3], size_t frame)
{
    for (size_t i = 0; i < SIDE * SIDE * 3; i++)
        pixels[i] = (uint8_t)(i * 7 + frame * 50);
}

static struct buffer animate(void)
{
    static const struct png_text text = {"parameters", "hat"};
    uint8_t pixels[SIDE * SIDE * 3];
    const struct picture picture = {SIDE, SIDE, 3, pixels};
    struct buffer out = {0};
    struct apng apng = apng_begin(&out, FRAMES);
    struct error error;

    for (size_t i = 0; i < FRAMES; i++) {
        fill(pixels, i);
        assert_true(apng_frame(&apng, &picture, i + 1 < FRAMES ? 100 : 2000, &text, 1, &error));
    }
    apng_end(&apng);
    return out;
}

static void the_first_frame_is_the_still_picture_and_texts_are_kept(void **state)
{
    struct buffer out = animate();
    struct picture still;
    uint8_t pixels[SIDE * SIDE * 3];
    char *text;

    (void)state;
    assert_true(png_decode(out.data, out.size, &still));
    fill(pixels, 0);
    assert_memory_equal(still.pixels, pixels, sizeof pixels);
    text = png_find_text(out.data, out.size, "parameters");
    assert_string_equal(text, "hat");
    free(text);
    free(still.pixels);
    buffer_finish(&out);
}

/* The file that a frame would be alone: our header and its IDAT. */
static void check_frame(const struct buffer *out, const unsigned char *data, size_t size,
                        size_t frame)
{
    struct buffer alone = {0};
    struct picture picture;
    uint8_t pixels[SIDE * SIDE * 3];
    size_t chunk;

    buffer_append(&alone, out->data, PNG_SIGNATURE_SIZE + PNG_HEADER_SIZE);
    chunk = png_chunk_begin(&alone, "IDAT");
    buffer_append(&alone, data, size);
    png_chunk_end(&alone, chunk);
    png_chunk_end(&alone, png_chunk_begin(&alone, "IEND"));
    assert_true(png_decode(alone.data, alone.size, &picture));
    fill(pixels, frame);
    assert_memory_equal(picture.pixels, pixels, sizeof pixels);
    free(picture.pixels);
    buffer_finish(&alone);
}

static void frames_follow_in_order_with_one_counter(void **state)
{
    struct buffer out = animate();
    size_t at = PNG_SIGNATURE_SIZE, controls = 0, frames = 0;
    uint32_t sequence = 0;

    (void)state;
    while (at < out.size) {
        const unsigned char *type = out.data + at + 4, *data = out.data + at + 8;
        const size_t length = png_word(out.data + at);

        if (memcmp(type, "acTL", 4) == 0) {
            assert_int_equal(png_word(data), FRAMES);
            assert_int_equal(frames, 0);
        } else if (memcmp(type, "fcTL", 4) == 0) {
            assert_int_equal(png_word(data), sequence++);
            assert_int_equal(png_word(data + 4), SIDE);
            assert_int_equal(data[20] << 8 | data[21], ++controls < FRAMES ? 100 : 2000);
            assert_int_equal(data[22] << 8 | data[23], 1000);
        } else if (memcmp(type, "IDAT", 4) == 0) {
            check_frame(&out, data, length, frames++);
        } else if (memcmp(type, "fdAT", 4) == 0) {
            assert_int_equal(png_word(data), sequence++);
            check_frame(&out, data + 4, length - 4, frames++);
        }
        at += length + PNG_CHUNK_FRAME;
    }
    assert_int_equal(controls, FRAMES);
    assert_int_equal(frames, FRAMES);
    buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_frame_is_the_still_picture_and_texts_are_kept),
        cmocka_unit_test(frames_follow_in_order_with_one_counter),
    };

    png_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
