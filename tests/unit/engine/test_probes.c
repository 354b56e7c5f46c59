/* What rows may do beside taking samples: measure figures, be given noise, ask for a divergence,
 * and end without an evaluation. One slot after the other is used again. */
#include "tests/support/test.h"

#include "core/diffusion/conditioning.h"
#include "tests/support/fake_model.h"

#include <math.h>
#include <semaphore.h>
#include <string.h>

#define DIM   ((size_t)3)
#define SLOTS ((size_t)4)

/* --- an engine with a fake model -------------------------------------------------------------- */

struct house {
    struct fake_model model;
    struct model *pointer;
    struct catalog catalog;
    struct engine *engine;
    sem_t bell;
};

static struct house house;

static void ring(void *context)
{
    sem_post(context);
}

static int house_up(void **state)
{
    const struct engine_options options = {.threads = 2,
                                           .image_slots = SLOTS,
                                           .point_slots = SLOTS,
                                           .queue_requests = 8,
                                           .queue_seconds = 1e9,
                                           .stretch_seconds = ENGINE_STRETCH_SECONDS,
                                           .doorbell = ring,
                                           .doorbell_context = &house.bell};
    struct error error;

    (void)state;
    memset(&house, 0, sizeof house);
    sem_init(&house.bell, 0, 0);
    fake_model_init(&house.model, DIM, DIM);
    house.pointer = &house.model.model;
    house.catalog =
        (struct catalog){.models = &house.pointer, .count = 1, .default_model = house.pointer};
    house.engine = engine_create(&options, &house.catalog, &error);
    assert_non_null(house.engine);
    return 0;
}

static int house_down(void **state)
{
    (void)state;
    engine_destroy(house.engine);
    fake_model_finish(&house.model);
    sem_destroy(&house.bell);
    return 0;
}

/* --- samplers --------------------------------------------------------------------------------- */

/* x is the noise that was given, or the row's first draw; the figure counts up. */
static void noise_begin(struct row *row, const struct plan *plan)
{
    if (row->given_noise != NULL)
        memcpy(row->x, row->given_noise, plan->dim * sizeof *row->x);
    else
        rng_randn(&row->rng, row->x, plan->dim);
    row->figures[0] += 1.0;
}

static enum advance noise_advance(struct row *row, const struct plan *plan, const float *output)
{
    (void)row;
    (void)plan;
    (void)output;
    return ADVANCE_FAILED;
}

static const struct sampler noise = {
    .name = "noise", .begin = noise_begin, .advance = noise_advance};

/* Two evaluations: of the first the divergence is asked for, too. At the end the row still asks,
 * which is no business of the next one in its slot. */
static void trace_begin(struct row *row, const struct plan *plan)
{
    memset(row->x, 0, plan->dim * sizeof *row->x);
    memset(row->input, 0, plan->dim * sizeof *row->input);
    row->time = 0.0;
    row->level = (struct level){.alpha = 0.5, .sigma = 0.5};
    row->divergence = (double)NAN;
    row->wants_divergence = true;
}

static enum advance trace_advance(struct row *row, const struct plan *plan, const float *output)
{
    (void)plan;
    (void)output;
    row->figures[0] += row->divergence;
    row->divergence = 100.0;
    row->wants_divergence = row->step == 1;
    return row->step++ == 0 ? ADVANCE_EVALUATE : ADVANCE_DONE;
}

static const struct sampler trace = {
    .name = "trace", .begin = trace_begin, .advance = trace_advance};

/* --- requests --------------------------------------------------------------------------------- */

#define ROWS 12 /* more than there are slots */

struct order {
    struct fake_request fake; /* first, as a request is cast back to it */
    struct conditioning given;
    double figures[ROWS];
    uint32_t nfe[ROWS];
};

static void order_init(struct order *order, const struct sampler *sampler, size_t evaluations)
{
    fake_request_init(&order->fake, &house.model, sampler, evaluations, ROWS);
    order->fake.plan.figure_count = 1;
    order->fake.request.figures = order->figures;
    order->fake.request.nfe = order->nfe;
    for (size_t i = 0; i < ROWS; i++) {
        order->figures[i] = 7.0;
        order->nfe[i] = 7;
    }
}

static enum error_code run(struct order *order)
{
    struct error error;

    assert_true(engine_submit(house.engine, &order->fake.request, &error));
    assert_int_equal(sem_wait(&house.bell), 0);
    assert_ptr_equal(engine_collect(house.engine), &order->fake.request);
    return order->fake.request.error.code;
}

static void a_row_without_evaluations_ends_when_it_begins(void **state)
{
    static struct order order;
    const size_t calls = house.model.calls;
    struct rng rng;
    float x[DIM];

    (void)state;
    order_init(&order, &noise, 0);
    fake_request_seed(&order.fake, 40);
    assert_int_equal(run(&order), ERROR_NONE);
    assert_int_equal(house.model.calls, calls);
    for (size_t i = 0; i < ROWS; i++) {
        rng_seed(&rng, (uint32_t)(40 + i));
        rng_randn(&rng, x, DIM);
        assert_memory_equal(order.fake.x + i * DIM, x, sizeof x);
        assert_int_equal(order.nfe[i], 0);
    }
}

static void a_row_that_ends_when_it_begins_must_be_finite(void **state)
{
    static struct order order;
    float given[ROWS * DIM] = {0.0f};

    (void)state;
    order_init(&order, &noise, 0);
    given[5 * DIM + 1] = INFINITY;
    order.given.noise = given;
    order.fake.request.conditioning = &order.given;
    assert_int_equal(run(&order), ERROR_NONFINITE);
}

static void figures_are_zero_when_a_row_begins(void **state)
{
    static struct order order;

    (void)state;
    order_init(&order, &noise, 0);
    assert_int_equal(run(&order), ERROR_NONE);
    for (size_t i = 0; i < ROWS; i++)
        assert_true(order.figures[i] == 1.0);
}

static void noise_that_one_request_gives_is_not_felt_by_the_next(void **state)
{
    static struct order first, second, alone;
    float given[ROWS * DIM];

    (void)state;
    for (size_t i = 0; i < ROWS * DIM; i++)
        given[i] = (float)i;
    order_init(&alone, &noise, 0);
    assert_int_equal(run(&alone), ERROR_NONE);
    order_init(&first, &noise, 0);
    first.given.noise = given;
    first.fake.request.conditioning = &first.given;
    assert_int_equal(run(&first), ERROR_NONE);
    assert_memory_equal(first.fake.x, given, sizeof given);
    order_init(&second, &noise, 0);
    assert_int_equal(run(&second), ERROR_NONE);
    assert_memory_equal(second.fake.x, alone.fake.x, sizeof given);
}

/* Guided rows have two places, of labels 1 and 9: a fake divergence is the label. */
static void a_divergence_is_that_of_the_labelled_place_and_asked_for_once(void **state)
{
    static struct order order, after;
    size_t asked = house.model.divergences;

    (void)state;
    order_init(&order, &trace, 2);
    for (size_t i = 0; i < ROWS; i++)
        order.fake.guidance[i] = i % 2 == 0 ? 2.0f : 1.0f;
    assert_int_equal(run(&order), ERROR_NONE);
    for (size_t i = 0; i < ROWS; i++)
        assert_true(order.figures[i] == 1.0 + 100.0);
    assert_int_equal(house.model.divergences, asked + ROWS);
    asked = house.model.divergences;
    order_init(&after, &fake_single, 2);
    after.fake.plan.figure_count = 0;
    assert_int_equal(run(&after), ERROR_NONE);
    assert_int_equal(house.model.divergences, asked);
}

#define PROBE_TEST(name) cmocka_unit_test_setup_teardown(name, house_up, house_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_TEST(a_row_without_evaluations_ends_when_it_begins),
        PROBE_TEST(a_row_that_ends_when_it_begins_must_be_finite),
        PROBE_TEST(figures_are_zero_when_a_row_begins),
        PROBE_TEST(noise_that_one_request_gives_is_not_felt_by_the_next),
        PROBE_TEST(a_divergence_is_that_of_the_labelled_place_and_asked_for_once),
    };
    return cmocka_run_group_tests_name("probes", tests, NULL, NULL);
}
