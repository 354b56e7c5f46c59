#include "tests/support/test.h"

#include "core/base/clock.h"

#include <time.h>

static void time_never_runs_backwards(void **state)
{
    uint64_t before = clock_now_ns();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        const uint64_t now = clock_now_ns();

        assert_true(now >= before);
        before = now;
    }
}

static void it_is_the_monotonic_clock_in_nanoseconds(void **state)
{
    struct timespec before, after;
    uint64_t now;

    (void)state;
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    now = clock_now_ns();
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(now >= (uint64_t)before.tv_sec * 1000000000u + (uint64_t)before.tv_nsec);
    assert_true(now <= (uint64_t)after.tv_sec * 1000000000u + (uint64_t)after.tv_nsec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_never_runs_backwards),
        cmocka_unit_test(it_is_the_monotonic_clock_in_nanoseconds),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
