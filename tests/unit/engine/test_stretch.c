/* Several steps in a tick: nobody can tell but by the ticks. */
#include "tests/support/test.h"

#include "tests/support/fake_model.h"
#include "tests/support/stage.h"

#include "core/engine/tick.h"

#include <stdlib.h>
#include <string.h>

#define DIM    ((size_t)3)
#define SLOTS  ((size_t)64)
#define LONG   ((size_t)200) /* a stretch that ends because a row may be done */
#define FRAMES ((size_t)6)

/* --- a model and a stage for it --- */

static struct fake_model model;
static struct model *pointer = &model.model;
static const struct catalog catalog = {.models = &pointer, .count = 1};
static struct stage *stage;

static void up(unsigned threads, size_t steps)
{
    fake_model_init(&model, DIM, DIM);
    stage = stage_create(&catalog, threads, SLOTS);
    stage_stretch(stage, steps);
}

static void down(void)
{
    stage_destroy(stage);
    fake_model_finish(&model);
}

static int stage_up(void **state)
{
    (void)state;
    up(1, LONG);
    return 0;
}

static int stage_down(void **state)
{
    (void)state;
    down();
    return 0;
}

/* Ticks until so many have ended. */
static size_t run_out(size_t requests)
{
    size_t ticks = 0;

    for (size_t ended = 0; ended < requests; ticks++)
        ended += stage_tick(stage, 0);
    return ticks;
}

static uint64_t steps_made(void)
{
    struct engine_model_stats stats;

    stage_model_stats(stage, 0, &stats);
    return stats.steps;
}

/* --- samplers --- */

/* Fails when it has made as many steps as its label says. */
static void fragile_begin(struct row *row, const struct plan *plan)
{
    memset(row->x, 0, plan->dim * sizeof *row->x);
    memset(row->input, 0, plan->dim * sizeof *row->input);
    row->time = 0.0;
}

static enum advance fragile_advance(struct row *row, const struct plan *plan, const float *output)
{
    if (output[0] * 8.0f == (float)row->step)
        return ADVANCE_FAILED;
    return ++row->step == plan->steps ? ADVANCE_DONE : ADVANCE_EVALUATE;
}

/* Takes as many steps as its seed says, a few; nobody knows before. */
static enum advance adaptive_advance(struct row *row, const struct plan *plan, const float *output)
{
    (void)plan;
    (void)output;
    row->evaluations++;
    return row->evaluations == row->rng.word[0] ? ADVANCE_DONE : ADVANCE_EVALUATE;
}

/* Cancels its request from inside. */
static struct request *to_cancel;

static enum advance cancelling_advance(struct row *row, const struct plan *plan,
                                       const float *output)
{
    if (row->step == 2)
        to_cancel->cancelled = true;
    return fake_single.advance(row, plan, output);
}

static const struct sampler fragile = {.name = "fragile",
                                       .begin = fragile_begin,
                                       .advance = fragile_advance},
                            adaptive = {.name = "adaptive",
                                        .begin = fragile_begin,
                                        .advance = adaptive_advance},
                            no_steps = {.name = "no steps", .begin = fragile_begin};

/* --- a crowd of all kinds --- */

enum { ONES, TWICE, GUIDED, KEPT, ADAPTIVE, NONE, FRAGILE, CROWD };

struct crowd {
    struct fake_request of[CROWD];
    uint32_t nfe[FAKE_ROWS];
    struct trajectory_frame frames[FRAMES];
    float values[5 * FRAMES * 2 * DIM];
    struct plan_step steps[12];
    struct conditioning conditioning;
};

static const float picture[DIM] = {1.5f, -0.5f, 0.25f};
static const uint8_t known[DIM] = {0, 1, 0};

/* Rows that begin with a draw, keep a part of a picture and record every second step. */
static void surround(struct crowd *crowd)
{
    struct fake_request *kept = &crowd->of[KEPT];

    for (size_t i = 0; i < 12; i++)
        crowd->steps[i] = (struct plan_step){.from = {.alpha = 0.5, .sigma = 0.5},
                                             .input_scale = 1.0,
                                             .model_level = {.alpha = 0.5, .sigma = 0.5},
                                             .model_time = (double)i};
    crowd->conditioning = (struct conditioning){.picture = picture, .known = known};
    kept->plan.step = crowd->steps;
    kept->request.conditioning = &crowd->conditioning;
    kept->request.trajectory = (struct trajectory){2, FRAMES, crowd->frames, crowd->values};
}

static void crowd_init(struct crowd *crowd)
{
    memset(crowd, 0, sizeof *crowd);
    fake_request_init(&crowd->of[ONES], &model, &fake_single, 17, 9);
    fake_request_init(&crowd->of[TWICE], &model, &fake_double, 8, 3);
    fake_request_init(&crowd->of[GUIDED], &model, &fake_single, 23, 4);
    fake_request_init(&crowd->of[KEPT], &model, &fake_single, 11, 5);
    fake_request_init(&crowd->of[ADAPTIVE], &model, &adaptive, 50, 6);
    fake_request_init(&crowd->of[NONE], &model, &no_steps, 0, 2);
    fake_request_init(&crowd->of[FRAGILE], &model, &fragile, 30, 4);
    for (size_t i = 0; i < CROWD; i++)
        fake_request_seed(&crowd->of[i], 10 * (uint32_t)i + 5);
    for (size_t i = 0; i < 4; i++)
        crowd->of[GUIDED].guidance[i] = 1.0f + (float)i;
    for (size_t i = 0; i < 6; i++)
        crowd->of[ADAPTIVE].seeds[i] = 1 + (uint32_t)i;
    crowd->of[ADAPTIVE].plan.is_adaptive = true;
    crowd->of[ADAPTIVE].request.nfe = crowd->nfe;
    /* All fail in one stretch if that is long, the third row before the others. */
    memcpy(crowd->of[FRAGILE].labels, (const int32_t[]){10, 9, 8, 11}, 4 * sizeof(int32_t));
    surround(crowd);
}

/* What is left of the crowd when it came in two waves, at so many steps a tick. */
static void run_crowd(struct crowd *crowd, unsigned threads, size_t steps)
{
    size_t ended = 0;

    up(threads, steps);
    crowd_init(crowd);
    for (size_t i = 0; i < CROWD / 2; i++)
        stage_join(stage, &crowd->of[i].request);
    ended = stage_tick(stage, 0);
    for (size_t i = CROWD / 2; i < CROWD; i++)
        stage_join(stage, &crowd->of[i].request);
    (void)run_out(CROWD - ended);
    assert_int_equal(stage_places_left(stage, 0), 0);
    down();
}

static void assert_same_crowd(const struct crowd *a, const struct crowd *b)
{
    for (size_t i = 0; i < CROWD; i++) {
        const struct request *one = &a->of[i].request, *other = &b->of[i].request;

        assert_int_equal(one->error.code, other->error.code);
        if (one->error.code != ERROR_NONE) {
            assert_string_equal(one->error.text, other->error.text);
            continue;
        }
        assert_memory_equal(a->of[i].x, b->of[i].x, one->n * DIM * sizeof(float));
        assert_int_equal(one->evaluations_done, other->evaluations_done);
        assert_int_equal(one->steps, other->steps);
        assert_int_equal(a->of[i].finished, b->of[i].finished);
    }
    assert_memory_equal(a->nfe, b->nfe, sizeof a->nfe);
    assert_memory_equal(a->values, b->values, sizeof a->values);
    assert_memory_equal(a->frames, b->frames, sizeof a->frames);
}

static void rows_are_the_same_for_stretches_of_any_length_and_any_number_of_threads(void **state)
{
    static const size_t lengths[] = {1, 2, 3, 7, LONG};
    static struct crowd first, other;

    (void)state;
    run_crowd(&first, 1, 1);
    assert_int_equal(first.of[FRAGILE].request.error.code, ERROR_NONFINITE);
    assert_non_null(strstr(first.of[FRAGILE].request.error.text, "row 2, step 8"));
    assert_int_equal(first.nfe[5], 6);
    assert_memory_equal(&first.values[(FRAMES - 1) * 2 * DIM], first.of[KEPT].x,
                        DIM * sizeof(float));
    for (unsigned threads = 1; threads <= 3; threads++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            run_crowd(&other, threads, lengths[i]);
            assert_same_crowd(&first, &other);
        }
}

/* --- where a stretch ends --- */

static void a_stretch_ends_where_the_first_row_is_done(void **state)
{
    static struct fake_request four, ten, twice;

    (void)state;
    fake_request_init(&four, &model, &fake_single, 4, 2);
    fake_request_init(&ten, &model, &fake_single, 10, 1);
    fake_request_init(&twice, &model, &fake_double, 4, 1);
    stage_join(stage, &four.request);
    stage_join(stage, &ten.request);
    assert_int_equal(stage_tick(stage, 0), 1);
    assert_int_equal(four.finished, 1);
    assert_int_equal(ten.request.evaluations_done, 4);
    stage_join(stage, &twice.request);
    assert_int_equal(stage_tick(stage, 0), 1);
    assert_int_equal(ten.finished, 1);
    assert_int_equal(twice.request.evaluations_done, 6);
    assert_int_equal(stage_tick(stage, 0), 1);
    assert_int_equal(twice.request.evaluations_done, 8);
    assert_int_equal(steps_made(), 12);
}

/* The first row is one step ahead of the second. */
static void a_stretch_that_was_too_short_is_followed_by_what_is_left(void **state)
{
    static struct fake_request first, second;

    (void)state;
    fake_request_init(&first, &model, &fake_single, 10, 1);
    fake_request_init(&second, &model, &fake_single, 10, 1);
    stage_stretch(stage, 1);
    stage_join(stage, &first.request);
    assert_int_equal(stage_tick(stage, 0), 0);
    stage_join(stage, &second.request);
    stage_stretch(stage, 7);
    assert_int_equal(stage_tick(stage, 0), 0);
    assert_int_equal(first.request.evaluations_done, 8);
    assert_int_equal(stage_tick(stage, 0), 1);
    assert_int_equal(second.request.evaluations_done, 9);
    assert_int_equal(stage_tick(stage, 0), 1);
    assert_int_equal(steps_made(), 11);
}

static void rows_wait_step_by_step_for_one_that_does_not_know_its_end(void **state)
{
    static struct fake_request plain, unsure;

    (void)state;
    fake_request_init(&plain, &model, &fake_single, 40, 2);
    fake_request_init(&unsure, &model, &adaptive, 100, 1);
    fake_request_seed(&unsure, 5);
    unsure.plan.is_adaptive = true;
    stage_join(stage, &plain.request);
    stage_join(stage, &unsure.request);
    assert_int_equal(run_out(1), 5);
    assert_int_equal(unsure.finished, 1);
    assert_int_equal(run_out(1), 1);
    assert_int_equal(steps_made(), 40);
}

static void pictures_make_one_step_a_tick(void **state)
{
    static struct fake_request request;

    (void)state;
    model.model.shape.is_points = false;
    fake_request_init(&request, &model, &fake_single, 5, 3);
    stage_join(stage, &request.request);
    assert_int_equal(run_out(1), 5);
}

/* --- what is counted --- */

static void every_step_is_counted_as_if_it_were_a_tick(void **state)
{
    static struct fake_request short_one, long_one;
    struct engine_model_stats steps;
    struct engine_stats stats;
    uint64_t timed = 0;

    (void)state;
    fake_request_init(&short_one, &model, &fake_single, 6, 5);
    fake_request_init(&long_one, &model, &fake_single, 20, 1);
    short_one.guidance[4] = 2.0f;
    stage_join(stage, &short_one.request);
    stage_join(stage, &long_one.request);
    stage_stretch(stage, 4);
    assert_int_equal(stage_tick(stage, 0), 0);
    assert_int_equal(short_one.request.evaluations_done, 4 * 5);
    assert_int_equal(stage_places_left(stage, 0), 2 * 6 + 16);
    assert_int_equal(run_out(2), 1 + 4);
    stage_stats(stage, &stats);
    stage_model_stats(stage, 0, &steps);
    assert_int_equal(steps.steps, 20);
    assert_int_equal(stats.batch_buckets[3], 6);  /* 5..8 places: 7 */
    assert_int_equal(stats.batch_buckets[0], 14); /* 1 */
    assert_int_equal(stats.batch_places, 6 * 7 + 14);
    for (size_t i = 0; i < ENGINE_TIME_BUCKETS; i++)
        timed += steps.step_buckets[i];
    assert_int_equal(timed, 20);
    assert_int_equal(short_one.request.steps, 6);
    assert_int_equal(short_one.request.places, 6 * 7);
    assert_int_equal(long_one.request.steps, 20);
    assert_int_equal(long_one.request.places, 6 * 7 + 14);
    assert_int_equal(stage_places_left(stage, 0), 0);
}

/* All rows of all ranges, and no row twice. */
static void each_worker_takes_its_rows_through_all_steps(void **state)
{
    static struct fake_request request;

    (void)state;
    down();
    up(3, 5);
    fake_request_init(&request, &model, &fake_single, 5, 64);
    stage_join(stage, &request.request);
    assert_int_equal(run_out(1), 1);
    assert_int_equal(model.calls, 3 * 5);
    assert_int_equal(model.places, 5 * 64);
    assert_int_equal(steps_made(), 5);
}

/* Nine are eight and one, not five and four. */
static void rows_that_a_model_takes_at_once_stay_together(void **state)
{
    static struct fake_request request;

    (void)state;
    down();
    up(2, LONG);
    model.model.tile = 8;
    fake_request_init(&request, &model, &fake_single, 5, 8);
    stage_join(stage, &request.request);
    assert_int_equal(run_out(1), 1);
    assert_int_equal(model.calls, 5);
    fake_request_init(&request, &model, &fake_single, 5, 9);
    stage_join(stage, &request.request);
    assert_int_equal(run_out(1), 1);
    assert_int_equal(model.calls, 5 + 2 * 5);
    assert_int_equal(model.places, 5 * 8 + 5 * 9);
}

static int by_address(const void *left, const void *right)
{
    const unsigned char *const *a = left, *const *b = right;

    return *a < *b ? -1 : *a > *b;
}

/* Three that are at work at the same time. */
static void workers_beside_each_other_have_workspaces_of_their_own(void **state)
{
    static struct fake_request request;
    const size_t bytes = model.model.family->workspace_bytes(&model.model, 1);

    (void)state;
    down();
    up(3, 5);
    model.meeting = 3;
    fake_request_init(&request, &model, &fake_single, 5, 64);
    stage_join(stage, &request.request);
    assert_int_equal(run_out(1), 1);
    assert_int_equal(model.met, 3);
    qsort(model.workspaces, 3, sizeof *model.workspaces, by_address);
    for (size_t i = 0; i < 2; i++)
        assert_true(model.workspaces[i + 1] >= model.workspaces[i] + bytes);
    assert_true(model.workspaces[2] + bytes <=
                model.workspaces[0] + tick_workspace_bytes(&model.model, 3));
}

/* --- what goes wrong in one --- */

static void a_row_that_fails_in_a_stretch_takes_no_other_with_it(void **state)
{
    static struct fake_request alone, beside, failing;

    (void)state;
    fake_request_init(&alone, &model, &fake_single, 6, 2);
    stage_join(stage, &alone.request);
    assert_int_equal(run_out(1), 1);
    fake_request_init(&beside, &model, &fake_single, 6, 2);
    fake_request_init(&failing, &model, &fake_single, 9, 3);
    failing.labels[1] = FAKE_NAN_LABEL;
    stage_join(stage, &failing.request);
    stage_join(stage, &beside.request);
    assert_int_equal(stage_tick(stage, 0), 2);
    assert_int_equal(failing.request.error.code, ERROR_NONFINITE);
    assert_non_null(strstr(failing.request.error.text, "row 1, step 2"));
    assert_int_equal(failing.finished, 0);
    assert_int_equal(beside.request.error.code, ERROR_NONE);
    assert_memory_equal(beside.x, alone.x, 2 * DIM * sizeof(float));
    assert_int_equal(stage_places_left(stage, 0), 0);
}

static void a_request_cancelled_in_a_stretch_leaves_at_its_end(void **state)
{
    static struct fake_request request, other;
    const struct sampler cancelling = {
        .name = "cancelling", .begin = fake_single.begin, .advance = cancelling_advance};
    struct engine_stats stats;

    (void)state;
    to_cancel = &request.request;
    fake_request_init(&request, &model, &cancelling, 100, 2);
    fake_request_init(&other, &model, &fake_single, 12, 1);
    stage_join(stage, &request.request);
    stage_join(stage, &other.request);
    stage_stretch(stage, 5);
    assert_int_equal(stage_tick(stage, 0), 0);
    assert_int_equal(request.request.evaluations_done, 2 * 5);
    assert_int_equal(stage_tick(stage, 0), 1);
    assert_int_equal(request.request.error.code, ERROR_CANCELLED);
    assert_int_equal(other.request.evaluations_done, 10);
    stage_stats(stage, &stats);
    assert_int_equal(stats.wasted_row_steps, 2 * 5);
    assert_int_equal(run_out(1), 1);
    assert_int_equal(other.request.error.code, ERROR_NONE);
    assert_int_equal(stage_places_left(stage, 0), 0);
}

#define STAGE_TEST(name) cmocka_unit_test_setup_teardown(name, stage_up, stage_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_the_same_for_stretches_of_any_length_and_any_number_of_threads),
        STAGE_TEST(a_stretch_ends_where_the_first_row_is_done),
        STAGE_TEST(a_stretch_that_was_too_short_is_followed_by_what_is_left),
        STAGE_TEST(rows_wait_step_by_step_for_one_that_does_not_know_its_end),
        STAGE_TEST(pictures_make_one_step_a_tick),
        STAGE_TEST(every_step_is_counted_as_if_it_were_a_tick),
        STAGE_TEST(each_worker_takes_its_rows_through_all_steps),
        STAGE_TEST(rows_that_a_model_takes_at_once_stay_together),
        STAGE_TEST(workers_beside_each_other_have_workspaces_of_their_own),
        STAGE_TEST(a_row_that_fails_in_a_stretch_takes_no_other_with_it),
        STAGE_TEST(a_request_cancelled_in_a_stretch_leaves_at_its_end),
    };
    return cmocka_run_group_tests_name("stretch", tests, NULL, NULL);
}
