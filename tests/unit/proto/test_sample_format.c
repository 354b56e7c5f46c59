/* The Accept header chooses among what the model can be answered in. */
#include "tests/support/test.h"

#include "tests/support/sample_try.h"

#include <stdio.h>
#include <string.h>

static struct sample_try try;

static void check(const char *model, const char *accept, const char *media_type)
{
    struct answer *answer;
    char body[64];

    (void)snprintf(body, sizeof body, "{\"model\":\"%s\",\"seed\":1}", model);
    answer = sample_try_answer(&try, body, accept);
    if (media_type == NULL) {
        assert_null(answer);
        assert_int_equal(try.problem.code, PROBLEM_NOT_ACCEPTABLE);
    } else if (answer == NULL) {
        fail_msg("%s, Accept %s: %s", model, accept, try.problem.detail);
    } else {
        assert_string_equal(answer->media_type, media_type);
    }
}

#define PNG  "image/png"
#define JSON "application/json"
#define NPY  "application/x-npy"

static void without_a_wish_the_model_decides(void **state)
{
    (void)state;
    check("faces", NULL, PNG);
    check("faces", "", PNG);
    check("faces", "*/*", PNG);
    check("grey", " */* ", PNG);
    check("plane", "*/*", JSON);
    check("line", NULL, JSON);
    check("solid", NULL, JSON);
    check("deep", NULL, JSON);
    check("faces", "text/html,application/xhtml+xml,*/*;q=0.8", PNG);
}

static void the_highest_quality_wins(void **state)
{
    (void)state;
    check("faces", "application/json", JSON);
    check("faces", "APPLICATION/JSON; charset=utf-8", JSON);
    check("faces", "application/x-npy", NPY);
    check("faces", "application/octet-stream", NPY);
    check("plane", "image/png", PNG);
    check("line", "image/*", PNG);
    check("plane", "image/apng", "image/apng");
    check("plane", "image/*;q=0.4, application/json;q=0.3", PNG);
    check("faces", "image/png;q=0.5, application/json;q=0.9", JSON);
    check("faces", "image/png;q=0, */*", JSON);
    check("faces", "application/json, image/png", PNG);
    check("faces", "application/*", JSON);
    check("faces", "image/png;Q=0.1,application/json ; q=0.2", JSON);
}

static void nothing_acceptable_is_told_with_the_choices(void **state)
{
    (void)state;
    check("faces", "text/xml", NULL);
    assert_string_equal(try.problem.detail, "the Accept header takes none of the formats of model "
                                            "'faces': png, json, npy, apng");
    check("faces", "application/zip", NULL);
    check("solid", "image/apng", NULL);
    check("faces", "text/event-stream", NULL);
    check("faces", "image/png;q=0", NULL);
    check("faces", "image/png;q=x", NULL);
    check("faces", "nonsense", NULL);
    check("solid", "image/png", NULL);
    assert_string_equal(try.problem.detail,
                        "the Accept header takes none of the formats of model 'solid': json, npy");
    check("deep", "image/*", NULL);
}

static void the_field_beats_the_header(void **state)
{
    struct answer *answer =
        sample_try_answer(&try, "{\"format\":\"npy\",\"seed\":1}", "text/xml, image/png");

    (void)state;
    assert_string_equal(answer->media_type, NPY);
}

static void faults_are_told_before_what_is_acceptable(void **state)
{
    (void)state;
    assert_null(sample_try_parse(&try, "{\"n\":0}", "text/xml"));
    assert_int_equal(try.problem.code, PROBLEM_INVALID_PARAMETER);
}

static int start(void **state)
{
    (void)state;
    sample_try_init(&try);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sample_try_finish(&try);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_wish_the_model_decides),
        cmocka_unit_test(the_highest_quality_wins),
        cmocka_unit_test(nothing_acceptable_is_told_with_the_choices),
        cmocka_unit_test(the_field_beats_the_header),
        cmocka_unit_test(faults_are_told_before_what_is_acceptable),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
