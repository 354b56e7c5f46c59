#include "tests/support/test.h"

#include "core/base/arena.h"

static void sizes_are_rounded_up_to_the_alignment(void **state)
{
    (void)state;
    assert_int_equal(arena_rounded(0), 0);
    assert_int_equal(arena_rounded(1), ARENA_ALIGN);
    assert_int_equal(arena_rounded(ARENA_ALIGN), ARENA_ALIGN);
    assert_int_equal(arena_rounded(ARENA_ALIGN + 1), 2 * ARENA_ALIGN);
}

static void pieces_are_aligned_zeroed_and_apart(void **state)
{
    static const size_t sizes[] = {1, 64, 65, 1000, 0, 7};
    unsigned char *end = NULL;
    struct arena arena;
    struct error error;
    size_t total = 0;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        total += arena_rounded(sizes[i]);
    assert_true(arena_init(&arena, total, &error));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *piece = arena_take(&arena, sizes[i]);

        assert_int_equal((uintptr_t)piece % ARENA_ALIGN, 0);
        assert_true(end == NULL || piece >= end);
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(piece[k], 0);
            piece[k] = 0xff;
        }
        end = piece + sizes[i];
    }
    assert_int_equal(arena.used, arena.size);
    arena_finish(&arena);
}

static void more_memory_than_there_is_is_an_error(void **state)
{
    struct arena arena;
    struct error error = {0};

    (void)state;
    assert_false(arena_init(&arena, SIZE_MAX / 2, &error));
    assert_int_equal(error.code, ERROR_NO_MEMORY);
    assert_null(arena.base);
    arena_finish(&arena);
}

static void an_empty_arena_can_be_finished_twice(void **state)
{
    struct arena arena;
    struct error error;

    (void)state;
    assert_true(arena_init(&arena, 0, &error));
    arena_finish(&arena);
    arena_finish(&arena);
    assert_null(arena.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_rounded_up_to_the_alignment),
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(more_memory_than_there_is_is_an_error),
        cmocka_unit_test(an_empty_arena_can_be_finished_twice),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
