/* Room for one more. */
#include "tests/support/test.h"

#include "core/base/array.h"

#include <stdint.h>
#include <stdlib.h>

static void entries_stay_while_their_array_grows(void **state)
{
    size_t capacity = 0;
    void *array = NULL;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        assert_true(array_grow(&array, &capacity, i, sizeof(size_t)));
        assert_true(capacity > i);
        ((size_t *)array)[i] = i;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(((size_t *)array)[i], i);
    free(array);
}

static void an_array_that_cannot_grow_is_left_as_it_is(void **state)
{
    size_t capacity = 0;
    void *array = NULL;

    (void)state;
    assert_true(array_grow(&array, &capacity, 0, 1));
    const size_t before = capacity;
    const void *same = array;
    assert_false(array_grow(&array, &capacity, capacity, SIZE_MAX / 2));
    assert_int_equal(capacity, before);
    assert_ptr_equal(array, same);
    free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_stay_while_their_array_grows),
        cmocka_unit_test(an_array_that_cannot_grow_is_left_as_it_is),
    };

    return cmocka_run_group_tests_name("array", tests, NULL, NULL);
}
