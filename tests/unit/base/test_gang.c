#include "tests/support/test.h"

#include "core/base/gang.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ITEMS 1000

struct counts {
    atomic_uint seen[ITEMS];
    atomic_uint bad_workers;
    unsigned threads;
};

static struct gang *started(unsigned threads)
{
    struct error error = {0};
    struct gang *gang = gang_create(threads, &error);

    if (gang == NULL)
        fail_msg("%s", error.text);
    return gang;
}

static void count_item(void *context, size_t item, unsigned worker)
{
    struct counts *counts = context;

    atomic_fetch_add(&counts->seen[item], 1);
    if (worker >= counts->threads)
        atomic_fetch_add(&counts->bad_workers, 1);
}

static void every_item_is_done_exactly_once(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 8; threads++) {
        struct gang *gang = started(threads);

        assert_int_equal(gang_threads(gang), threads);
        for (size_t count = 0; count <= ITEMS; count = count * 3 + 1) {
            static struct counts counts;

            memset(&counts, 0, sizeof counts);
            counts.threads = threads;
            gang_run(gang, count_item, &counts, count);
            for (size_t i = 0; i < ITEMS; i++)
                assert_int_equal(counts.seen[i], i < count);
            assert_int_equal(counts.bad_workers, 0);
        }
        gang_destroy(gang);
    }
}

/* Plain memory on purpose: the thread sanitizer sees whether a run's end publishes it. */
static void double_item(void *context, size_t item, unsigned worker)
{
    unsigned *values = context;

    (void)worker;
    values[item] = values[item] * 2 + 1;
}

static void many_tiny_runs_lose_no_wake_up(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 8; threads *= 2) {
        struct gang *gang = started(threads);

        for (unsigned run = 0; run < 2000; run++) {
            unsigned values[5] = {run, run + 1, run + 2, run + 3, run + 4};
            const size_t count = 1 + run % 5;

            gang_run(gang, double_item, values, count);
            for (unsigned i = 0; i < 5; i++)
                assert_int_equal(values[i], i < count ? (run + i) * 2 + 1 : run + i);
        }
        gang_destroy(gang);
    }
}

struct meeting {
    atomic_uint arrived;
    unsigned expected;
};

/* Ends only when as many workers as there are items are in it at once. */
static void meet(void *context, size_t item, unsigned worker)
{
    struct meeting *meeting = context;

    (void)item;
    (void)worker;
    atomic_fetch_add(&meeting->arrived, 1);
    while (atomic_load(&meeting->arrived) < meeting->expected)
        sched_yield();
}

static void all_threads_take_part_even_after_they_slept(void **state)
{
    struct gang *gang = started(4);

    (void)state;
    for (int run = 0; run < 50; run++) {
        struct meeting meeting = {.expected = 4};

        gang_run(gang, meet, &meeting, 4);
        assert_int_equal(meeting.arrived, 4);
    }
    gang_destroy(gang);
}

struct places {
    struct meeting meeting;
    unsigned worker_of[4];
};

static void note_worker(void *context, size_t item, unsigned worker)
{
    struct places *places = context;

    places->worker_of[item] = worker;
    meet(&places->meeting, item, worker);
}

static void a_worker_begins_with_its_own_items(void **state)
{
    struct gang *gang = started(4);

    (void)state;
    for (int run = 0; run < 50; run++) {
        struct places places = {.meeting.expected = 4};

        gang_run(gang, note_worker, &places, 4);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(places.worker_of[i], i);
    }
    gang_destroy(gang);
}

/* The first item of the second half takes until all others are done. */
static void wait_for_others(void *context, size_t item, unsigned worker)
{
    struct meeting *meeting = context;

    (void)worker;
    atomic_fetch_add(&meeting->arrived, 1);
    while (item == meeting->expected / 2 && atomic_load(&meeting->arrived) < meeting->expected)
        sched_yield();
}

static void who_is_through_helps_the_others(void **state)
{
    struct gang *gang = started(2);

    (void)state;
    for (int run = 0; run < 50; run++) {
        struct meeting meeting = {.expected = 10};

        gang_run(gang, wait_for_others, &meeting, 10);
        assert_int_equal(meeting.arrived, 10);
    }
    gang_destroy(gang);
}

/* Who runs items of its own within one of a gang. */
struct nested {
    unsigned values[16][5];
};

static void run_alone(void *context, size_t item, unsigned worker)
{
    struct nested *nested = context;

    (void)worker;
    gang_run(gang_alone(), double_item, nested->values[item], 5);
}

static void an_item_runs_items_of_its_own_alone(void **state)
{
    struct gang *gang = started(4);

    (void)state;
    assert_int_equal(gang_threads(gang_alone()), 1);
    for (unsigned run = 0; run < 50; run++) {
        struct nested nested = {{{0}}};

        gang_run(gang, run_alone, &nested, 16);
        for (size_t i = 0; i < 16; i++)
            for (size_t k = 0; k < 5; k++)
                assert_int_equal(nested.values[i][k], 1);
    }
    gang_destroy(gang);
}

static void results_do_not_depend_on_the_number_of_threads(void **state)
{
    unsigned want[ITEMS], got[ITEMS];

    (void)state;
    for (unsigned i = 0; i < ITEMS; i++)
        want[i] = (i * 7 % 13) * 2 + 1;
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct gang *gang = started(threads);

        for (unsigned i = 0; i < ITEMS; i++)
            got[i] = i * 7 % 13;
        gang_run(gang, double_item, got, ITEMS);
        assert_memory_equal(got, want, sizeof want);
        gang_destroy(gang);
    }
}

struct looks {
    struct meeting meeting;
    atomic_uint unblocked, denormal, badly_named;
};

static void look_around(void *context, size_t item, unsigned worker)
{
    struct looks *looks = context;
    volatile float least = 0x1p-126F;
    volatile double least_double = 0x1p-1022;
    char name[16], expected[16];
    sigset_t blocked;

    meet(&looks->meeting, item, worker);
#if defined(__SSE2__)
    if (least * 0.5F > 0 || least_double * 0.5 > 0)
        atomic_fetch_add(&looks->denormal, 1);
#endif
    if (worker == 0)
        return;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (!sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGINT))
        atomic_fetch_add(&looks->unblocked, 1);
    (void)snprintf(expected, sizeof expected, "denoised-%u", worker % 1000);
    if (pthread_getname_np(pthread_self(), name, sizeof name) != 0 || strcmp(name, expected) != 0)
        atomic_fetch_add(&looks->badly_named, 1);
}

static void workers_are_named_block_signals_and_flush_denormals(void **state)
{
    struct looks looks = {.meeting = {.expected = 3}};
    struct gang *gang = started(3);
    sigset_t mine;

    (void)state;
    gang_run(gang, look_around, &looks, 3);
    assert_int_equal(looks.unblocked, 0);
    assert_int_equal(looks.denormal, 0);
    assert_int_equal(looks.badly_named, 0);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_false(sigismember(&mine, SIGTERM));
    gang_destroy(gang);
}

static void a_senseless_number_of_threads_is_refused(void **state)
{
    struct error error = {0};

    (void)state;
    assert_null(gang_create(0, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_null(gang_create(GANG_THREADS_MAX + 1, &error));
    assert_string_equal(error.text, "the number of threads must be 1 to 256, not 257");
}

static void destroying_nothing_does_nothing(void **state)
{
    (void)state;
    gang_destroy(NULL);
}

static void a_gang_that_never_ran_can_be_destroyed(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        gang_destroy(started(1 + (unsigned)i % 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_done_exactly_once),
        cmocka_unit_test(many_tiny_runs_lose_no_wake_up),
        cmocka_unit_test(all_threads_take_part_even_after_they_slept),
        cmocka_unit_test(a_worker_begins_with_its_own_items),
        cmocka_unit_test(who_is_through_helps_the_others),
        cmocka_unit_test(an_item_runs_items_of_its_own_alone),
        cmocka_unit_test(results_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(workers_are_named_block_signals_and_flush_denormals),
        cmocka_unit_test(a_senseless_number_of_threads_is_refused),
        cmocka_unit_test(destroying_nothing_does_nothing),
        cmocka_unit_test(a_gang_that_never_ran_can_be_destroyed),
    };

    return cmocka_run_group_tests_name("gang", tests, NULL, NULL);
}
