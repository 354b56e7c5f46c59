/* What a sampler costs by itself: 64 rows go through the engine with a model that only copies.
 * Arithmetic, bookkeeping and that copy are in it; seeding and random draws, measured by
 * themselves, are not. Beside it stands the forward of a network with rows of that size. */
#include "tests/bench/sampler_cases.h"

#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS        64
#define DRAWS       20000
#define SIZES       2
#define NOTHING     64 /* bytes of workspace */
#define POINT_RUN   240
#define PICTURE_RUN 48

static size_t workspace_bytes(const struct model *model, unsigned threads)
{
    (void)model;
    (void)threads;
    return NOTHING;
}

static void copy(const struct model *model, const struct place *places, size_t count,
                 struct gang *gang, void *workspace)
{
    (void)gang;
    (void)workspace;
    for (size_t i = 0; i < count; i++)
        memcpy(places[i].output, places[i].x, model->shape.dim * sizeof(float));
}

static const struct family copies = {
    .name = "Copies", .workspace_bytes = workspace_bytes, .evaluate = copy};

/* Seconds of a row's first draw, its seeding included, and of one more. */
struct draws {
    double first, more;
};

/* By as many generators as there are rows. */
static struct draws draw_seconds(size_t dim)
{
    static struct rng rngs[ROWS];
    float *noise = malloc(dim * sizeof *noise);
    double start = bench_cpu_seconds();
    struct draws draws;

    for (size_t i = 0; i < DRAWS; i++) {
        rng_seed(&rngs[i % ROWS], (uint32_t)i);
        rng_randn(&rngs[i % ROWS], noise, dim);
    }
    draws.first = (bench_cpu_seconds() - start) / DRAWS;
    start = bench_cpu_seconds();
    for (size_t i = 0; i < DRAWS; i++)
        rng_randn(&rngs[i % ROWS], noise, dim);
    draws.more = (bench_cpu_seconds() - start) / DRAWS;
    free(noise);
    return draws;
}

/* Rows of one size. */
struct size {
    const struct model *network; /* that has such rows */
    size_t evaluations;
    double forward; /* seconds of a row */
    struct draws draws;
    struct model models[GROUND_COUNT];
    struct engine *engine;
};

static void size_init(struct size *size, const struct bench *bench, const char *name)
{
    static const char *const processes[GROUND_COUNT] = {
        [ON_TABLE] = "exact-mixture", [ON_FLOW] = "exact-flow", [ON_CM] = "exact-consistency"};
    const struct model *network = catalog_find(&bench->catalog, name);
    struct model *models[GROUND_COUNT];

    if (network == NULL) {
        fprintf(stderr, "bench: %s is not there to be compared with\n", name);
        exit(1);
    }
    size->network = network;
    size->evaluations = network->shape.is_points ? POINT_RUN : PICTURE_RUN;
    size->forward = bench_forward(bench->gang, network, ROWS).cpu_seconds;
    size->draws = draw_seconds(network->shape.dim);
    for (size_t i = 0; i < GROUND_COUNT; i++) {
        size->models[i] = *catalog_find(&bench->catalog, processes[i]);
        size->models[i].family = &copies;
        size->models[i].shape = network->shape;
        models[i] = &size->models[i];
    }
    size->engine = bench_engine(models, GROUND_COUNT, ROWS);
}

/* The least of some runs: what disturbs makes them longer. */
static double own_seconds(struct size *size, const struct sampler_case *the_case, size_t rounds)
{
    const struct model *model = &size->models[the_case->ground];
    const struct option_values options = sampler_case_options(the_case);
    const struct bench_order order = {
        .model = model,
        .sampler = the_case->sampler,
        .steps = sampler_case_steps(the_case, &model->process, size->evaluations),
        .options = &options,
        .n = ROWS,
        .requests = model->shape.is_points ? 16 : 1};
    double least = 0.0;

    for (size_t i = 0; i < rounds; i++) {
        const struct bench_run run = bench_run(size->engine, &order);
        const double rows = (double)(order.n * order.requests), all = (double)run.draws;
        const double drawing = rows * size->draws.first + (all - rows) * size->draws.more;
        const double own = (run.cpu_seconds - drawing) / (double)run.row_steps;

        least = i == 0 || own < least ? own : least;
    }
    return least;
}

void bench_own_costs(const struct bench *bench, const struct bench_arguments *arguments)
{
    static const char *const names[SIZES] = {"mixture", "faces"};
    static struct size sizes[SIZES];

    for (size_t i = 0; i < SIZES; i++)
        size_init(&sizes[i], bench, names[i]);
    printf(
        "\nwhat a row-step of %d rows costs without model, seeds and draws, and that in percent of "
        "the network's\n| sampler |",
        ROWS);
    for (size_t i = 0; i < SIZES; i++)
        printf(" D = %zu, us | %% of %.1f us: %s |", sizes[i].network->shape.dim,
               1e6 * sizes[i].forward, names[i]);
    printf("\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < SAMPLER_CASE_COUNT; k++) {
        const struct sampler_case *the_case = &SAMPLER_CASES[k];

        if (!sampler_case_is(the_case, arguments->sampler))
            continue;
        printf("| %s%s%s |", the_case->sampler, the_case->what[0] != 0 ? " " : "", the_case->what);
        for (size_t i = 0; i < SIZES; i++) {
            const double own = own_seconds(&sizes[i], the_case, arguments->rounds);

            printf(" %.3f | %.2f |", 1e6 * own, 100.0 * own / sizes[i].forward);
        }
        printf("\n");
    }
    for (size_t i = 0; i < SIZES; i++)
        engine_destroy(sizes[i].engine);
}
