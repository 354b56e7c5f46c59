/* Every sampler beside DDIM, through the engine: the same network, batch, evaluations and draws, so
 * that the rest is the sampler's. DDIM is of eta 0 beside samplers that draw x_T alone, of eta 1
 * beside those that draw in every step; steps are as many as the other makes evaluations. Runs of
 * both alternate, and a ratio is of two neighbours.
 */
#include "tests/bench/sampler_cases.h"

#include "tests/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVALUATIONS 240
#define ROUNDS_MAX  99
#define RUN_SECONDS 0.03 /* at least, as far as requests at once allow it */

static const size_t batches[] = {64, 1024};
#define BATCHES (sizeof batches / sizeof batches[0])

/* One network under the processes that samplers need. */
struct grounds {
    const char *name;
    struct model models[GROUND_COUNT];
};

static struct model ground(const struct bench *bench, const struct model *network,
                           const char *process)
{
    const struct model *with_process = catalog_find(&bench->catalog, process);
    struct model model = *network;

    if (with_process == NULL) {
        fprintf(stderr, "bench: samplers are compared on %s, which is not there\n", process);
        exit(1);
    }
    model.process = with_process->process;
    model.process.network = network->process.network;
    return model;
}

static struct grounds grounds_of(const struct bench *bench, const struct model *network)
{
    return (struct grounds){.name = network->name,
                            .models = {[ON_TABLE] = ground(bench, network, "exact-mixture"),
                                       [ON_FLOW] = ground(bench, network, "exact-flow"),
                                       [ON_CM] = ground(bench, network, "exact-consistency")}};
}

static struct engine *engine_of(struct grounds *grounds, size_t slots)
{
    struct model *models[GROUND_COUNT];

    for (size_t i = 0; i < GROUND_COUNT; i++)
        models[i] = &grounds->models[i];
    return bench_engine(models, GROUND_COUNT, slots);
}

/* --- pairs ------------------------------------------------------------------------------------ */

struct pair {
    struct bench_order sampler, ddim;
    struct option_values options, eta;
    size_t evaluations, draws; /* a row, of both but for the draws of samplers that miss some */
};

/* Measured once: a row of the sampler says how many steps DDIM makes, and how long a run is. */
static void pair_init(struct pair *pair, const struct sampler_case *the_case,
                      struct grounds *grounds, size_t n, struct engine *engine)
{
    const struct model *model = &grounds->models[the_case->ground];
    struct bench_run run;
    double requests;

    pair->options = sampler_case_options(the_case);
    pair->sampler =
        (struct bench_order){.model = model,
                             .sampler = the_case->sampler,
                             .steps = sampler_case_steps(the_case, &model->process, EVALUATIONS),
                             .options = &pair->options,
                             .n = n,
                             .requests = 1};
    run = bench_run(engine, &pair->sampler);
    pair->evaluations = (run.row_steps + n / 2) / n;
    pair->draws = run.draws / n;
    pair->eta = (struct option_values){.given = {[OPTION_ETA] = true},
                                       .value = {[OPTION_ETA] = pair->draws > 1 ? 1.0 : 0.0}};
    requests = ceil(RUN_SECONDS / run.cpu_seconds);
    /* Rows that end at different times leave a batch with holes: others must wait to fill them. */
    if (the_case->each == 0)
        requests = fmax(requests, 16.0);
    pair->sampler.requests = (size_t)fmin(requests, BENCH_REQUESTS);
    pair->ddim = (struct bench_order){.model = &grounds->models[ON_TABLE],
                                      .sampler = "ddim",
                                      .steps = pair->evaluations,
                                      .options = &pair->eta,
                                      .n = n,
                                      .requests = pair->sampler.requests};
}

static double row_step_seconds(struct engine *engine, const struct bench_order *order)
{
    const struct bench_run run = bench_run(engine, order);

    return run.cpu_seconds / (double)run.row_steps;
}

static int by_size(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

/* Medians, and the ends of the ratio. */
struct result {
    double ratio, least, most, seconds;
};

static struct result compare(const struct pair *pair, struct engine *engine, size_t rounds)
{
    double ratios[ROUNDS_MAX], seconds[ROUNDS_MAX];

    for (size_t i = 0; i < rounds; i++) {
        const double before = row_step_seconds(engine, &pair->ddim);

        seconds[i] = row_step_seconds(engine, &pair->sampler);
        ratios[i] = (before + row_step_seconds(engine, &pair->ddim)) / 2.0 / seconds[i];
    }
    qsort(ratios, rounds, sizeof *ratios, by_size);
    qsort(seconds, rounds, sizeof *seconds, by_size);
    return (struct result){.ratio = ratios[rounds / 2],
                           .least = ratios[0],
                           .most = ratios[rounds - 1],
                           .seconds = seconds[rounds / 2]};
}

/* Beside DDIM whose rows are all at one level, as they are in one request; or where they are not.
 */
static void compare_case(const struct sampler_case *the_case, struct grounds *grounds,
                         struct engine *const engines[BATCHES], size_t rounds, bool spreads)
{
    for (size_t i = 0; i < BATCHES; i++) {
        struct pair pair;
        struct result result;

        pair_init(&pair, the_case, grounds, batches[i], engines[i]);
        pair.ddim.spreads = spreads;
        result = compare(&pair, engines[i], rounds);
        if (i == 0)
            printf("| %s%s%s%s | %zu | %zu |", the_case->sampler, the_case->what[0] != 0 ? " " : "",
                   the_case->what, spreads ? ", ddim at many levels" : "", pair.evaluations,
                   pair.draws - 1);
        printf(" %.0f | %.2f (%.2f .. %.2f) |", 1e9 * result.seconds, result.ratio, result.least,
               result.most);
    }
    printf("\n");
}

static void compare_all(const struct bench *bench, const struct bench_arguments *arguments,
                        const struct model *network)
{
    const size_t rounds = arguments->rounds < ROUNDS_MAX ? arguments->rounds : ROUNDS_MAX;
    struct grounds grounds = grounds_of(bench, network);
    struct engine *engines[BATCHES];

    for (size_t i = 0; i < BATCHES; i++)
        engines[i] = engine_of(&grounds, batches[i]);
    printf(
        "\n%s: ns of CPU a row-step and the ratio to ddim's rate, median (least .. most) of %zu\n"
        "| sampler | evaluations | draws |",
        grounds.name, rounds);
    for (size_t i = 0; i < BATCHES; i++)
        printf(" %zu rows, ns | ratio |", batches[i]);
    printf("\n|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < SAMPLER_CASE_COUNT; i++) {
        if (!sampler_case_is(&SAMPLER_CASES[i], arguments->sampler))
            continue;
        compare_case(&SAMPLER_CASES[i], &grounds, engines, rounds, false);
        if (SAMPLER_CASES[i].each == 0)
            compare_case(&SAMPLER_CASES[i], &grounds, engines, rounds, true);
    }
    for (size_t i = 0; i < BATCHES; i++)
        engine_destroy(engines[i]);
}

void bench_samplers(const struct bench *bench, const struct bench_arguments *arguments)
{
    for (size_t i = 0; i < bench->catalog.count; i++) {
        const struct model *model = bench->catalog.models[i];
        const bool is_meant =
            arguments->model != NULL
                ? strcmp(model->name, arguments->model) == 0
                : strcmp(model->name, "mixture") == 0 || strcmp(model->name, "exact-mixture") == 0;

        if (is_meant)
            compare_all(bench, arguments, model);
    }
    bench_own_costs(bench, arguments);
}
