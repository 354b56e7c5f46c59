/* Answers that take long to encode, tick by tick. */
#include "tests/support/test.h"

#include "core/base/clock.h"
#include "tests/support/tick_bench.h"

static struct tick_bench bench;

static int bench_up(void **state)
{
    (void)state;
    tick_bench_up(&bench);
    return 0;
}

static int bench_down(void **state)
{
    (void)state;
    tick_bench_down(&bench);
    return 0;
}

static void add(struct fake_request *fake, size_t steps)
{
    fake_request_init(fake, &bench.model, &fake_single, steps, 1);
    tick_bench_add(&bench, fake);
}

static struct request *run(void)
{
    return tick_bench_run(&bench);
}

/* An answer that takes long to encode. */
static void finish_slowly(struct request *request)
{
    const uint64_t end = clock_now_ns() + 25000000u;

    while (clock_now_ns() < end)
        continue;
    ((struct fake_request *)request)->finished++;
}

static void slow_answers_are_made_one_at_a_time_and_let_rows_have_their_turn(void **state)
{
    static struct fake_request slow[4], steady, quick;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        add(&slow[i], 1);
        slow[i].request.finish = finish_slowly;
        slow[i].request.finishes_long = true;
    }
    add(&steady, 1000);
    assert_ptr_equal(run(), &slow[0].request);
    assert_null(slow[0].request.next);
    assert_int_equal(slow[1].finished, 0);
    assert_true(slow[1].request.sampled_ns > 0);
    assert_true(bench.tick.ending_after_ns > slow[0].request.finished_ns + 20000000u);
    bench.tick.ending_after_ns = UINT64_MAX;
    add(&quick, 1);
    assert_ptr_equal(run(), &quick.request);
    assert_null(quick.request.next);
    for (size_t i = 0; i < 2; i++)
        assert_null(run());
    assert_int_equal(steady.request.evaluations_done, 4);
    atomic_store(&slow[2].request.cancelled, true);
    assert_ptr_equal(tick_finish(&bench.tick), &slow[1].request);
    assert_ptr_equal(tick_finish(&bench.tick), &slow[2].request);
    assert_int_equal(slow[2].request.error.code, ERROR_CANCELLED);
    assert_int_equal(slow[2].finished, 0);
    assert_int_equal(bench.counters.cancelled_running, 1);
    assert_int_equal(bench.counters.wasted_row_steps, 1);
    assert_ptr_equal(slow[2].request.next, &slow[3].request);
    assert_null(tick_finish(&bench.tick));
}

static void what_is_ending_when_the_engine_stops_is_cancelled(void **state)
{
    static struct fake_request slow[2];
    const struct request *left;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        add(&slow[i], 1);
        slow[i].request.finish = finish_slowly;
        slow[i].request.finishes_long = true;
    }
    assert_ptr_equal(run(), &slow[0].request);
    left = tick_abandon(&bench.tick, &bench.batch);
    assert_ptr_equal(left, &slow[1].request);
    assert_int_equal(left->error.code, ERROR_CANCELLED);
    assert_int_equal(slow[1].finished, 0);
    assert_null(bench.tick.ending);
}

int main(void)
{
#define FINISH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_up, bench_down)
    const struct CMUnitTest tests[] = {
        FINISH_TEST(slow_answers_are_made_one_at_a_time_and_let_rows_have_their_turn),
        FINISH_TEST(what_is_ending_when_the_engine_stops_is_cancelled),
    };

    return cmocka_run_group_tests_name("finish", tests, NULL, NULL);
}
