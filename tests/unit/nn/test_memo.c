/* Rows that are remembered: found again whole, under their own time and label only. */
#include "tests/support/test.h"

#include "core/base/gang.h"
#include "core/nn/memo.h"

enum { FLOATS = 300 };

static void fill(float row[FLOATS], double time, int32_t label)
{
    for (size_t i = 0; i < FLOATS; i++)
        row[i] = (float)(time * 1000.0 + (double)label + (double)i);
}

static void assert_row(const float *row, double time, int32_t label)
{
    float expected[FLOATS];
    fill(expected, time, label);
    assert_memory_equal(row, expected, sizeof expected);
}

static void a_row_is_found_under_its_time_and_label(void **state)
{
    (void)state;
    struct error error;
    struct memo *memo;
    float row[FLOATS];
    assert_true(memo_create(FLOATS, &memo, &error));
    assert_null(memo_find(memo, 7, 1));
    for (int time = 0; time < 100; time++)
        for (int32_t label = -1; label < 2; label++) {
            fill(row, time, label);
            memo_store(memo, time, label, row);
        }
    for (int time = 0; time < 100; time++)
        for (int32_t label = -1; label < 2; label++)
            assert_row(memo_find(memo, time, label), time, label);
    assert_null(memo_find(memo, 100, 0));
    assert_null(memo_find(memo, 7, 2));
    assert_null(memo_find(memo, 7.5, 1));
    memo_destroy(memo);
}

/* The first ones stay, the later ones are not there, and none is another's. */
static void a_full_memo_forgets_nothing(void **state)
{
    (void)state;
    struct error error;
    struct memo *memo;
    float row[FLOATS];
    size_t found = 0;
    assert_true(memo_create(FLOATS, &memo, &error));
    fill(row, 0.25, 3);
    memo_store(memo, 0.25, 3, row);
    for (int time = 0; time < 10000; time++) {
        fill(row, time, 0);
        memo_store(memo, time, 0, row);
    }
    assert_row(memo_find(memo, 0.25, 3), 0.25, 3);
    for (int time = 0; time < 10000; time++) {
        const float *there = memo_find(memo, time, 0);
        if (there != NULL)
            assert_row(there, time, 0);
        found += there != NULL;
    }
    assert_in_range(found, 1000, 4096);
    memo_destroy(memo);
}

/* Else few rows would take the pages of all. */
static void rows_lie_together(void **state)
{
    (void)state;
    struct error error;
    struct memo *memo;
    float row[FLOATS];
    assert_true(memo_create(FLOATS, &memo, &error));
    for (int time = 0; time < 20; time++) {
        fill(row, time, 0);
        memo_store(memo, time, 0, row);
    }
    const float *first = memo_find(memo, 0, 0);
    for (int time = 0; time < 20; time++)
        assert_true(memo_find(memo, time, 0) - first <= time * (FLOATS + 16));
    memo_destroy(memo);
}

/* One time under so many labels that they stand in each other's way. */
static void a_label_is_not_taken_for_another(void **state)
{
    (void)state;
    struct error error;
    struct memo *memo;
    float row[FLOATS];
    assert_true(memo_create(FLOATS, &memo, &error));
    for (int32_t label = 0; label < 4096; label++) {
        fill(row, 7, label);
        memo_store(memo, 7, label, row);
    }
    for (int32_t label = 0; label < 8192; label++) {
        const float *there = memo_find(memo, 7, label);
        if (there != NULL)
            assert_row(there, 7, label);
        assert_true(there == NULL || label < 4096);
    }
    memo_destroy(memo);
}

static void store_and_check(void *context, size_t item, unsigned worker)
{
    (void)worker;
    struct memo *memo = context;
    float row[FLOATS];
    double time = (double)(item % 50);
    fill(row, time, 4);
    memo_store(memo, time, 4, row);
    const float *there = memo_find(memo, time, 4);
    if (there != NULL)
        assert_row(there, time, 4);
}

static void threads_may_store_the_same_row_at_once(void **state)
{
    (void)state;
    struct error error;
    struct memo *memo;
    struct gang *gang = gang_create(4, &error);
    assert_non_null(gang);
    assert_true(memo_create(FLOATS, &memo, &error));
    gang_run(gang, store_and_check, memo, 2000);
    for (int time = 0; time < 50; time++)
        assert_row(memo_find(memo, time, 4), time, 4);
    memo_destroy(memo);
    gang_destroy(gang);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_found_under_its_time_and_label),
        cmocka_unit_test(a_full_memo_forgets_nothing),
        cmocka_unit_test(rows_lie_together),
        cmocka_unit_test(a_label_is_not_taken_for_another),
        cmocka_unit_test(threads_may_store_the_same_row_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
