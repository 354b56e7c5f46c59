/* The header is NumPy's, byte for byte. */
#include "tests/support/test.h"

#include "proto/npy.h"

#include <string.h>

static void check(const char *type, const size_t *shape, size_t dimensions, const char *dict)
{
    struct buffer out = {0};

    npy_header(&out, type, shape, dimensions);
    assert_int_equal(out.size % 64, 0);
    assert_memory_equal(out.data, "\x93NUMPY\x01\x00", 8);
    assert_int_equal(out.data[8] + 256 * out.data[9], out.size - 10);
    assert_memory_equal(out.data + 10, dict, strlen(dict));
    for (size_t i = 10 + strlen(dict); i < out.size - 1; i++)
        assert_int_equal(out.data[i], ' ');
    assert_int_equal(out.data[out.size - 1], '\n');
    buffer_finish(&out);
}

static void the_header_says_type_order_and_shape(void **state)
{
    const size_t images[] = {2, 16, 16, 3}, points[] = {10000, 2}, line[] = {7};
    const size_t huge[] = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};

    (void)state;
    check("|u1", images, 4, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 16, 16, 3), }");
    check("<f4", points, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (10000, 2), }");
    check("<f4", line, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }");
    check("<f4", huge, 4,
          "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, "
          "18446744073709551615, 18446744073709551615, 18446744073709551615), }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_says_type_order_and_shape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
