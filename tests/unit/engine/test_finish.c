/* Answers that take long to encode, tick by tick. */
#include "tests/support/test.h"

#include "core/base/clock.h"
#include "core/engine/tick.h"
#include "tests/support/fake_model.h"

#include <string.h>

#define DIM   ((size_t)3)
#define SLOTS ((size_t)8)

static struct bench {
    struct fake_model model;
    struct arena arena;
    struct batch batch;
    struct tick tick;
    struct counters counters;
    struct scratch scratch;
    struct request *group[SLOTS];
    float noise[DIM], values[DIM], workspace[64];
} bench;

static int bench_up(void **state)
{
    struct room counted = {0}, taken = {.arena = &bench.arena};
    struct error error;

    (void)state;
    memset(&bench, 0, sizeof bench);
    fake_model_init(&bench.model, DIM, 2 * DIM);
    batch_init(&bench.batch, &bench.model.model, SLOTS, &counted);
    assert_true(arena_init(&bench.arena, counted.bytes, &error));
    batch_init(&bench.batch, &bench.model.model, SLOTS, &taken);
    cost_guess(&bench.batch.cost, 1e-3);
    bench.scratch = (struct scratch){.noise = bench.noise, .values = bench.values};
    bench.tick = (struct tick){.gang = gang_create(1, &error),
                               .workspace = bench.workspace,
                               .scratch = &bench.scratch,
                               .group = bench.group,
                               .counters = &bench.counters};
    assert_non_null(bench.tick.gang);
    return 0;
}

static int bench_down(void **state)
{
    (void)state;
    gang_destroy(bench.tick.gang);
    arena_finish(&bench.arena);
    fake_model_finish(&bench.model);
    return 0;
}

static void add(struct fake_request *fake, size_t steps)
{
    fake_request_init(fake, &bench.model, &fake_single, steps, 1);
    fake->request.rows_left = 1;
    fake->request.places_left = steps;
    count(&bench.batch.places_left, steps);
    count_up(&bench.counters.rows_waiting, 1);
    batch_add(&bench.batch, &fake->request);
}

static struct request *run(void)
{
    return tick_run(&bench.tick, &bench.batch);
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
