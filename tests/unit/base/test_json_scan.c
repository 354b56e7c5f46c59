#include "tests/support/test.h"

#include "core/base/clock.h"
#include "core/base/json_scan.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct json_limits REQUEST = {
    .depth = 16, .keys = 64, .values = 4096, .string_bytes = 8192, .number_bytes = 32};
static const struct json_limits FOLDER = {.depth = 64,
                                          .keys = 200000,
                                          .values = 1000000,
                                          .string_bytes = 65536,
                                          .number_bytes = 63,
                                          .python_constants = true};

/* The scan's answer: NULL when good, else its message. A good text must also please cJSON. */
static const char *scan(const char *text, size_t size, const struct json_limits *limits)
{
    static struct error error;
    char *copy = malloc(size + 1);
    bool good;

    assert_non_null(copy);
    memcpy(copy, text, size);
    copy[size] = '\0';
    error = (struct error){0};
    good = json_scan(copy, size, limits, &error);
    if (good) {
        cJSON *json = cJSON_ParseWithLengthOpts(copy, size + 1, NULL, 1);

        assert_non_null(json);
        cJSON_Delete(json);
    }
    free(copy);
    assert_int_equal(error.code, good ? ERROR_NONE : ERROR_INVALID);
    return good ? NULL : error.text;
}

static void assert_good(const char *text)
{
    const char *message = scan(text, strlen(text), &REQUEST);

    if (message != NULL)
        fail_msg("%s: %s", text, message);
}

struct fault {
    const char *text, *message;
};

static void assert_faults(const struct fault *faults, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *message = scan(faults[i].text, strlen(faults[i].text), &REQUEST);

        if (message == NULL)
            fail_msg("accepted: %s", faults[i].text);
        assert_string_equal(message, faults[i].message);
    }
}

#define ASSERT_FAULTS(faults) assert_faults(faults, sizeof(faults) / sizeof *(faults))

static void good_texts_pass(void **state)
{
    (void)state;
    assert_good("{}");
    assert_good(" \t\r\n{ \"a\" : [ ] , \"b\" : { } } \n");
    assert_good("{\"n\":4,\"seeds\":[1,2,3],\"x\":null,\"y\":true,\"z\":false}");
    assert_good("{\"a\":[0,-0,0.5,-1.25e+10,1E-400,123456789012345678901234567890]}");
    assert_good("{\"\":\"\",\"\\u0041\\n\\\"\\\\\\/\\b\\f\\r\\t\":\"\\ud83d\\ude00\"}");
    assert_good("{\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\":\"\xef\xbb\xbf\xef\xbf\xbf\x7f\"}");
    assert_good("{\"a\":{\"n\":1},\"n\":2,\"b\":{\"n\":3}}");
}

static void a_fault_is_named_with_its_byte(void **state)
{
    static const struct fault faults[] = {
        {"", "byte 0: an object was expected"},
        {"{\"n\":1", "byte 6: a comma or } was expected"},
        {"{\"n\":1}xyz", "byte 7: text behind the object"},
        {"{\"n\":1} {}", "byte 8: text behind the object"},
        {"nullx", "byte 0: an object was expected"},
        {" [1]", "byte 1: an object was expected"},
        {"\"a\"", "byte 0: an object was expected"},
        {"\xef\xbb\xbf{}", "byte 0: a byte order mark is not allowed"},
        {"{\"n\" 1}", "byte 5: a colon was expected"},
        {"{\"n\":}", "byte 5: a value was expected"},
        {"{\"n\":1,}", "byte 7: a key in double quotes was expected"},
        {"{\"n\":[1,]}", "byte 8: a value was expected"},
        {"{\"n\":[1 2]}", "byte 8: a comma or ] was expected"},
        {"{\"n\":[1}", "byte 7: a comma or ] was expected"},
        {"{\"n\":1]", "byte 6: a comma or } was expected"},
        {"{n:1}", "byte 1: a key in double quotes was expected"},
        {"{'n':1}", "byte 1: a key in double quotes was expected"},
        {"{/**/}", "byte 1: a key in double quotes was expected"},
        {"{\"n\":tru}", "byte 5: a value was expected"},
        {"{\"n\":True}", "byte 5: a value was expected"},
        {"{\"n\":truex}", "byte 9: a comma or } was expected"},
        {"{\"n\":\v1}", "byte 5: a value was expected"},
    };

    (void)state;
    ASSERT_FAULTS(faults);
}

static void numbers_follow_the_grammar_and_are_finite(void **state)
{
    static const struct fault faults[] = {
        {"{\"n\":01}", "byte 6: a comma or } was expected"},
        {"{\"n\":1.}", "byte 7: a digit was expected"},
        {"{\"n\":.5}", "byte 5: a value was expected"},
        {"{\"n\":+1}", "byte 5: a value was expected"},
        {"{\"n\":-}", "byte 6: a digit was expected"},
        {"{\"n\":-a}", "byte 6: a digit was expected"},
        {"{\"n\":1e}", "byte 7: a digit was expected"},
        {"{\"n\":1e+}", "byte 8: a digit was expected"},
        {"{\"n\":1e999}", "byte 5: a number beyond the range of a double"},
        {"{\"n\":-1e309}", "byte 5: a number beyond the range of a double"},
        {"{\"n\":0x10}", "byte 6: a comma or } was expected"},
        {"{\"n\":NaN}", "byte 5: a value was expected"},
        {"{\"n\":Infinity}", "byte 5: a value was expected"},
        {"{\"n\":-Infinity}", "byte 6: a digit was expected"},
        {"{\"n\":123456789012345678901234567890123}",
         "byte 5: more than 32 characters in a number"},
    };

    (void)state;
    ASSERT_FAULTS(faults);
    assert_good("{\"n\":12345678901234567890123456789012}");
    assert_good("{\"n\":1.7976931348623157e308}");
}

static void strings_hold_unicode_other_than_nul(void **state)
{
    static const struct fault faults[] = {
        {"{\"n\":\"a", "byte 5: a string without its closing quote"},
        {"{\"n\":\"a\nb\"}", "byte 7: a control character in a string"},
        {"{\"n\":\"\\u0000\"}", "byte 6: U+0000 is not allowed"},
        {"{\"\\u0000\":1}", "byte 2: U+0000 is not allowed"},
        {"{\"n\":\"\\x\"}", "byte 6: an unknown escape"},
        {"{\"n\":\"\\u12g4\"}", "byte 6: \\u and four hexadecimal digits were expected"},
        {"{\"n\":\"\\ud800\"}", "byte 6: half of a surrogate pair"},
        {"{\"n\":\"\\udc00\\ud800\"}", "byte 6: half of a surrogate pair"},
        {"{\"n\":\"\\ud800\\u0041\"}", "byte 6: half of a surrogate pair"},
        {"{\"n\":\"\x80\"}", "byte 6: invalid UTF-8"},
        {"{\"n\":\"\xc0\xaf\"}", "byte 6: invalid UTF-8"},
        {"{\"n\":\"\xc1\xbf\"}", "byte 6: invalid UTF-8"},
        {"{\"n\":\"\xe0\x80\x80\"}", "byte 6: invalid UTF-8"},
        {"{\"n\":\"\xe0\x9f\xbf\"}", "byte 6: invalid UTF-8"},
        {"{\"n\":\"\xed\xa0\x80\"}", "byte 6: invalid UTF-8"},
        {"{\"n\":\"\xf0\x8f\xbf\xbf\"}", "byte 6: invalid UTF-8"},
        {"{\"n\":\"\xf4\x90\x80\x80\"}", "byte 6: invalid UTF-8"},
        {"{\"n\":\"\xf5\x80\x80\x80\"}", "byte 6: invalid UTF-8"},
        {"{\"n\":\"ab\xe2\x82\"}", "byte 8: invalid UTF-8"},
        {"{\"n\":\"ab\xe2\x82", "byte 8: invalid UTF-8"},
        {"{\"n\":\"\xf0\x9f\x98\"}", "byte 6: invalid UTF-8"},
    };

    (void)state;
    ASSERT_FAULTS(faults);
    assert_string_equal(scan("{\"n\":\"a\0b\"}", 11, &REQUEST),
                        "byte 7: a control character in a string");
    assert_string_equal(scan("{}\0", 3, &REQUEST), "byte 2: text behind the object");
    assert_string_equal(scan("{\0}", 3, &REQUEST), "byte 1: a key in double quotes was expected");
}

static void keys_are_compared_decoded(void **state)
{
    static const struct fault faults[] = {
        {"{\"n\":1,\"n\":2}", "byte 7: a duplicate key"},
        {"{\"n\":1,\"\\u006e\":2}", "byte 7: a duplicate key"},
        {"{\"\\/\":1,\"/\":2}", "byte 8: a duplicate key"},
        {"{\"\xf0\x9f\x98\x80\":1,\"\\uD83D\\uDE00\":2}", "byte 10: a duplicate key"},
        {"{\"\":1,\"a\":{\"b\":1,\"c\":[{\"d\":0}],\"b\":2}}", "byte 31: a duplicate key"},
        {"{\"a\":{\"b\":1},\"a\":2}", "byte 13: a duplicate key"},
    };

    (void)state;
    ASSERT_FAULTS(faults);
    assert_good("{\"n\":1,\"N\":2,\"n \":3,\"\":4,\"nn\":5}");
}

/* `count` times `piece` between `before` and `after`. */
static char *repeated(const char *before, const char *piece, size_t count, const char *after)
{
    const size_t size = strlen(before) + strlen(piece) * count + strlen(after) + 1;
    char *text = malloc(size);
    char *end = text;

    assert_non_null(text);
    end = stpcpy(end, before);
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, piece);
    (void)stpcpy(end, after);
    return text;
}

static const char *scan_repeated(const char *before, const char *piece, size_t count,
                                 const char *after)
{
    char *text = repeated(before, piece, count, after);
    const char *message = scan(text, strlen(text), &REQUEST);

    free(text);
    return message;
}

static void each_limit_holds_exactly(void **state)
{
    (void)state;
    assert_null(scan_repeated("{\"a\":[", "0,", 4093, "0]}"));
    assert_string_equal(scan_repeated("{\"a\":[", "0,", 4094, "0]}"),
                        "byte 8194: more than 4096 values");
    assert_null(scan_repeated("{\"a\":\"", "x", 8192, "\"}"));
    assert_string_equal(scan_repeated("{\"a\":\"", "x", 8193, "\"}"),
                        "byte 5: more than 8192 bytes in a string");
    assert_null(scan_repeated("{\"", "x", 8192, "\":1}"));
    assert_string_equal(scan_repeated("{\"", "x", 8193, "\":1}"),
                        "byte 1: more than 8192 bytes in a string");
    assert_null(scan_repeated("{\"a\":[[[[[[[[[[[[[[[", "", 0, "]]]]]]]]]]]]]]]}"));
    assert_string_equal(scan_repeated("{\"a\":", "[", 16, "]"),
                        "byte 20: more than 16 levels of nesting");
}

static char *object_of_keys(size_t count, size_t same_as_first)
{
    char *text = malloc(count * 24 + 16);
    char *end = text;

    assert_non_null(text);
    *end++ = '{';
    for (size_t i = 0; i < count; i++)
        end += sprintf(end, "%s\"key%zu\":%zu", i > 0 ? "," : "",
                       i > 0 && i == same_as_first ? 0 : i, i);
    (void)stpcpy(end, "}");
    return text;
}

static void the_number_of_keys_is_limited(void **state)
{
    char *good = object_of_keys(64, 0);
    char *bad = object_of_keys(65, 0);

    (void)state;
    assert_null(scan(good, strlen(good), &REQUEST));
    assert_string_equal(scan(bad, strlen(bad), &REQUEST),
                        "byte 685: more than 64 keys in an object");
    free(good);
    free(bad);
}

/* FNV-1a of 32 bits gives both words of a pair one hash. */
static void keys_of_one_hash_are_not_taken_for_one_key(void **state)
{
    (void)state;
    assert_good("{\"costarring\":1,\"liquid\":2,\"declinate\":3,\"macallums\":4}");
}

static void duplicates_are_found_among_very_many_keys(void **state)
{
    static const size_t places[] = {0, 1, 63, 64, 65, 9999};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *text = object_of_keys(10000, places[i]);
        const char *message = scan(text, strlen(text), &FOLDER);

        if (places[i] == 0)
            assert_null(message);
        else
            assert_non_null(strstr(message, "a duplicate key"));
        free(text);
    }
}

static void many_keys_on_many_levels_need_memory_only(void **state)
{
    static const struct json_limits limits = {
        .depth = 64, .keys = 100, .values = 100000, .string_bytes = 100, .number_bytes = 10};
    char *text = malloc((size_t)64 * 100 * 16);
    char *end = text;

    (void)state;
    assert_non_null(text);
    for (int level = 0; level < 64; level++) {
        *end++ = '{';
        for (int key = 0; key < 99; key++)
            end += sprintf(end, "\"k%d\":0,", key);
        end += sprintf(end, "\"next\":");
    }
    *end++ = '0';
    memset(end, '}', 64);
    end[64] = '\0';
    assert_null(scan(text, strlen(text), &limits));
    free(text);
}

static void a_million_brackets_are_refused_at_once(void **state)
{
    char *text = repeated("{\"a\":", "[", 1000000, "");
    struct error error;
    uint64_t start = clock_now_ns();

    (void)state;
    assert_false(json_scan(text, strlen(text), &FOLDER, &error));
    assert_string_equal(error.text, "byte 68: more than 64 levels of nesting");
    assert_in_range(clock_now_ns() - start, 0, 20000000); /* it takes microseconds */
    free(text);
}

static void python_constants_become_what_cjson_reads(void **state)
{
    char text[] = "{\"a\":NaN,\"b\":Infinity,\"c\":[-Infinity],\"d\":\"NaN\"}";
    struct error error;
    cJSON *json;

    (void)state;
    assert_true(json_scan(text, strlen(text), &FOLDER, &error));
    assert_string_equal(text, "{\"a\":\"\" ,\"b\":1e999   ,\"c\":[-1e999   ],\"d\":\"NaN\"}");
    json = cJSON_Parse(text);
    assert_true(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(json, "a")));
    assert_true(isinf(cJSON_GetObjectItemCaseSensitive(json, "b")->valuedouble));
    cJSON_Delete(json);
    assert_string_equal(scan("{\"a\":Nan}", 9, &FOLDER), "byte 5: a value was expected");
    assert_string_equal(scan("{\"a\":NaNs}", 10, &FOLDER), "byte 8: a comma or } was expected");
}

static void strings_of_chosen_keys_of_the_top_may_be_long(void **state)
{
    static const char *const keys[] = {"picture", "mask", NULL};
    const struct json_limits limits = {.depth = 4,
                                       .keys = 8,
                                       .values = 16,
                                       .string_bytes = 8,
                                       .long_keys = keys,
                                       .long_string_bytes = 32,
                                       .number_bytes = 8};
    char text[128];

    (void)state;
    for (int length = 31; length <= 33; length++) {
        const int size =
            snprintf(text, sizeof text, "{\"a\":1,\"mask\":\"%0*d\",\"b\":\"123\"}", length, 0);
        const char *message = scan(text, (size_t)size, &limits);

        if (length <= 32)
            assert_null(message);
        else
            assert_string_equal(message, "byte 14: more than 32 bytes in a string");
    }
    assert_string_equal(scan("{\"mask\":[\"123456789\"]}", 22, &limits),
                        "byte 9: more than 8 bytes in a string");
    assert_string_equal(scan("{\"mas\":\"123456789\"}", 19, &limits),
                        "byte 7: more than 8 bytes in a string");
    assert_string_equal(scan("{\"a\":{\"mask\":\"123456789\"}}", 26, &limits),
                        "byte 13: more than 8 bytes in a string");
    assert_string_equal(scan("{\"picture1\":\"123456789\"}", 24, &limits),
                        "byte 12: more than 8 bytes in a string");
}

static void the_text_beside_long_strings_has_a_limit(void **state)
{
    static const char *const keys[] = {"picture", NULL};
    const struct json_limits limits = {.depth = 4,
                                       .keys = 8,
                                       .values = 16,
                                       .string_bytes = 8,
                                       .long_keys = keys,
                                       .long_string_bytes = 64,
                                       .other_bytes = 24,
                                       .number_bytes = 8};
    char good[] = "{\"picture\":\"0123456789abcdef0123456789abcdef\",\"b\":12345}";
    char bad[] = "{\"picture\":\"0123456789abcdef0123456789abcdef\",\"b\":123456}";
    struct error error;

    (void)state;
    assert_int_equal(strlen(good) - 32, 24);
    assert_true(json_scan(good, strlen(good), &limits, &error));
    assert_false(json_scan(bad, strlen(bad), &limits, &error));
    assert_int_equal(error.code, ERROR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_pass),
        cmocka_unit_test(a_fault_is_named_with_its_byte),
        cmocka_unit_test(numbers_follow_the_grammar_and_are_finite),
        cmocka_unit_test(strings_hold_unicode_other_than_nul),
        cmocka_unit_test(keys_are_compared_decoded),
        cmocka_unit_test(each_limit_holds_exactly),
        cmocka_unit_test(keys_of_one_hash_are_not_taken_for_one_key),
        cmocka_unit_test(the_number_of_keys_is_limited),
        cmocka_unit_test(duplicates_are_found_among_very_many_keys),
        cmocka_unit_test(many_keys_on_many_levels_need_memory_only),
        cmocka_unit_test(a_million_brackets_are_refused_at_once),
        cmocka_unit_test(strings_of_chosen_keys_of_the_top_may_be_long),
        cmocka_unit_test(the_text_beside_long_strings_has_a_limit),
        cmocka_unit_test(python_constants_become_what_cjson_reads),
    };

    return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
