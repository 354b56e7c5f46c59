/* A likelihood's figures depend on its row and on nothing else: through the engine with the real
 * families, on every backend; and the native backends agree to the bit. */
#include "tests/support/test.h"

#include "core/diffusion/probe_likelihood.h"
#include "core/engine/engine.h"
#include "tests/support/folder.h"
#include "tests/support/numbers.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#define ROWS    40
#define DIM_MAX 3

struct house {
    struct catalog catalog;
    struct engine *engine;
    sem_t bell;
};

static void ring(void *context)
{
    sem_post(context);
}

static void open_house(struct house *house, const char *path, const struct backend *backend,
                       unsigned threads)
{
    const struct engine_options options = {.threads = threads,
                                           .image_slots = 1,
                                           .point_slots = 64,
                                           .queue_requests = 4,
                                           .queue_seconds = 1e9,
                                           .stretch_seconds =
                                               threads > 1 ? ENGINE_STRETCH_SECONDS : 0.0,
                                           .doorbell = ring,
                                           .doorbell_context = &house->bell};
    struct error error;

    memset(house, 0, sizeof *house);
    gang_float_mode();
    sem_init(&house->bell, 0, 0);
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
}

/* --- requests --------------------------------------------------------------------------------- */

struct way {
    enum method solver;
    size_t probes; /* 0: the trace is exact */
};

/* Rows `first` on of what all answers are compared by. */
struct order {
    struct request request;
    struct plan *plan;
    struct conditioning given;
    uint32_t seeds[ROWS], nfe[ROWS];
    int32_t labels[ROWS];
    float guidance[ROWS], x_0[ROWS * DIM_MAX], x[ROWS * DIM_MAX];
    double figures[ROWS * (LIKELIHOOD_FIGURES + 4 * 5)];
};

static struct plan *plan_of(const struct model *model, const struct way *way)
{
    const struct likelihood_question question = {
        .process = &model->process,
        .dim = model->shape.dim,
        .output_dim = model->shape.output_dim,
        .solver = way->solver,
        .steps = 5,
        .trace = way->probes > 0 ? TRACE_HUTCHINSON : TRACE_EXACT,
        .probes = way->probes,
        .knows_divergence = model->family->knows_divergence};
    struct error error;
    struct plan *plan = likelihood_plan(&question, &error);

    if (plan == NULL)
        fail_msg("%s", error.text);
    return plan;
}

static void order_init(struct order *order, const struct model *model, const struct way *way,
                       size_t first, size_t n)
{
    float x_0[ROWS * DIM_MAX];

    memset(order, 0, sizeof *order);
    order->plan = plan_of(model, way);
    numbers_fill(x_0, ROWS * DIM_MAX, 3);
    memcpy(order->x_0, x_0 + first * model->shape.dim, n * model->shape.dim * sizeof *x_0);
    order->given = (struct conditioning){.x_T = order->x_0};
    order->request = (struct request){.model = model,
                                      .plan = order->plan,
                                      .n = n,
                                      .seeds = order->seeds,
                                      .labels = order->labels,
                                      .guidance = order->guidance,
                                      .x = order->x,
                                      .nfe = order->nfe,
                                      .figures = order->figures,
                                      .conditioning = &order->given};
    for (size_t i = 0; i < n; i++) {
        order->seeds[i] = (uint32_t)(first + i);
        order->labels[i] =
            model->class_input.has_classes ? (int32_t)((first + i) % model->class_input.count) : -1;
        order->guidance[i] = 1.0f;
    }
}

static void run(struct house *house, struct order *const *orders, size_t count)
{
    struct error error;

    for (size_t i = 0; i < count; i++)
        assert_true(engine_submit(house->engine, &orders[i]->request, &error));
    for (size_t left = count; left > 0;) {
        sem_wait(&house->bell);
        for (struct request *ended = engine_collect(house->engine); ended; ended = ended->next) {
            if (ended->error.code != ERROR_NONE)
                fail_msg("%s", ended->error.text);
            if (!ended->plan->is_adaptive)
                assert_int_equal(ended->evaluations_done, ended->n * ended->plan->evaluations);
            left--;
        }
    }
}

/* All rows in one request; or in two of which the first ends earlier, beside rows that go another
 * way. */
static void answer(const char *path, const struct backend *backend, unsigned threads,
                   const struct way *ways[2], struct order *whole)
{
    static struct order parts[2], other;
    struct order *const orders[] = {&parts[0], &other, &parts[1]};
    struct house house;

    open_house(&house, path, backend, threads);
    order_init(whole, house.catalog.models[0], ways[0], 0, ROWS);
    run(&house, (struct order *const[]){whole}, 1);
    order_init(&parts[0], house.catalog.models[0], ways[0], 0, 7);
    order_init(&parts[1], house.catalog.models[0], ways[0], 7, ROWS - 7);
    order_init(&other, house.catalog.models[0], ways[1], 3, 20);
    run(&house, orders, 3);
    for (size_t i = 0; i < 2; i++) {
        const size_t first = i == 0 ? 0 : 7, n = parts[i].request.n;
        const size_t count = whole->plan->figure_count, dim = whole->plan->dim;

        assert_memory_equal(whole->figures + first * count, parts[i].figures,
                            n * count * sizeof(double));
        assert_memory_equal(whole->x + first * dim, parts[i].x, n * dim * sizeof(float));
        assert_memory_equal(whole->nfe + first, parts[i].nfe, n * sizeof(uint32_t));
    }
    for (size_t i = 0; i < 3; i++)
        plan_destroy(orders[i]->plan);
    plan_destroy(whole->plan);
    close_house(&house);
}

static void check(const char *path, const struct way *ways[2])
{
    static struct order one, two, native;
    bool has_native = false;

    for (size_t i = 0; backend_at(i) != NULL; i++) {
        const struct backend *backend = backend_at(i);

        answer(path, backend, 1, ways, &one);
        answer(path, backend, 2, ways, &two);
        assert_memory_equal(one.figures, two.figures, sizeof one.figures);
        assert_memory_equal(one.x, two.x, sizeof one.x);
        assert_memory_not_equal(one.x, one.x + DIM_MAX, DIM_MAX * sizeof(float));
        if (strcmp(backend->name, "openblas") == 0)
            continue;
        if (has_native)
            assert_memory_equal(one.figures, native.figures, sizeof one.figures);
        native = one;
        has_native = true;
    }
}

static void check_ways(void (*make)(const struct scratch *scratch, const char *name))
{
    static const struct way exact = {METHOD_RK4, 0}, free_steps = {METHOD_RK45, 0};
    static const struct way probed = {METHOD_HEUN, 5};
    struct scratch scratch;

    scratch_init(&scratch);
    make(&scratch, "model");
    check(scratch_path(&scratch, "model"), (const struct way *[]){&exact, &probed});
    check(scratch_path(&scratch, "model"), (const struct way *[]){&free_steps, &exact});
    check(scratch_path(&scratch, "model"), (const struct way *[]){&probed, &free_steps});
    scratch_finish(&scratch);
}

static void figures_of_a_network_depend_on_their_row_alone(void **state)
{
    (void)state;
    check_ways(scratch_points);
}

static void figures_of_a_mixture_depend_on_their_row_alone(void **state)
{
    (void)state;
    check_ways(scratch_mixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_of_a_network_depend_on_their_row_alone),
        cmocka_unit_test(figures_of_a_mixture_depend_on_their_row_alone),
    };
    return cmocka_run_group_tests_name("likelihood", tests, NULL, NULL);
}
