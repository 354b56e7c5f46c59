/* What is measured before the first request, and what is only estimated. */
#include "tests/support/test.h"

#include "core/engine/calibrate.h"
#include "tests/support/fake_model.h"

#include <math.h>
#include <string.h>

#define DIM   ((size_t)3)
#define SLOTS ((size_t)8)
#define WORK  3e12

/* One model with eight slots. */
struct bench {
    struct fake_model model;
    struct family heavy; /* the same, with much work */
    struct arena arena;
    struct batch batch;
    struct tick tick;
    float workspace[64];
    struct place probe[PROBE_PLACES];
    float probe_x[DIM], probe_output[PROBE_PLACES * 2 * DIM];
};

static struct bench bench;

static double heavy_work(const struct model *model)
{
    (void)model;
    return WORK;
}

static int bench_up(void **state)
{
    struct room counted = {0}, taken = {.arena = &bench.arena};
    struct error error;

    (void)state;
    memset(&bench, 0, sizeof bench);
    fake_model_init(&bench.model, DIM, 2 * DIM);
    bench.heavy = *bench.model.model.family;
    bench.heavy.work = heavy_work;
    batch_init(&bench.batch, &bench.model.model, SLOTS, &counted);
    assert_true(arena_init(&bench.arena, counted.bytes, &error));
    batch_init(&bench.batch, &bench.model.model, SLOTS, &taken);
    bench.tick = (struct tick){.probe = {bench.probe, bench.probe_x, bench.probe_output},
                               .gang = gang_create(1, &error),
                               .workspace = bench.workspace};
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

static void calibration_measures_what_fits_into_the_slots(void **state)
{
    const struct engine_calibration *calibration = &bench.batch.cost.calibration;

    (void)state;
    calibrate(&bench.tick, &bench.batch, 1);
    assert_int_equal(calibration->places[0], 1);
    assert_int_equal(calibration->places[1], 4);
    assert_int_equal(calibration->places[2], 0);
    assert_true(calibration->milliseconds[1] > 0.0);
    assert_true(cost_step(&bench.batch.cost, 8) > 0.0);
    /* A model that nobody asks for has slots that were never written to. */
    assert_null(bench.batch.slots[0].output);
    assert_null(bench.batch.idle[SLOTS - 1]);
}

static void a_forward_that_looks_long_is_not_made_but_estimated(void **state)
{
    struct pace pace = {WORK / 3.0};

    (void)state;
    bench.model.model.family = &bench.heavy;
    calibrate_one(&bench.tick, &bench.batch, &pace);
    assert_int_equal(bench.model.calls, 0);
    assert_int_equal(bench.batch.cost.calibration.places[0], 0);
    assert_true(fabs(cost_step(&bench.batch.cost, 4) - 12.0) < 1e-9);
    assert_true(pace.work_per_second == WORK / 3.0);
}

static void a_forward_that_looks_short_is_made_and_tells_the_pace(void **state)
{
    struct pace pace = {WORK};

    (void)state;
    bench.model.model.family = &bench.heavy;
    calibrate_one(&bench.tick, &bench.batch, &pace);
    assert_true(bench.model.calls > 0);
    assert_true(fabs(pace.work_per_second * cost_step(&bench.batch.cost, 1) / WORK - 1.0) < 1e-9);
}

static void every_model_is_calibrated_once(void **state)
{
    struct batch batches[3] = {bench.batch, bench.batch, bench.batch};
    struct fake_model heavy;

    (void)state;
    fake_model_init(&heavy, DIM, 2 * DIM);
    heavy.model.family = &bench.heavy;
    batches[0].model = &heavy.model;
    calibrate(&bench.tick, batches, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(batches[i].cost.place_seconds > 0.0);
    assert_int_equal(heavy.calls, 0);
    fake_model_finish(&heavy);
}

#define CALIBRATE_TEST(name) cmocka_unit_test_setup_teardown(name, bench_up, bench_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CALIBRATE_TEST(calibration_measures_what_fits_into_the_slots),
        CALIBRATE_TEST(a_forward_that_looks_long_is_not_made_but_estimated),
        CALIBRATE_TEST(a_forward_that_looks_short_is_made_and_tells_the_pace),
        CALIBRATE_TEST(every_model_is_calibrated_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
