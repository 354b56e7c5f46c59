/* A row's bytes depend on its request and on nothing else: with the real families, samplers and
 * generator, on every backend. */
#include "tests/support/test.h"

#include "core/engine/engine.h"
#include "tests/support/folder.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Under a sanitizer the portable backend is fifty times slower: it has the small nets only then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 1
#else
#define SLOW 0
#endif

#define OTHERS 7 /* requests of two rows: with ours, sixteen rows and some more places */
#define ROWS   2

struct house {
    struct catalog catalog;
    struct engine *engine;
    sem_t bell, held, go;
};

/* A request with arrays of its own. */
struct order {
    struct request request; /* first: a request is cast back to its order */
    struct plan *plan;
    struct house *house;
    uint32_t seeds[ROWS];
    int32_t labels[ROWS];
    float guidance[ROWS];
};

static void ring(void *context)
{
    sem_post(context);
}

/* A house: how many threads, how long stretches. */
struct manner {
    unsigned threads;
    double stretch_seconds;
};

static void open_house(struct house *house, const char *path, const struct backend *backend,
                       struct manner manner)
{
    const struct engine_options options = {.threads = manner.threads,
                                           .image_slots = 16,
                                           .point_slots = 16,
                                           .queue_requests = 100,
                                           .queue_seconds = 1e9,
                                           .stretch_seconds = manner.stretch_seconds,
                                           .doorbell = ring,
                                           .doorbell_context = &house->bell};
    struct error error;

    memset(house, 0, sizeof *house);
    gang_float_mode();
    sem_init(&house->bell, 0, 0);
    sem_init(&house->held, 0, 0);
    sem_init(&house->go, 0, 0);
    assert_true(backend->start(&error));
    assert_true(catalog_add(&house->catalog, path, backend, &error));
    house->engine = engine_create(&options, &house->catalog, &error);
    assert_non_null(house->engine);
}

static void close_house(struct house *house)
{
    engine_destroy(house->engine);
    catalog_finish(&house->catalog);
    sem_destroy(&house->bell);
    sem_destroy(&house->held);
    sem_destroy(&house->go);
}

static struct order *new_order(struct house *house, const char *sampler, size_t steps,
                               uint32_t seed)
{
    const struct model *model = house->catalog.models[0];
    const struct option_values none = {.given = {false}};
    const struct plan_request wanted = {.process = &model->process,
                                        .sampler = sampler,
                                        .steps = steps,
                                        .options = &none,
                                        .dim = model->shape.dim,
                                        .output_dim = model->shape.output_dim};
    struct order *order = calloc(1, sizeof *order);
    struct error error;

    assert_non_null(order);
    order->house = house;
    order->plan = plan_create(&wanted, &error);
    assert_non_null(order->plan);
    order->request = (struct request){.model = model,
                                      .plan = order->plan,
                                      .n = ROWS,
                                      .seeds = order->seeds,
                                      .labels = order->labels,
                                      .guidance = order->guidance,
                                      .x = calloc(ROWS * model->shape.dim, sizeof(float))};
    for (size_t i = 0; i < ROWS; i++) {
        order->seeds[i] = seed + (uint32_t)i;
        order->labels[i] = model->class_input.has_classes ? (int32_t)(seed % 3) : -1;
        /* The second row of each is guided where the model can be. */
        order->guidance[i] = i == 1 && model->class_input.has_null ? 2.5f : 1.0f;
    }
    return order;
}

static void submit(struct order *order)
{
    struct error error;

    assert_true(engine_submit(order->house->engine, &order->request, &error));
}

static struct order *place_order(struct house *house, const char *sampler, size_t steps,
                                 uint32_t seed)
{
    struct order *order = new_order(house, sampler, steps, seed);

    submit(order);
    return order;
}

static void hold_engine(struct request *request)
{
    struct house *house = ((struct order *)request)->house;

    sem_post(&house->held);
    sem_wait(&house->go);
}

/* The engine stands still in this order's finish until house.go is posted: what is submitted
 * meanwhile starts in one tick. */
static struct order *place_holding_order(struct house *house)
{
    struct order *order = new_order(house, "ddim", 2, 1);

    order->request.finish = hold_engine;
    submit(order);
    sem_wait(&house->held);
    return order;
}

static void collect(struct house *house, size_t n)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 300;
    while (n > 0) {
        assert_int_equal(sem_timedwait(&house->bell, &deadline), 0);
        for (struct request *request = engine_collect(house->engine); request;
             request = request->next) {
            assert_int_equal(request->error.code, ERROR_NONE);
            n--;
        }
    }
}

static void free_order(struct order *order)
{
    plan_destroy(order->plan);
    free(order->request.x);
    free(order);
}

/* Our request of three steps, before `others` requests of other lengths and samplers. */
static struct order *answer(const char *path, const struct backend *backend, struct manner manner,
                            size_t others)
{
    struct order *order, *holding, *neighbours[OTHERS];
    struct house house;

    open_house(&house, path, backend, manner);
    holding = place_holding_order(&house);
    for (size_t i = 0; i < others / 2; i++)
        neighbours[i] = place_order(&house, i % 2 ? "ddim" : "ddpm", 1 + i, 100 + (uint32_t)i);
    order = place_order(&house, "ddpm", 3, 7);
    for (size_t i = others / 2; i < others; i++)
        neighbours[i] = place_order(&house, i % 2 ? "ddim" : "ddpm", 1 + i % 3, (uint32_t)i);
    sem_post(&house.go);
    collect(&house, others + 2);
    free_order(holding);
    for (size_t i = 0; i < others; i++)
        free_order(neighbours[i]);
    close_house(&house);
    return order;
}

static void check(const char *path, const struct backend *backend)
{
    struct order *alone = answer(path, backend, (struct manner){1, 0.0}, 0);
    struct order *crowded = answer(path, backend, (struct manner){1, 0.0}, OTHERS);
    struct order *two_threads = answer(path, backend, (struct manner){2, 1.0}, 0);
    struct order *crowded_threads =
        answer(path, backend, (struct manner){2, ENGINE_STRETCH_SECONDS}, OTHERS);
    const size_t row = alone->request.plan->dim * sizeof(float);

    assert_memory_equal(alone->request.x, crowded->request.x, ROWS * row);
    assert_memory_equal(alone->request.x, two_threads->request.x, ROWS * row);
    assert_memory_equal(alone->request.x, crowded_threads->request.x, ROWS * row);
    assert_memory_not_equal(alone->request.x, alone->request.x + alone->request.plan->dim, row);
    assert_true(crowded->request.places > 2 * alone->request.places);
    free_order(alone);
    free_order(crowded);
    free_order(two_threads);
    free_order(crowded_threads);
}

/* A model made for the test, on every backend. */
static void check_backends(void (*make)(const struct scratch *scratch, const char *name))
{
    struct scratch scratch;

    scratch_init(&scratch);
    make(&scratch, "model");
    for (size_t i = 0; backend_at(i) != NULL; i++)
        check(scratch_path(&scratch, "model"), backend_at(i));
    scratch_finish(&scratch);
}

static void a_picture_is_the_same_alone_in_a_crowd_and_with_two_threads(void **state)
{
    (void)state;
    check_backends(scratch_image);
}

static void a_guided_face_is_the_same_alone_in_a_crowd_and_with_two_threads(void **state)
{
    (void)state;
    for (size_t i = 0; backend_at(i) != NULL; i++)
        if (!SLOW || strcmp(backend_at(i)->name, "portable") != 0)
            check("weights/faces", backend_at(i));
}

static void a_point_of_a_network_is_the_same_alone_in_a_crowd_and_with_two_threads(void **state)
{
    (void)state;
    check_backends(scratch_points);
}

static void a_point_of_a_mixture_is_the_same_alone_in_a_crowd_and_with_two_threads(void **state)
{
    (void)state;
    check_backends(scratch_mixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_the_same_alone_in_a_crowd_and_with_two_threads),
        cmocka_unit_test(a_guided_face_is_the_same_alone_in_a_crowd_and_with_two_threads),
        cmocka_unit_test(a_point_of_a_network_is_the_same_alone_in_a_crowd_and_with_two_threads),
        cmocka_unit_test(a_point_of_a_mixture_is_the_same_alone_in_a_crowd_and_with_two_threads),
    };
    return cmocka_run_group_tests_name("bits", tests, NULL, NULL);
}
