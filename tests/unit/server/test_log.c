#include "tests/support/test.h"

#include "server/log.h"

#include <string.h>

static void assert_escaped(const char *value, const char *expected)
{
    char out[300] = "";
    const size_t size = log_escape(value, out, sizeof out);

    assert_string_equal(out, expected);
    assert_int_equal(size, strlen(expected));
}

static void plain_text_is_quoted_and_kept(void **state)
{
    (void)state;
    assert_escaped("", "\"\"");
    assert_escaped("a b", "\"a b\"");
    assert_escaped("\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x99\x82",
                   "\"\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x99\x82\"");
}

static void whatever_could_leave_the_field_is_escaped(void **state)
{
    (void)state;
    assert_escaped("a\"b\\c", "\"a\\\"b\\\\c\"");
    assert_escaped("a\nb\r\t\x1b\x7f", "\"a\\u000ab\\u000d\\u0009\\u001b\\u007f\"");
    assert_escaped("\xe2\x80\xa8", "\"\\u2028\"");
    assert_escaped("a\xe2\x80\xaez", "\"a\\u202ez\"");
    assert_escaped("\xe2\x81\xa6", "\"\\u2066\"");
    assert_escaped("\xc2\x85", "\"\\u0085\"");
    assert_escaped("\xef\xbb\xbf", "\"\\ufeff\"");
    assert_escaped("\xf3\xa0\x81\xa1", "\"\\udb40\\udc61\""); /* U+E0061, a tag */
    /* not UTF-8: alone, cut short, overlong, a surrogate, beyond the end */
    assert_escaped("\xff", "\"\\u00ff\"");
    assert_escaped("\xe4\xb8", "\"\\u00e4\\u00b8\"");
    assert_escaped("\xc0\xaf", "\"\\u00c0\\u00af\"");
    assert_escaped("\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\"");
    assert_escaped("\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\"");
}

static void long_value_is_cut_at_256_bytes_and_never_inside_a_character(void **state)
{
    char value[1001] = "", out[300] = "";

    (void)state;
    memset(value, '\n', sizeof value - 1);
    assert_true(log_escape(value, out, sizeof out) <= 256);
    assert_string_equal(out + strlen(out) - 7, "\\u000a\"");
    for (size_t i = 0; i < sizeof value - 4; i += 3)
        memcpy(value + i, "\xe4\xb8\xad", 4);
    assert_true(log_escape(value, out, sizeof out) <= 256);
    assert_string_equal(out + strlen(out) - 4, "\xe4\xb8\xad\"");
}

static void fields_of_a_line_stand_in_logfmt(void **state)
{
    struct log_line line;

    (void)state;
    log_start(LOG_LOGFMT);
    log_begin(&line, "info", "test");
    log_text(&line, "word", "a/b");
    log_text(&line, "text", "a b=c");
    log_number(&line, "n", 1.5);
    line.text[line.size] = '\0';
    assert_non_null(strstr(line.text, "Z level=info event=test word=a/b text=\"a b=c\" n=1.5"));
    assert_memory_equal(line.text, "time=2", 6);
}

static void fields_of_a_line_stand_in_json(void **state)
{
    struct log_line line;

    (void)state;
    log_start(LOG_JSON);
    log_begin(&line, "info", "test");
    log_text(&line, "word", "a");
    log_number(&line, "n", 0.0 / 0.0);
    line.text[line.size] = '\0';
    assert_non_null(strstr(line.text, "Z\",\"level\":\"info\",\"event\":\"test\",\"word\":\"a\","
                                      "\"n\":null"));
    assert_memory_equal(line.text, "{\"time\":\"2", 10);
}

static void line_that_is_full_takes_no_more(void **state)
{
    struct log_line line;
    char value[257];

    (void)state;
    log_start(LOG_LOGFMT);
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    log_begin(&line, "info", "test");
    for (int i = 0; i < 100; i++)
        log_text(&line, "key", value);
    assert_true(line.size <= sizeof line.text - 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_quoted_and_kept),
        cmocka_unit_test(whatever_could_leave_the_field_is_escaped),
        cmocka_unit_test(long_value_is_cut_at_256_bytes_and_never_inside_a_character),
        cmocka_unit_test(fields_of_a_line_stand_in_logfmt),
        cmocka_unit_test(fields_of_a_line_stand_in_json),
        cmocka_unit_test(line_that_is_full_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
