/* What is written as JSON reads back the same, and is as short as it can be. */
#include "tests/support/test.h"

#include "proto/json_write.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_float(float value, const char *expected)
{
    struct buffer out = {0};

    json_float(&out, value);
    buffer_append(&out, "", 1);
    assert_string_equal((char *)out.data, expected);
    buffer_finish(&out);
}

static void floats_are_the_shortest_text(void **state)
{
    (void)state;
    check_float(0.0f, "0");
    check_float(-0.0f, "-0.0");
    check_float(1.0f, "1");
    check_float(-2.5f, "-2.5");
    check_float(0.1f, "0.1");
    check_float(0.3f, "0.3");
    check_float(1.0f / 3.0f, "0.33333334");
    check_float(100000.0f, "100000");
    check_float(123456.7f, "123456.7");
    check_float(16777216.0f, "16777216");
    check_float(0.00001f, "0.00001");
    check_float(1e-6f, "1e-06");
    check_float(1e30f, "1e+30");
    check_float(FLT_MAX, "3.4028235e+38");
    check_float(FLT_TRUE_MIN, "1.4013e-45");
    check_float(0.9999999f, "0.9999999");
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* As short as the best of printf's, and the same number by way of double and by strtof. */
static void floats_read_back_bit_for_bit(void **state)
{
    uint32_t word = 12345;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct buffer out = {0};
        char best[32];
        float value;

        word = word * 1664525u + 1013904223u;
        /* Exponents around 1 half of the time, all finite ones the other half. */
        value =
            float_of(i % 2 == 0 ? (word & 0x80FFFFFFu) | (110u + (word >> 8) % 36u) << 23 : word);
        if (!isfinite(value))
            continue;
        json_float(&out, value);
        buffer_append(&out, "", 1);
        assert_true((float)strtod((char *)out.data, NULL) == value);
        assert_true(strtof((char *)out.data, NULL) == value);
        for (int digits = 1; digits <= 9; digits++) {
            (void)snprintf(best, sizeof best, "%.*g", digits, (double)value);
            if (strtof(best, NULL) == value)
                break;
        }
        if (strchr(best, 'e') == NULL && strchr((char *)out.data, 'e') == NULL)
            assert_int_equal(strlen((char *)out.data), strlen(best));
        buffer_finish(&out);
    }
}

static void numbers_keep_every_digit_they_need(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{50, "50"},
                {1.5, "1.5"},
                {0.1, "0.1"},
                {0.30000000000000004, "0.30000000000000004"},
                {4294967295.0, "4294967295"},
                {1e300, "1e+300"}};
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        number_text(rows[i].value, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void commas_stand_between_values_only(void **state)
{
    struct buffer out = {0};

    (void)state;
    json_open(&out, '{');
    json_key(&out, "a");
    json_open(&out, '[');
    json_integer(&out, -1);
    json_number(&out, 0.5);
    json_string(&out, "x[");
    json_null(&out);
    json_open(&out, '[');
    json_close(&out, ']');
    json_close(&out, ']');
    json_key(&out, "b");
    json_bool(&out, true);
    json_key(&out, "c");
    json_base64(&out, "\x00\xFF\x10", 3);
    json_key(&out, "d");
    json_base64(&out, "a", 1);
    json_close(&out, '}');
    buffer_append(&out, "", 1);
    assert_string_equal((char *)out.data,
                        "{\"a\":[-1,0.5,\"x[\",null,[]],\"b\":true,\"c\":\"AP8Q\",\"d\":\"YQ==\"}");
    buffer_finish(&out);
}

static void strings_are_escaped_and_made_utf8(void **state)
{
    struct buffer out = {0};

    (void)state;
    json_string(&out, "\"\\\n\x01/é\xFF");
    buffer_append(&out, "", 1);
    assert_string_equal((char *)out.data, "\"\\\"\\\\\\u000a\\u0001/é\xEF\xBF\xBD\"");
    buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_are_the_shortest_text),
        cmocka_unit_test(floats_read_back_bit_for_bit),
        cmocka_unit_test(numbers_keep_every_digit_they_need),
        cmocka_unit_test(commas_stand_between_values_only),
        cmocka_unit_test(strings_are_escaped_and_made_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
