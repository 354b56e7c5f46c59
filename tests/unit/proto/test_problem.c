/* Problems read as the contract shows them. */
#include "tests/support/test.h"

#include "proto/answer.h"

#include <stdio.h>
#include <string.h>

static void check(const struct problem *problem, const char *id, const char *expected)
{
    struct buffer out = {0};

    problem_json(problem, id, &out);
    buffer_append(&out, "", 1);
    assert_string_equal((char *)out.data, expected);
    buffer_finish(&out);
}

static void all_faults_are_told_at_once(void **state)
{
    struct problem problem = {0};

    (void)state;
    problem_fault(&problem, "/steps", "must be %d..%d, got %d", 1, 1000, 0);
    problem_fault(&problem, "/sede", "unknown field; did you mean '%s'?", "seed");
    check(&problem, "r_01",
          "{\"type\":\"urn:denoised:invalid-parameter\",\"title\":\"Invalid parameter\","
          "\"status\":422,\"code\":\"invalid_parameter\",\"detail\":\"2 fields are not valid\","
          "\"errors\":[{\"pointer\":\"/steps\",\"detail\":\"must be 1..1000, got 0\"},"
          "{\"pointer\":\"/sede\",\"detail\":\"unknown field; did you mean 'seed'?\"}],"
          "\"request_id\":\"r_01\"}\n");
}

static void a_problem_without_faults_has_no_errors(void **state)
{
    struct problem problem = {0};

    (void)state;
    assert_false(problem_set(&problem, PROBLEM_QUEUE_FULL, "the queue holds %d requests", 64));
    check(&problem, NULL,
          "{\"type\":\"urn:denoised:queue-full\",\"title\":\"Queue full\",\"status\":429,"
          "\"code\":\"queue_full\",\"detail\":\"the queue holds 64 requests\"}\n");
    problem = (struct problem){.code = PROBLEM_NOT_FOUND};
    check(&problem, NULL,
          "{\"type\":\"urn:denoised:not-found\",\"title\":\"Not found\",\"status\":404,"
          "\"code\":\"not_found\",\"detail\":\"Not found\"}\n");
}

static void control_characters_do_not_get_through(void **state)
{
    struct problem problem = {0};

    (void)state;
    problem_fault(&problem, "/\x1b[2J", "got '%s'", "\xE2\x80\xAE\x7F\"");
    check(&problem, NULL,
          "{\"type\":\"urn:denoised:invalid-parameter\",\"title\":\"Invalid parameter\","
          "\"status\":422,\"code\":\"invalid_parameter\",\"detail\":\"1 field is not valid\","
          "\"errors\":[{\"pointer\":\"/\xEF\xBF\xBD[2J\","
          "\"detail\":\"got '\xEF\xBF\xBD\xEF\xBF\xBD\\\"'\"}]}\n");
}

static void faults_beyond_the_last_are_counted(void **state)
{
    struct problem problem = {0};
    struct buffer out = {0};

    (void)state;
    for (int i = 0; i < PROBLEM_FAULTS_MAX + 8; i++)
        problem_fault(&problem, "/x", "bad");
    assert_int_equal(problem.fault_count, PROBLEM_FAULTS_MAX + 8);
    problem_json(&problem, NULL, &out);
    buffer_append(&out, "", 1);
    assert_non_null(strstr((char *)out.data, "\"40 fields are not valid\""));
    buffer_finish(&out);
}

static void a_long_detail_is_cut_after_a_whole_character(void **state)
{
    struct problem problem = {0};
    char long_text[700];
    const char *detail = problem.faults[0].detail;

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        problem.fault_count = 0;
        memset(long_text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof long_text; i += 3)
            memcpy(long_text + i, "€", 4);
        problem_fault(&problem, "", "%s", long_text);
        assert_true(strlen(detail) > 500);
        assert_string_equal(detail + strlen(detail) - 6, "€...");
    }
}

static void a_fault_does_not_hide_a_graver_problem(void **state)
{
    struct problem problem = {0};

    (void)state;
    problem_set(&problem, PROBLEM_MODEL_NOT_FOUND, "there is no model 'x'");
    problem_fault(&problem, "/n", "must be an integer");
    assert_int_equal(problem_status(problem.code), 404);
    assert_string_equal(problem_name(problem.code), "model_not_found");
}

static void errors_of_the_core_have_their_problem(void **state)
{
    static const struct {
        enum error_code error;
        enum problem_code problem;
    } rows[] = {{ERROR_QUEUE_FULL, PROBLEM_QUEUE_FULL},
                {ERROR_NONFINITE, PROBLEM_NONFINITE_OUTPUT},
                {ERROR_NO_MEMORY, PROBLEM_INTERNAL},
                {ERROR_IO, PROBLEM_INTERNAL},
                {ERROR_CANCELLED, PROBLEM_DRAINING}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct problem problem = {0};
        const struct error error = {rows[i].error, "/secret/path"};

        problem_of_error(&problem, &error);
        assert_int_equal(problem.code, rows[i].problem);
        if (problem.code == PROBLEM_INTERNAL)
            assert_null(strstr(problem.detail, "secret"));
    }
}

static void an_answer_with_a_problem_says_when_to_come_back(void **state)
{
    struct problem problem = {.retry_after = 7};
    struct answer answer = {0};

    (void)state;
    problem_set(&problem, PROBLEM_DRAINING, "the daemon is stopping");
    answer_problem(&answer, &problem, "r_1");
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer.media_type, "application/problem+json");
    assert_int_equal(answer.header_count, 1);
    assert_string_equal(answer.headers[0].name, "Retry-After");
    assert_string_equal(answer.headers[0].value, "7");
    answer_finish(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(a_problem_without_faults_has_no_errors),
        cmocka_unit_test(control_characters_do_not_get_through),
        cmocka_unit_test(faults_beyond_the_last_are_counted),
        cmocka_unit_test(a_long_detail_is_cut_after_a_whole_character),
        cmocka_unit_test(a_fault_does_not_hide_a_graver_problem),
        cmocka_unit_test(errors_of_the_core_have_their_problem),
        cmocka_unit_test(an_answer_with_a_problem_says_when_to_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
