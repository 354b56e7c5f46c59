#include "tests/support/test.h"

#include "core/base/error.h"

#include <string.h>

static void setting_an_error_answers_false(void **state)
{
    struct error error = {0};

    (void)state;
    assert_false(error_set(&error, ERROR_INVALID, "%s must be at least %d", "n", 1));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.text, "n must be at least 1");
}

static void a_long_text_is_cut(void **state)
{
    char text[2000];
    struct error error;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(error_set(&error, ERROR_IO, "%s", text));
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

static void every_code_has_its_own_name(void **state)
{
    (void)state;
    assert_string_equal(error_name(ERROR_NONE), "none");
    assert_string_equal(error_name(ERROR_INVALID), "invalid_parameter");
    assert_string_equal(error_name(ERROR_NONFINITE), "nonfinite_output");
    for (int a = ERROR_NONE; a <= ERROR_NONFINITE; a++)
        for (int b = ERROR_NONE; b < a; b++)
            assert_string_not_equal(error_name((enum error_code)a), error_name((enum error_code)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_answers_false),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(every_code_has_its_own_name),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
