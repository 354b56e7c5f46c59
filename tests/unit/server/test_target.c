#include "tests/support/test.h"

#include "server/target.h"

#include <string.h>

static void good_targets_are_decoded_once(void **state)
{
    static const struct {
        const char *raw, *path, *query;
    } rows[] = {
        {"/", "/", ""},
        {"/livez", "/livez", ""},
        {"/models/a%2Db", "/models/a-b", ""},
        {"/models/%E4%B8%AD", "/models/\xe4\xb8\xad", ""},
        {"/models/%41?x=%00", "/models/A", "x=%00"},
        {"/..//", "/..//", ""},
        {"/a?b?c", "/a", "b?c"},
        {"/?", "/", ""},
        {"/%3Fx", "/?x", ""},
    };
    struct target target;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct problem problem = {0};

        assert_true(target_read(&target, rows[i].raw, &problem));
        assert_string_equal(target.path, rows[i].path);
        assert_string_equal(target.query, rows[i].query);
    }
}

static void bad_targets_are_refused(void **state)
{
    static const char *const rows[] = {
        "",        "livez",  "*",      "http://x/livez", "/a b",
        "/a\tb",   "/a\x7f", "/\x80",  "/a\\b",          "/a#b",
        "/%",      "/%4",    "/%zz",   "/%4z",           "/%00",
        "/%0d%0a", "/%1f",   "/%7f",   "/%2e",           "/%2F",
        "/%5c",    "/%25",   "/a?b c", "/%2e%2e/",       NULL,
    };
    struct target target;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct problem problem = {0};

        if (target_read(&target, rows[i], &problem))
            fail_msg("%s passed", rows[i] != NULL ? rows[i] : "no target");
        assert_int_equal(problem.code, PROBLEM_BAD_REQUEST);
    }
}

static void target_of_4096_bytes_passes_and_one_more_is_414(void **state)
{
    static char raw[TARGET_MAX + 2];
    struct target target;
    struct problem problem = {0};

    (void)state;
    memset(raw, 'a', sizeof raw - 1);
    raw[0] = '/';
    assert_false(target_read(&target, raw, &problem));
    assert_int_equal(problem.code, PROBLEM_URI_TOO_LONG);
    raw[TARGET_MAX] = '\0';
    assert_true(target_read(&target, raw, &problem));
    assert_int_equal(strlen(target.path), TARGET_MAX);
}

static void query_of_256_parameters_passes_and_one_more_is_414(void **state)
{
    char raw[2 * TARGET_PARAMETERS_MAX + 8] = "/a?";
    struct problem problem = {0};

    (void)state;
    for (int i = 1; i < TARGET_PARAMETERS_MAX; i++)
        memcpy(raw + 1 + 2 * i, "b&", 3);
    assert_true(target_few_parameters(raw, TARGET_PARAMETERS_MAX, &problem));
    memcpy(raw + strlen(raw), "&", 2);
    assert_false(target_few_parameters(raw, TARGET_PARAMETERS_MAX, &problem));
    assert_int_equal(problem.code, PROBLEM_URI_TOO_LONG);
    assert_string_equal(problem.detail, "the query has 257 parameters, more than 256");
    assert_true(target_few_parameters("/a&b&c", TARGET_PARAMETERS_MAX, &problem));
    assert_true(target_few_parameters(NULL, TARGET_PARAMETERS_MAX, &problem));
}

static void each_parameter_of_a_query_is_a_fault(void **state)
{
    struct target target = {.query = "a=1&b&&c=2"};
    struct problem problem = {0};

    (void)state;
    assert_false(target_no_query(&target, &problem));
    assert_int_equal(problem.code, PROBLEM_INVALID_PARAMETER);
    assert_int_equal(problem.fault_count, 4);
    assert_string_equal(problem.faults[1].detail, "unknown query parameter 'b'");
    target.query[0] = '\0';
    assert_true(target_no_query(&target, &problem));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_targets_are_decoded_once),
        cmocka_unit_test(bad_targets_are_refused),
        cmocka_unit_test(target_of_4096_bytes_passes_and_one_more_is_414),
        cmocka_unit_test(query_of_256_parameters_passes_and_one_more_is_414),
        cmocka_unit_test(each_parameter_of_a_query_is_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
