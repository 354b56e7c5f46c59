/* The engine as the daemon has it: its own thread, the doorbell, requests from another thread. */
#include "tests/support/test.h"

#include "tests/support/allocations.h"
#include "tests/support/fake_model.h"

#include "core/base/clock.h"

#include <math.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

#define DIM   ((size_t)3)
#define SLOTS ((size_t)16)

/* --- an engine with two fake models --- */

struct house {
    struct fake_model models[2];
    struct model *pointers[2];
    struct catalog catalog;
    struct engine *engine;
    sem_t bell;
};

static struct house house;

static void ring(void *context)
{
    sem_post(context);
}

static struct engine_options options(void)
{
    return (struct engine_options){.threads = 2,
                                   .image_slots = SLOTS,
                                   .point_slots = SLOTS,
                                   .queue_requests = 500,
                                   .queue_seconds = 1e9,
                                   .doorbell = ring,
                                   .doorbell_context = &house.bell};
}

static void open_house(const struct engine_options *wanted)
{
    struct error error;

    memset(&house, 0, sizeof house);
    sem_init(&house.bell, 0, 0);
    for (size_t i = 0; i < 2; i++) {
        fake_model_init(&house.models[i], DIM, DIM);
        house.pointers[i] = &house.models[i].model;
    }
    house.catalog =
        (struct catalog){.models = house.pointers, .count = 2, .default_model = house.pointers[0]};
    house.engine = engine_create(wanted, &house.catalog, &error);
    assert_non_null(house.engine);
}

static int house_up(void **state)
{
    const struct engine_options usual = options();

    (void)state;
    open_house(&usual);
    return 0;
}

static int house_down(void **state)
{
    (void)state;
    engine_destroy(house.engine);
    for (size_t i = 0; i < 2; i++)
        fake_model_finish(&house.models[i]);
    sem_destroy(&house.bell);
    return 0;
}

static void submit(struct fake_request *fake)
{
    struct error error;

    assert_true(engine_submit(house.engine, &fake->request, &error));
}

static enum error_code refusal(struct fake_request *fake)
{
    struct error error = {.code = ERROR_NONE};

    assert_false(engine_submit(house.engine, &fake->request, &error));
    assert_true(error.text[0] != '\0');
    return error.code;
}

/* Waits for the doorbell, then takes what there is. */
static struct request *collect(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 60;
    assert_int_equal(sem_timedwait(&house.bell, &deadline), 0);
    return engine_collect(house.engine);
}

static void collect_all(size_t n)
{
    while (n > 0)
        for (struct request *request = collect(); request != NULL; request = request->next)
            n--;
}

/* --- */

static void many_requests_of_two_models_and_two_samplers_are_all_answered(void **state)
{
    enum { COUNT = 60 };
    static struct fake_request requests[COUNT];
    struct engine_model_stats steps;
    struct engine_stats stats;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        fake_request_init(&requests[i], &house.models[i % 2], i % 3 ? &fake_single : &fake_double,
                          1 + i % 7, 1 + i % 5);
        submit(&requests[i]);
    }
    collect_all(COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const struct request *request = &requests[i].request;

        assert_int_equal(request->error.code, ERROR_NONE);
        assert_int_equal(requests[i].finished, 1);
        assert_int_equal(request->evaluations_done, request->n * request->plan->evaluations);
        assert_true(request->places >= request->steps);
        assert_true(request->submitted_ns <= request->started_ns &&
                    request->started_ns <= request->sampled_ns &&
                    request->sampled_ns <= request->finished_ns);
    }
    engine_stats(house.engine, &stats);
    assert_int_equal(stats.requests + stats.rows_running + stats.rows_waiting, 0);
    engine_model_stats(house.engine, &house.models[0].model, &steps);
    assert_true(steps.steps > 0 &&
                steps.steps < house.models[0].calls); /* calibration is not one */
    assert_true(engine_backlog_seconds(house.engine) == 0.0);
    assert_true(engine_alive(house.engine));
}

/* Longer than answers are made for at one go. */
static void finish_slowly(struct request *request)
{
    const uint64_t end = clock_now_ns() + 25000000u;

    while (clock_now_ns() < end)
        continue;
    ((struct fake_request *)request)->finished++;
}

/* No rows are there any more, and nobody else comes. */
static void answers_that_take_long_are_all_made_without_another_request(void **state)
{
    enum { COUNT = 5 };
    static struct fake_request requests[COUNT];

    (void)state;
    fake_gate_close(&house.models[0], 0);
    for (size_t i = 0; i < COUNT; i++) {
        fake_request_init(&requests[i], &house.models[0], &fake_single, 2, 1);
        requests[i].request.finish = finish_slowly;
        requests[i].request.finishes_long = true;
        submit(&requests[i]);
    }
    fake_gate_open(&house.models[0]);
    collect_all(COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(requests[i].finished, 1);
}

static void answers(unsigned threads, const struct fake_request *like, float *x)
{
    static struct fake_request request;
    struct engine_options wanted = options();

    wanted.threads = threads;
    open_house(&wanted);
    request = *like;
    request.request.model = &house.models[0].model;
    request.request.plan = &request.plan;
    request.request.seeds = request.seeds;
    request.request.labels = request.labels;
    request.request.guidance = request.guidance;
    request.request.x = request.x;
    submit(&request);
    collect_all(1);
    memcpy(x, request.x, sizeof request.x);
    (void)house_down(NULL);
}

/* Three rows, one of them guided; then the same rows among others, with other neighbours in each
 * tick; then with one thread. */
static void a_row_has_the_same_bytes_alone_in_a_batch_and_for_any_number_of_threads(void **state)
{
    enum { OTHERS = 12 };
    static struct fake_request request, others[OTHERS];
    static float one[FAKE_ROWS * FAKE_DIM], two[FAKE_ROWS * FAKE_DIM];
    const size_t bytes = 3 * DIM * sizeof(float);

    (void)state;
    (void)house_up(NULL);
    fake_request_init(&request, &house.models[0], &fake_double, 9, 3);
    fake_request_seed(&request, 4000);
    request.guidance[1] = 3.5f;
    for (size_t i = 0; i < OTHERS; i++) {
        fake_request_init(&others[i], &house.models[0], i % 2 ? &fake_single : &fake_double, 1 + i,
                          1 + i % 4);
        others[i].guidance[0] = i % 3 ? 1.0f : 2.0f;
        submit(&others[i]);
        if (i == OTHERS / 2)
            submit(&request);
    }
    collect_all(OTHERS + 1);
    (void)house_down(NULL);
    answers(1, &request, one);
    answers(2, &request, two);
    assert_memory_equal(request.x, one, bytes);
    assert_memory_equal(request.x, two, bytes);
    assert_memory_not_equal(request.x, request.x + DIM, DIM * sizeof(float));
}

static void a_full_queue_refuses_and_takes_again_when_one_has_ended(void **state)
{
    static struct fake_request requests[3];
    struct engine_options wanted = options();

    (void)state;
    wanted.queue_requests = 2;
    open_house(&wanted);
    fake_gate_close(&house.models[0], 0);
    for (size_t i = 0; i < 3; i++)
        fake_request_init(&requests[i], &house.models[0], &fake_single, 2, 4);
    submit(&requests[0]);
    submit(&requests[1]);
    assert_int_equal(refusal(&requests[2]), ERROR_QUEUE_FULL);
    fake_gate_open(&house.models[0]);
    collect_all(2);
    submit(&requests[2]);
    collect_all(1);
    (void)house_down(NULL);
}

static void a_long_backlog_refuses_whatever_comes_next(void **state)
{
    static struct fake_request requests[2];
    struct engine_options wanted = options();

    (void)state;
    wanted.queue_seconds = 1e-9;
    open_house(&wanted);
    fake_gate_close(&house.models[0], 0);
    for (size_t i = 0; i < 2; i++)
        fake_request_init(&requests[i], &house.models[i], &fake_single, 50, 100);
    submit(&requests[0]);
    assert_true(engine_backlog_seconds(house.engine) > 1e-9);
    assert_int_equal(refusal(&requests[1]), ERROR_QUEUE_FULL);
    fake_gate_open(&house.models[0]);
    collect_all(1);
    submit(&requests[1]);
    collect_all(1);
    (void)house_down(NULL);
}

/* What its limit allows is not what is waited for. */
static void an_adaptive_sampler_counts_by_what_is_expected_of_it(void **state)
{
    static struct fake_request plain, adaptive;
    double backlog;

    (void)state;
    fake_request_init(&plain, &house.models[0], &fake_single, 5, 10);
    fake_request_init(&adaptive, &house.models[0], &fake_single, 5, 10);
    adaptive.plan.evaluations = 10000;
    adaptive.plan.is_adaptive = true;
    fake_gate_close(&house.models[0], 0);
    submit(&plain);
    backlog = engine_backlog_seconds(house.engine);
    submit(&adaptive);
    assert_true(fabs(engine_backlog_seconds(house.engine) - 2.0 * backlog) < 1e-9 * backlog);
    fake_gate_open(&house.models[0]);
    collect_all(2);
    assert_true(engine_backlog_seconds(house.engine) == 0.0);
}

static void a_row_that_takes_more_than_was_expected_is_not_waited_for_below_nothing(void **state)
{
    static struct fake_request request;

    (void)state;
    fake_request_init(&request, &house.models[0], &fake_single, 9, 3);
    request.plan.evaluations_due = 2;
    submit(&request);
    collect_all(1);
    assert_int_equal(request.request.evaluations_done, 3 * 9);
    assert_true(engine_backlog_seconds(house.engine) == 0.0);
}

static void a_plan_with_more_state_than_a_slot_has_is_refused(void **state)
{
    static struct fake_request request;

    (void)state;
    fake_request_init(&request, &house.models[0], &fake_single, 2, 1);
    request.plan.state_floats = PLAN_STATE_FLOATS_MAX(DIM) + 1;
    assert_int_equal(refusal(&request), ERROR_INVALID);
    request.plan.state_floats = PLAN_STATE_FLOATS_MAX(DIM);
    submit(&request);
    collect_all(1);
}

static void a_cancelled_request_frees_its_rows_within_one_step(void **state)
{
    static struct fake_request request;
    struct engine_options wanted = options();
    struct engine_stats stats;

    (void)state;
    wanted.threads = 1; /* a step is one forward */
    open_house(&wanted);
    fake_request_init(&request, &house.models[0], &fake_single, 1000, 100);
    fake_gate_close(&house.models[0], 3);
    submit(&request);
    fake_gate_wait(&house.models[0]);
    engine_stats(house.engine, &stats);
    assert_int_equal(stats.rows_running, SLOTS - SLOTS / 8);
    assert_int_equal(stats.rows_waiting, 100 - stats.rows_running);
    assert_int_equal(stats.requests, 1);
    request.request.cancelled = true;
    fake_gate_close(&house.models[0], 1); /* the step in progress: no other is needed */
    collect_all(1);
    assert_int_equal(request.request.error.code, ERROR_CANCELLED);
    engine_stats(house.engine, &stats);
    assert_int_equal(stats.requests + stats.rows_running + stats.rows_waiting, 0);
    assert_int_equal(stats.cancelled_running, 1);
    assert_int_equal(stats.wasted_row_steps, 4 * (SLOTS - SLOTS / 8));
    (void)house_down(NULL);
}

/* Of a million steps few were made when it has gone. */
static void a_cancelled_request_does_not_run_on_in_its_stretch(void **state)
{
    static struct fake_request request;
    struct engine_options wanted = options();

    (void)state;
    wanted.stretch_seconds = ENGINE_STRETCH_SECONDS;
    open_house(&wanted);
    fake_request_init(&request, &house.models[0], &fake_single, 1000000, SLOTS);
    submit(&request);
    while (request.request.evaluations_done == 0)
        sched_yield();
    request.request.cancelled = true;
    collect_all(1);
    assert_int_equal(request.request.error.code, ERROR_CANCELLED);
    assert_int_equal(request.request.evaluations_done, SLOTS * request.request.steps);
    assert_true(request.request.steps < 1000000);
    (void)house_down(NULL);
}

static void the_models_take_turns(void **state)
{
    static struct fake_request slow, quick;

    (void)state;
    fake_request_init(&slow, &house.models[0], &fake_single, 200, 1);
    fake_request_init(&quick, &house.models[1], &fake_single, 3, 1);
    fake_gate_close(&house.models[0], 0);
    submit(&slow);
    fake_gate_wait(&house.models[0]);
    submit(&quick);
    fake_gate_close(&house.models[0], 4);
    assert_ptr_equal(collect(), &quick.request);
    fake_gate_open(&house.models[0]);
    assert_ptr_equal(collect(), &slow.request);
}

static void stopping_ends_what_is_running_and_what_waits(void **state)
{
    enum { COUNT = 5 };
    static struct fake_request requests[COUNT];
    size_t cancelled = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        fake_request_init(&requests[i], &house.models[i % 2], &fake_single, 1000000, 20);
        submit(&requests[i]);
    }
    engine_stop(house.engine);
    for (struct request *request = engine_collect(house.engine); request; request = request->next)
        cancelled += request->error.code == ERROR_CANCELLED;
    assert_int_equal(cancelled, COUNT);
    assert_int_equal(refusal(&requests[0]), ERROR_CANCELLED);
    engine_stop(house.engine);
    assert_null(engine_collect(house.engine));
}

static void nothing_is_allocated_from_submit_to_collect(void **state)
{
    enum { COUNT = 8 };
    static struct fake_request requests[COUNT];
    size_t before;

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        fake_request_init(&requests[i], &house.models[i % 2], &fake_single, 20, 1 + 7 * i);
    requests[0].labels[0] = FAKE_NAN_LABEL;
    before = allocations_count();
    for (size_t i = 0; i < COUNT; i++)
        submit(&requests[i]);
    requests[1].request.cancelled = true;
    collect_all(COUNT);
    assert_int_equal(allocations_count(), before);
}

static void figures_tell_what_was_done(void **state)
{
    static struct fake_request request;
    struct engine_model_stats steps;
    struct engine_stats stats;
    uint64_t queued = 0;

    (void)state;
    fake_request_init(&request, &house.models[1], &fake_single, 6, 5);
    request.guidance[4] = 2.0f;
    submit(&request);
    collect_all(1);
    engine_stats(house.engine, &stats);
    engine_model_stats(house.engine, &house.models[1].model, &steps);
    assert_int_equal(steps.steps, 6);
    assert_int_equal(stats.batch_places, 6 * 6);
    assert_int_equal(stats.batch_buckets[3], 6); /* 5..8 */
    assert_true(steps.step_seconds > 0.0);
    for (size_t i = 0; i < ENGINE_TIME_BUCKETS; i++)
        queued += stats.queue_buckets[i];
    assert_int_equal(queued, 1);
}

static void more_rows_take_longer_by_prediction(void **state)
{
    const struct model *model = &house.models[0].model;
    const double one = engine_predict_seconds(house.engine, model, 1, 10);

    (void)state;
    assert_true(one > 0.0);
    assert_true(engine_predict_seconds(house.engine, model, SLOTS, 10) >= one);
    assert_true(engine_predict_seconds(house.engine, model, 10 * SLOTS, 10) > 9.0 * one);
    assert_true(engine_predict_seconds(house.engine, model, 1, 20) > 1.9 * one);
    assert_int_equal(engine_calibration(house.engine, model).places[2], 16);
}

static void an_engine_without_models_starts_and_stops(void **state)
{
    const struct engine_options usual = options();
    const struct catalog empty = {.count = 0};
    struct error error;
    struct engine *engine = engine_create(&usual, &empty, &error);

    (void)state;
    assert_non_null(engine);
    assert_null(engine_collect(engine));
    engine_destroy(engine);
    engine_destroy(NULL);
}

#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, house_up, house_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(many_requests_of_two_models_and_two_samplers_are_all_answered),
        ENGINE_TEST(answers_that_take_long_are_all_made_without_another_request),
        cmocka_unit_test(a_row_has_the_same_bytes_alone_in_a_batch_and_for_any_number_of_threads),
        cmocka_unit_test(a_full_queue_refuses_and_takes_again_when_one_has_ended),
        cmocka_unit_test(a_long_backlog_refuses_whatever_comes_next),
        ENGINE_TEST(an_adaptive_sampler_counts_by_what_is_expected_of_it),
        ENGINE_TEST(a_row_that_takes_more_than_was_expected_is_not_waited_for_below_nothing),
        ENGINE_TEST(a_plan_with_more_state_than_a_slot_has_is_refused),
        cmocka_unit_test(a_cancelled_request_frees_its_rows_within_one_step),
        cmocka_unit_test(a_cancelled_request_does_not_run_on_in_its_stretch),
        ENGINE_TEST(the_models_take_turns),
        ENGINE_TEST(stopping_ends_what_is_running_and_what_waits),
        ENGINE_TEST(nothing_is_allocated_from_submit_to_collect),
        ENGINE_TEST(figures_tell_what_was_done),
        ENGINE_TEST(more_rows_take_longer_by_prediction),
        cmocka_unit_test(an_engine_without_models_starts_and_stops),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
