#include "tests/support/test.h"

#include "server/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static const char *some_environment(const char *name)
{
    if (strcmp(name, "DENOISED_MAX_QUEUE_SECONDS") == 0)
        return "12.5";
    if (strcmp(name, "DENOISED_HOST_NAME") == 0)
        return "from.environment";
    return strcmp(name, "DENOISED_PORT") == 0 ? "tcp://10.0.0.1:80" : NULL;
}

static bool read_flags(struct options *options, const char *const *flags, int count,
                       struct error *error)
{
    char *argv[8];
    bool good;

    assert_true(count <= 8);
    for (int i = 0; i < count; i++) {
        argv[i] = strdup(flags[i]);
        assert_non_null(argv[i]);
    }
    good = options_read(options, count, argv, no_environment, error);
    for (int i = 0; i < count; i++)
        free(argv[i]);
    return good;
}

/* Writes `text` to a file of its own and reads it with --config. */
static bool read_file(struct options *options, const char *text, struct error *error)
{
    char path[] = "/tmp/denoised-options-XXXXXX";
    char flag[] = "--config";
    char *argv[] = {flag, path};
    const int descriptor = mkstemp(path);
    bool good;

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), strlen(text));
    (void)close(descriptor);
    good = options_read(options, 2, argv, no_environment, error);
    (void)unlink(path);
    return good;
}

static void nothing_given_leaves_the_defaults_of_the_table(void **state)
{
    struct options options;
    struct error error;

    (void)state;
    assert_true(read_flags(&options, NULL, 0, &error));
    assert_string_equal(options.listen, "127.0.0.1:8080");
    assert_int_equal(options.max_queue_requests, 1024);
    assert_int_equal(options.connections, 1000);
    assert_true(options.max_request_seconds == 3600 && options.drain_delay == 5);
    assert_true(options.abort_on_disconnect);
    assert_false(options.insecure);
    assert_null(options.models);
    assert_true(options.threads >= 1);
    options_finish(&options);
}

static void every_default_lies_in_its_own_range_and_every_name_is_unique(void **state)
{
    (void)state;
    for (size_t i = 0; setting_at(i) != NULL; i++) {
        const struct setting *setting = setting_at(i);

        if (setting->type == SETTING_WHOLE || setting->type == SETTING_NUMBER) {
            assert_true(strtod(setting->fallback, NULL) >= setting->minimum);
            assert_true(strtod(setting->fallback, NULL) <= setting->maximum);
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(setting->name, setting_at(j)->name);
    }
}

static void flags_take_their_value_behind_a_blank_or_an_equals_sign(void **state)
{
    static const char *const flags[] = {"--max-n", "7", "--max-points=8", "--insecure",
                                        "--abort-on-disconnect=false"};
    struct options options;
    struct error error;

    (void)state;
    assert_true(read_flags(&options, flags, COUNT(flags), &error));
    assert_int_equal(options.max_n, 7);
    assert_int_equal(options.max_points, 8);
    assert_true(options.insecure);
    assert_false(options.abort_on_disconnect);
    options_finish(&options);
}

static void lists_grow_by_commas_and_by_repeating(void **state)
{
    static const char *const flags[] = {"--host-name", "a,b", "--host-name", "c"};
    struct options options;
    struct error error;

    (void)state;
    assert_true(read_flags(&options, flags, COUNT(flags), &error));
    assert_int_equal(options.host_name.count, 3);
    assert_string_equal(options.host_name.items[2], "c");
    options_finish(&options);
}

static void stronger_list_takes_the_place_of_the_weaker(void **state)
{
    char flag[] = "--host-name=from.flag";
    char *argv[] = {flag};
    struct options options;
    struct error error;

    (void)state;
    assert_true(options_read(&options, 1, argv, some_environment, &error));
    assert_int_equal(options.host_name.count, 1);
    assert_string_equal(options.host_name.items[0], "from.flag");
    assert_true(options.max_queue_seconds == 12.5);
    options_finish(&options);
}

/* What is refused, and a part of the sentence. */
static void bad_flags_are_refused_by_name(void **state)
{
    static const struct {
        const char *flags[2];
        int count;
        const char *saying;
    } rows[] = {
        {{"--thread", "2"}, 2, "unknown option '--thread'; did you mean '--threads'?"},
        {{"--zzzzzzzzz", "2"}, 2, "unknown option '--zzzzzzzzz'"},
        {{"--max-n"}, 1, "--max-n needs a value: N"},
        {{"--max-n", "0"}, 2, "--max-n must be a whole number from 1 to 65536, not '0'"},
        {{"--max-n", "1.5"}, 2, "whole number"},
        {{"--max-n", "0x10"}, 2, "whole number"},
        {{"--max-n", "1e999"}, 2, "whole number"},
        {{"--max-n", "nan"}, 2, "whole number"},
        {{"--max-n", " 5"}, 2, "whole number"},
        {{"--max-n", "5 "}, 2, "whole number"},
        {{"--max-n", ""}, 2, "whole number"},
        {{"--drain-delay", "-1"}, 2, "a number from 0 to 3600"},
        {{"--insecure=yes"}, 1, "--insecure must be true or false, not 'yes'"},
        {{"--log", "xml"}, 2, "--log must be logfmt or json, not 'xml'"},
        {{"--host-name", "a,,b"}, 2, "--host-name has an empty entry"},
        {{"--listen", ""}, 2, "--listen is empty"},
        {{"--max-n=1", "--max-n=2"}, 2, "--max-n is given twice"},
        {{"serve"}, 1, "not an option: 'serve'"},
        {{"--"}, 1, "not an option"},
        {{"--config", "/nowhere/at/all"}, 2, "/nowhere/at/all"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct options options;
        struct error error;

        assert_false(read_flags(&options, rows[i].flags, rows[i].count, &error));
        if (strstr(error.text, rows[i].saying) == NULL)
            fail_msg("'%s' is not in '%s'", rows[i].saying, error.text);
        options_finish(&options);
    }
}

static void file_has_keys_comments_and_blank_lines(void **state)
{
    struct options options;
    struct error error;

    (void)state;
    assert_true(read_file(&options,
                          "# all of it\n\n  max-n = 5 # images\n\tmodels=/a b/c#d\r\n"
                          "insecure = true\nhost-name = a , b\n",
                          &error));
    assert_int_equal(options.max_n, 5);
    assert_string_equal(options.models, "/a b/c#d");
    assert_true(options.insecure);
    options_finish(&options);
}

static void bad_file_is_refused_by_line_and_key(void **state)
{
    static const struct {
        const char *text, *saying;
    } rows[] = {
        {"\n\nmax-n 5\n", ":3: not a `key = value` line"},
        {"max-m = 5\n", ":1: unknown option 'max-m'; did you mean 'max-n'?"},
        {"max-n = x\n", ":1: max-n must be"},
        {"max-n = 1\nmax-n = 2\n", ":2: max-n is given twice"},
        {"check-config = true\n", "belongs on the command line"},
        {"config = other\n", "belongs on the command line"},
        {"= 5\n", ":1: unknown option ''"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct options options;
        struct error error;

        assert_false(read_file(&options, rows[i].text, &error));
        if (strstr(error.text, rows[i].saying) == NULL)
            fail_msg("'%s' is not in '%s'", rows[i].saying, error.text);
        options_finish(&options);
    }
}

static void long_line_is_refused(void **state)
{
    struct options options;
    struct error error;
    char text[1200];

    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "models = ", 9);
    text[sizeof text - 2] = '\n';
    text[sizeof text - 1] = '\0';
    assert_false(read_file(&options, text, &error));
    assert_non_null(strstr(error.text, "longer than"));
    options_finish(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_leaves_the_defaults_of_the_table),
        cmocka_unit_test(every_default_lies_in_its_own_range_and_every_name_is_unique),
        cmocka_unit_test(flags_take_their_value_behind_a_blank_or_an_equals_sign),
        cmocka_unit_test(lists_grow_by_commas_and_by_repeating),
        cmocka_unit_test(stronger_list_takes_the_place_of_the_weaker),
        cmocka_unit_test(bad_flags_are_refused_by_name),
        cmocka_unit_test(file_has_keys_comments_and_blank_lines),
        cmocka_unit_test(bad_file_is_refused_by_line_and_key),
        cmocka_unit_test(long_line_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
