#include "tests/support/test.h"

#include "core/base/buffer.h"

#include <stdio.h>
#include <string.h>

static void what_is_written_stands_in_order(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_text(&buffer, "a=");
    buffer_printf(&buffer, "%d,%s", 7, "x");
    buffer_append(&buffer, "\0b", 2);
    memcpy(buffer_extend(&buffer, 3), "end", 3);
    assert_true(buffer_ok(&buffer));
    assert_int_equal(buffer.size, 10);
    assert_memory_equal(buffer.data, "a=7,x\0bend", 10);
    buffer_finish(&buffer);
    assert_null(buffer.data);
}

static void it_grows_without_losing_anything(void **state)
{
    struct buffer buffer = {0};
    char text[16];

    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        buffer_printf(&buffer, "%05u\n", i);
    assert_int_equal(buffer.size, 60000);
    for (unsigned i = 0; i < 10000; i++) {
        (void)snprintf(text, sizeof text, "%05u\n", i);
        assert_memory_equal(buffer.data + (size_t)6 * i, text, 6);
    }
    buffer_finish(&buffer);
}

static void nothing_can_be_appended(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_append(&buffer, NULL, 0);
    buffer_text(&buffer, "");
    assert_true(buffer_ok(&buffer));
    assert_int_equal(buffer.size, 0);
    buffer_finish(&buffer);
    buffer_finish(&buffer);
}

static void a_failure_is_remembered(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_text(&buffer, "kept");
    assert_null(buffer_extend(&buffer, SIZE_MAX));
    assert_null(buffer_extend(&buffer, SIZE_MAX / 4 - 4));
    assert_false(buffer_ok(&buffer));
    buffer_text(&buffer, "not kept");
    buffer_printf(&buffer, "%d", 1);
    assert_int_equal(buffer.size, 4);
    buffer_finish(&buffer);
    assert_true(buffer_ok(&buffer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_stands_in_order),
        cmocka_unit_test(it_grows_without_losing_anything),
        cmocka_unit_test(nothing_can_be_appended),
        cmocka_unit_test(a_failure_is_remembered),
    };

    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
