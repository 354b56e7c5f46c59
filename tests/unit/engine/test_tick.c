/* The engine's policy, tick by tick, without its thread. */
#include "tests/support/test.h"

#include "tests/support/tick_bench.h"

#include <math.h>
#include <string.h>

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

static void add(struct fake_request *fake)
{
    tick_bench_add(&bench, fake);
}

static struct request *run(void)
{
    return tick_bench_run(&bench);
}

/* Ticks until all has ended. */
static size_t run_out(void)
{
    size_t ticks = 0;

    for (; bench.batch.requests != NULL; ticks++)
        (void)run();
    return ticks;
}

static void rows_of_all_lengths_and_samplers_share_a_forward_and_leave_when_done(void **state)
{
    static struct fake_request four, two, twice;
    struct request *ended;

    (void)state;
    fake_request_init(&four, &bench.model, &fake_single, 4, 1);
    fake_request_init(&two, &bench.model, &fake_single, 2, 2);
    fake_request_init(&twice, &bench.model, &fake_double, 2, 1);
    add(&four);
    assert_null(run());
    assert_int_equal(bench.model.last_places, 1);
    add(&two);
    add(&twice);
    assert_null(run());
    assert_int_equal(bench.model.last_places, 4);
    ended = run();
    assert_ptr_equal(ended, &two.request);
    assert_null(ended->next);
    ended = run();
    assert_int_equal(bench.model.last_places, 2);
    assert_ptr_equal(ended, &four.request);
    ended = run();
    assert_int_equal(bench.model.last_places, 1);
    assert_ptr_equal(ended, &twice.request);
    assert_null(bench.batch.requests);
    assert_int_equal(bench.batch.idle_count, TICK_SLOTS);
    assert_int_equal(two.finished, 1);
    assert_int_equal(twice.request.evaluations_done, 4);
}

static void free_slots_are_shared_row_by_row(void **state)
{
    static struct fake_request first, second;

    (void)state;
    fake_request_init(&first, &bench.model, &fake_single, 3, TICK_SLOTS);
    fake_request_init(&second, &bench.model, &fake_single, 3, TICK_SLOTS);
    add(&first);
    add(&second);
    assert_null(run());
    assert_int_equal(first.request.rows_running, TICK_SLOTS / 2);
    assert_int_equal(second.request.rows_running, TICK_SLOTS / 2);
    assert_int_equal(run_out(), 5);
}

static void a_small_request_does_not_wait_for_the_run_of_a_large_one(void **state)
{
    static struct fake_request large, small;

    (void)state;
    fake_request_init(&large, &bench.model, &fake_single, 50, 200);
    fake_request_init(&small, &bench.model, &fake_single, 3, 1);
    add(&large);
    for (int i = 0; i < 5; i++)
        assert_null(run());
    assert_int_equal(large.request.rows_running, TICK_SLOTS - 1);
    add(&small);
    assert_null(run());
    assert_null(run());
    assert_ptr_equal(run(), &small.request);
    (void)run_out();
    assert_int_equal(large.request.error.code, ERROR_NONE);
    assert_int_equal(bench.batch.large_running, 0);
}

static void a_request_as_large_as_the_slots_has_them_all(void **state)
{
    static struct fake_request request;

    (void)state;
    fake_request_init(&request, &bench.model, &fake_single, 3, TICK_SLOTS);
    add(&request);
    assert_int_equal(run_out(), 3);
}

static void a_guided_row_takes_a_second_place_with_the_null_label(void **state)
{
    static struct fake_request request;

    (void)state;
    fake_request_init(&request, &bench.model, &fake_single, 1, 4);
    request.labels[0] = 3;
    request.guidance[0] = 2.5f;
    request.labels[1] = 4;
    request.labels[2] = -1;
    request.labels[3] = -1;
    request.guidance[3] = 3.0f;
    add(&request);
    assert_int_equal(run_out(), 1);
    assert_int_equal(bench.model.last_places, 5);
    assert_int_equal(bench.model.last_labels[0], 3);
    assert_int_equal(bench.model.last_labels[1], FAKE_NULL_LABEL);
    assert_int_equal(bench.model.last_labels[2], 4);
    assert_int_equal(bench.model.last_labels[3], FAKE_NULL_LABEL);
    assert_int_equal(bench.model.last_labels[4], FAKE_NULL_LABEL);
    assert_int_equal(request.request.places, 5);
}

/* A model without a null label is asked about no class with -1. */
static void without_a_null_label_no_class_stays_no_class(void **state)
{
    static struct fake_request request;

    (void)state;
    bench.model.model.class_input = (struct class_input){.has_classes = false};
    fake_request_init(&request, &bench.model, &fake_single, 1, 1);
    request.labels[0] = -1;
    add(&request);
    (void)run_out();
    assert_int_equal(bench.model.last_labels[0], -1);
}

static float seen[2 * TICK_DIM];

static enum advance see(struct row *row, const struct plan *plan, const float *output)
{
    memcpy(seen, output, plan->output_dim * sizeof *output);
    return fake_single.advance(row, plan, output);
}

static void guidance_goes_past_the_labelled_answer_and_leaves_the_variance_alone(void **state)
{
    static struct fake_request request;
    static const float weights[] = {1.0f, 0.0f, 4.0f};
    float answers[3][2 * TICK_DIM];
    const struct sampler seeing = {.name = "seeing", .begin = fake_single.begin, .advance = see};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fake_request_init(&request, &bench.model, &seeing, 1, 1);
        request.labels[0] = 3;
        request.guidance[0] = weights[i];
        add(&request);
        (void)run_out();
        memcpy(answers[i], seen, sizeof seen);
    }
    for (size_t i = 0; i < TICK_DIM; i++) {
        const float null = answers[1][i], labelled = answers[0][i];

        assert_true(fabsf(null - labelled - 0.125f * (FAKE_NULL_LABEL - 3)) < 1e-6f);
        assert_true(answers[2][i] == null + 4.0f * (labelled - null));
        assert_true(answers[2][TICK_DIM + i] == 3.0f);
    }
}

static void a_request_knows_its_progress_and_its_mean_batch(void **state)
{
    static struct fake_request one, three;

    (void)state;
    fake_request_init(&one, &bench.model, &fake_single, 4, 1);
    fake_request_init(&three, &bench.model, &fake_single, 2, 3);
    add(&one);
    (void)run();
    add(&three);
    (void)run();
    assert_int_equal(three.request.evaluations_done, 3);
    assert_int_equal(one.request.evaluations_done, 2);
    assert_int_equal(bench.batch.places_left, 2 + 3);
    (void)run_out();
    assert_int_equal(one.request.steps, 4);
    assert_int_equal(one.request.places, 1 + 4 + 4 + 1);
    assert_int_equal(three.request.steps, 2);
    assert_int_equal(three.request.places, 8);
    assert_int_equal(bench.batch.places_left, 0);
}

static void a_row_that_is_not_finite_fails_its_request_and_no_other(void **state)
{
    static struct fake_request alone, beside, failing;

    (void)state;
    fake_request_init(&alone, &bench.model, &fake_single, 6, 2);
    add(&alone);
    (void)run_out();
    fake_request_init(&beside, &bench.model, &fake_single, 6, 2);
    fake_request_init(&failing, &bench.model, &fake_single, 6, 20);
    failing.labels[1] = FAKE_NAN_LABEL;
    add(&failing);
    add(&beside);
    assert_null(run());
    assert_null(run());
    assert_ptr_equal(run(), &failing.request);
    assert_int_equal(failing.request.error.code, ERROR_NONFINITE);
    assert_non_null(strstr(failing.request.error.text, "row 1, step 2"));
    assert_int_equal(failing.finished, 0);
    assert_int_equal(bench.batch.running_count, 2);
    assert_int_equal(bench.counters.rows_waiting, 0);
    (void)run_out();
    assert_memory_equal(beside.x, alone.x, 2 * TICK_DIM * sizeof(float));
    assert_int_equal(bench.batch.places_left, 0);
}

static enum advance overflow(struct row *row, const struct plan *plan, const float *output)
{
    (void)output;
    row->x[plan->dim - 1] = INFINITY;
    return ADVANCE_DONE;
}

static void a_sampler_that_leaves_the_numbers_fails_the_request(void **state)
{
    static struct fake_request request;
    const struct sampler overflowing = {
        .name = "overflowing", .begin = fake_single.begin, .advance = overflow};

    (void)state;
    fake_request_init(&request, &bench.model, &overflowing, 1, 1);
    add(&request);
    (void)run_out();
    assert_int_equal(request.request.error.code, ERROR_NONFINITE);
}

/* Row i needs 2 + i evaluations; label 5 never gets there. */
static enum advance adaptive(struct row *row, const struct plan *plan, const float *output)
{
    (void)plan;
    row->evaluations++;
    row->number[0] += 1.0;
    if (output[0] > 0.5f && row->evaluations == 3)
        return ADVANCE_NOT_CONVERGED;
    return row->number[0] == (double)(2 + row->rng.word[0] % 4) ? ADVANCE_DONE : ADVANCE_EVALUATE;
}

static void adaptive_begin(struct row *row, const struct plan *plan)
{
    memset(row->x, 0, plan->dim * sizeof *row->x);
    memset(row->input, 0, plan->dim * sizeof *row->input);
    row->time = 0.0;
    assert_true(row->number[0] == 0.0 && row->stage == 0);
}

static const struct sampler adapting = {
    .name = "adaptive", .begin = adaptive_begin, .advance = adaptive};

static void rows_of_an_adaptive_sampler_leave_their_evaluations(void **state)
{
    static struct fake_request request;
    static uint32_t nfe[8];

    (void)state;
    fake_request_init(&request, &bench.model, &adapting, 9, 8);
    request.plan.is_adaptive = true;
    for (size_t i = 0; i < 8; i++)
        request.labels[i] = 0;
    request.request.nfe = nfe;
    add(&request);
    (void)run_out();
    assert_int_equal(request.request.error.code, ERROR_NONE);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(nfe[i], 2 + request.seeds[i] % 4);
    assert_int_equal(bench.batch.places_left, 0);
}

/* What may help is said where it can be asked for. */
static void run_without_end(bool has_limit)
{
    static struct fake_request request;

    fake_request_init(&request, &bench.model, &adapting, 9, 3);
    request.plan.is_adaptive = true;
    request.plan.options.given[OPTION_MAX_NFE] = has_limit;
    for (size_t i = 0; i < 3; i++)
        request.seeds[i] = 3; /* five evaluations */
    request.labels[0] = request.labels[2] = 0;
    request.labels[1] = 5;
    add(&request);
    (void)run_out();
    assert_int_equal(request.request.error.code, ERROR_NOT_CONVERGED);
    assert_non_null(strstr(request.request.error.text, "row 1"));
    assert_non_null(strstr(request.request.error.text, "3 evaluations"));
    assert_true((strstr(request.request.error.text, "max_nfe") != NULL) == has_limit);
    assert_int_equal(request.finished, 0);
}

static void a_solver_that_does_not_converge_says_after_how_many_evaluations(void **state)
{
    (void)state;
    run_without_end(true);
    run_without_end(false);
}

static void cancelled_rows_leave_at_the_next_tick_running_or_waiting(void **state)
{
    static struct fake_request running, waiting, other;
    struct request *ended;

    (void)state;
    fake_request_init(&running, &bench.model, &fake_single, 9, TICK_SLOTS);
    fake_request_init(&waiting, &bench.model, &fake_single, 9, 4);
    fake_request_init(&other, &bench.model, &fake_single, 2, 1);
    add(&running);
    assert_null(run());
    add(&waiting);
    add(&other);
    assert_null(run());
    running.request.cancelled = true;
    waiting.request.cancelled = true;
    ended = run();
    assert_ptr_equal(ended, &running.request);
    assert_ptr_equal(ended->next, &waiting.request);
    assert_int_equal(running.request.error.code, ERROR_CANCELLED);
    assert_int_equal(waiting.request.error.code, ERROR_CANCELLED);
    assert_int_equal(waiting.request.started_ns, 0);
    assert_int_equal(bench.model.last_places, 1);
    assert_int_equal(bench.counters.rows_running, 1);
    assert_int_equal(bench.counters.rows_waiting, 0);
    assert_int_equal(bench.counters.cancelled_running, 1);
    assert_int_equal(bench.counters.cancelled_queued, 1);
    assert_int_equal(bench.counters.wasted_row_steps, 2 * TICK_SLOTS);
    assert_ptr_equal(run(), &other.request);
    assert_int_equal(running.finished + waiting.finished, 0);
    assert_int_equal(bench.batch.places_left, 0);
}

static void abandoning_ends_every_request(void **state)
{
    static struct fake_request first, second;
    struct request *ended;

    (void)state;
    fake_request_init(&first, &bench.model, &fake_single, 9, 2 * TICK_SLOTS);
    fake_request_init(&second, &bench.model, &fake_single, 9, 1);
    add(&first);
    (void)run();
    add(&second);
    ended = tick_abandon(&bench.tick, &bench.batch);
    assert_ptr_equal(ended, &first.request);
    assert_ptr_equal(ended->next, &second.request);
    assert_int_equal(second.request.error.code, ERROR_CANCELLED);
    assert_null(bench.batch.requests);
    assert_int_equal(bench.batch.idle_count, TICK_SLOTS);
}

static enum advance remember(struct row *row, const struct plan *plan, const float *output)
{
    if (row->state[0] != 0.0f)
        return ADVANCE_FAILED;
    row->state[0] = 1.0f;
    (void)fake_single.advance(row, plan, output);
    return ADVANCE_DONE;
}

static void a_row_finds_its_state_empty(void **state)
{
    static struct fake_request request;
    const struct sampler remembering = {
        .name = "remembering", .begin = fake_single.begin, .advance = remember};

    (void)state;
    for (int i = 0; i < 2; i++) {
        fake_request_init(&request, &bench.model, &remembering, 1, TICK_SLOTS);
        add(&request);
        (void)run_out();
        assert_int_equal(request.request.error.code, ERROR_NONE);
    }
}

static size_t prepared;

static void prepare_one(struct request *request)
{
    assert_int_equal(request->rows_started, 0);
    prepared++;
}

static void prepare_badly(struct request *request)
{
    error_write(&request->error, ERROR_INVALID, "this cannot be decoded");
}

static void requests_are_prepared_once_before_their_first_row(void **state)
{
    static struct fake_request requests[2 * TICK_SLOTS + 1];

    (void)state;
    prepared = 0;
    for (size_t i = 0; i < 2 * TICK_SLOTS + 1; i++) {
        fake_request_init(&requests[i], &bench.model, &fake_single, 2, 2);
        requests[i].request.prepare = prepare_one;
        add(&requests[i]);
    }
    (void)run();
    assert_int_equal(prepared, 2 * TICK_SLOTS + 1);
    (void)run_out();
    assert_int_equal(prepared, 2 * TICK_SLOTS + 1);
}

static void a_request_that_cannot_be_prepared_ends_and_no_other(void **state)
{
    static struct fake_request bad, good;
    struct request *ended;

    (void)state;
    fake_request_init(&bad, &bench.model, &fake_single, 2, 3);
    fake_request_init(&good, &bench.model, &fake_single, 2, 1);
    bad.request.prepare = prepare_badly;
    add(&bad);
    add(&good);
    ended = run();
    assert_ptr_equal(ended, &bad.request);
    assert_null(ended->next);
    assert_int_equal(ended->error.code, ERROR_INVALID);
    assert_int_equal(bad.finished, 0);
    assert_int_equal(bench.model.last_places, 1);
    assert_int_equal(bench.counters.rows_waiting, 0);
    ended = run();
    assert_ptr_equal(ended, &good.request);
    assert_int_equal(good.request.error.code, ERROR_NONE);
    assert_int_equal(bench.batch.places_left, 0);
}

/* Two evaluations a step, x is 100 more after each. */
static void climb_begin(struct row *row, const struct plan *plan)
{
    if (!row_begin_given(row, plan))
        memset(row->x, 0, plan->dim * sizeof *row->x);
    memcpy(row->input, row->x, plan->dim * sizeof *row->x);
}

static enum advance climb_advance(struct row *row, const struct plan *plan, const float *output)
{
    (void)output;
    for (size_t i = 0; i < plan->dim; i++)
        row->x[i] += 100.0f;
    return ++row->step == plan->step_count ? ADVANCE_DONE : ADVANCE_EVALUATE;
}

static void known_values_are_kept_and_frames_are_taken_around_whole_steps(void **state)
{
    static const struct sampler climb = {
        .name = "climb", .begin = climb_begin, .advance = climb_advance};
    static const float picture[TICK_DIM] = {7, 8, 9}, starts[2 * TICK_DIM] = {0, 0, 0, 1, 2, 3};
    static const uint8_t known[TICK_DIM] = {0, 1, 0};
    static struct fake_request request;
    const struct conditioning conditioning = {.x_T = starts, .picture = picture, .known = known};
    struct plan_step steps[6] = {{.input_scale = 0}};
    struct trajectory_frame frames[3];
    float values[2 * 3 * 2 * TICK_DIM];

    (void)state;
    fake_request_init(&request, &bench.model, &climb, 3, 2);
    for (size_t i = 0; i < 6; i++)
        steps[i] =
            (struct plan_step){.from = {.alpha = 2.0}, .input_scale = 1.0, .is_inner = !(i % 2)};
    request.plan.step = steps;
    request.plan.step_count = request.plan.evaluations = 6;
    request.plan.clip.limit = 1.0;
    request.request.conditioning = &conditioning;
    request.request.trajectory = (struct trajectory){2, 3, frames, values};
    add(&request);
    assert_int_equal(run_out(), 6);
    assert_int_equal(request.request.error.code, ERROR_NONE);
    assert_true(request.x[0] == 600.0f && request.x[1] == 8.0f && request.x[2] == 600.0f);
    assert_true(request.x[3] == 601.0f && request.x[4] == 8.0f && request.x[5] == 603.0f);
    /* Row 1: before step 0, before step 2, the sample. */
    assert_true(values[3 * 2 * TICK_DIM] == 1.0f && values[3 * 2 * TICK_DIM + 1] == 2.0f);
    assert_true(values[4 * 2 * TICK_DIM] == 401.0f && values[4 * 2 * TICK_DIM + 1] == 16.0f);
    assert_true(values[5 * 2 * TICK_DIM] == 601.0f && values[5 * 2 * TICK_DIM + 1] == 8.0f);
    assert_memory_equal(&values[5 * 2 * TICK_DIM], &request.x[TICK_DIM], TICK_DIM * sizeof(float));
}

#define TICK_TEST(name) cmocka_unit_test_setup_teardown(name, bench_up, bench_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TICK_TEST(rows_of_all_lengths_and_samplers_share_a_forward_and_leave_when_done),
        TICK_TEST(free_slots_are_shared_row_by_row),
        TICK_TEST(a_small_request_does_not_wait_for_the_run_of_a_large_one),
        TICK_TEST(a_request_as_large_as_the_slots_has_them_all),
        TICK_TEST(a_guided_row_takes_a_second_place_with_the_null_label),
        TICK_TEST(without_a_null_label_no_class_stays_no_class),
        TICK_TEST(guidance_goes_past_the_labelled_answer_and_leaves_the_variance_alone),
        TICK_TEST(a_request_knows_its_progress_and_its_mean_batch),
        TICK_TEST(a_row_that_is_not_finite_fails_its_request_and_no_other),
        TICK_TEST(a_sampler_that_leaves_the_numbers_fails_the_request),
        TICK_TEST(rows_of_an_adaptive_sampler_leave_their_evaluations),
        TICK_TEST(a_solver_that_does_not_converge_says_after_how_many_evaluations),
        TICK_TEST(cancelled_rows_leave_at_the_next_tick_running_or_waiting),
        TICK_TEST(abandoning_ends_every_request),
        TICK_TEST(a_row_finds_its_state_empty),
        TICK_TEST(requests_are_prepared_once_before_their_first_row),
        TICK_TEST(a_request_that_cannot_be_prepared_ends_and_no_other),
        TICK_TEST(known_values_are_kept_and_frames_are_taken_around_whole_steps),
    };
    return cmocka_run_group_tests_name("tick", tests, NULL, NULL);
}
