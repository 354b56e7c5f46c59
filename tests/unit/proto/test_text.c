/* Text from outside is read as UTF-8, cleaned and compared. */
#include "tests/support/test.h"

#include "core/base/utf8.h"
#include "proto/text.h"

#include <string.h>

static void characters_go_in_and_out(void **state)
{
    static const uint32_t characters[] = {1, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF};

    (void)state;
    for (size_t i = 0; i < sizeof characters / sizeof characters[0]; i++) {
        char bytes[5] = "";
        const char *cursor = bytes;
        const size_t length = utf8_put(characters[i], bytes);

        assert_int_equal(text_next(&cursor), characters[i]);
        assert_int_equal(cursor - bytes, length);
        assert_int_equal(text_next(&cursor), 0);
        assert_int_equal(cursor - bytes, length);
    }
}

static void a_byte_that_is_no_utf8_is_replaced_alone(void **state)
{
    static const char *const texts[] = {
        "\x80z", "\xFFz", "\xC3z", "\xC0\x80z", "\xE2\x82z", "\xED\xA0\x80z", "\xF4\x90\x80\x80z"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *cursor = texts[i];

        assert_int_equal(text_next(&cursor), TEXT_REPLACEMENT);
        assert_ptr_equal(cursor, texts[i] + 1);
        while (*cursor != 'z')
            assert_int_equal(text_next(&cursor), TEXT_REPLACEMENT);
    }
}

static void what_does_not_show_is_not_printable(void **state)
{
    static const uint32_t hidden[] = {0,      0x1B,   0x7F,   0x85,    0xAD,
                                      0x200B, 0x200F, 0x202E, 0x2066,  0x2028,
                                      0xFEFF, 0xE000, 0xFFFF, 0x1FFFE, 0x10FFFD};
    static const uint32_t shown[] = {' ', '~', 0xA0, 0xE9, 0x4E2D, 0xFFFD, 0x1F388};

    (void)state;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        assert_false(text_printable(hidden[i]));
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        assert_true(text_printable(shown[i]));
}

static void cleaned_text_ends_with_a_whole_character(void **state)
{
    char out[8];

    (void)state;
    text_clean("a\x1b[1m", out, sizeof out);
    assert_string_equal(out, "a\xEF\xBF\xBD[1m");
    text_clean("ééééé", out, sizeof out);
    assert_string_equal(out, "ééé");
}

static void neighbours_swapped_are_one_edit(void **state)
{
    (void)state;
    assert_int_equal(text_distance("seed", "seed"), 0);
    assert_int_equal(text_distance("SEED", "seed"), 0);
    assert_int_equal(text_distance("sede", "seed"), 1);
    assert_int_equal(text_distance("step", "steps"), 1);
    assert_int_equal(text_distance("", "abc"), 3);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    assert_true(text_distance("a name that is far too long for a field", "a") == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_go_in_and_out),
        cmocka_unit_test(a_byte_that_is_no_utf8_is_replaced_alone),
        cmocka_unit_test(what_does_not_show_is_not_printable),
        cmocka_unit_test(cleaned_text_ends_with_a_whole_character),
        cmocka_unit_test(neighbours_swapped_are_one_edit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
