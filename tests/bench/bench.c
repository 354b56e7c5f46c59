/* bench - how fast this machine runs the models, on every backend unless one is named. Times are
 * CPU time of the whole process, so that neighbours on the machine disturb them little; row-steps a
 * second go by the clock on the wall. */
#include "tests/bench/bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINT_ROWS 4096

static const size_t batches[] = {1, 4, 16};
#define BATCHES (sizeof batches / sizeof batches[0])

static void print_processor(void)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512];

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "model name", 10) == 0) {
            printf("processor  %s", strchr(line, ':') + 2);
            break;
        }
    if (file != NULL)
        fclose(file);
}

static void print_refusal(void *context, const char *folder, const struct error *error)
{
    (void)context;
    fprintf(stderr, "bench: %s is left out: %s\n", folder, error->text);
}

/* Enough steps for a second or so, as one forward says; no more than the schedule has. */
static size_t steps_for(const struct model *model, double seconds)
{
    const size_t limit = model->process.config.schedule.timesteps;
    const double steps = 0.7 / seconds;

    return steps < 2.0 ? 2 : steps > (double)limit ? limit : (size_t)steps;
}

/* One request. */
static struct bench_run order(const struct bench *bench, const struct model *model,
                              const char *sampler, size_t steps, size_t n)
{
    return bench_run(
        bench->engine,
        &(struct bench_order){
            .model = model, .sampler = sampler, .steps = steps, .n = n, .requests = 1});
}

static void bench_batches(const struct bench *bench, const struct model *model)
{
    const double unit = model->shape.is_points ? 1e6 : 1e3;
    double forward[BATCHES], engine[BATCHES];

    for (size_t i = 0; i < BATCHES; i++) {
        const double batch = (double)batches[i];
        struct bench_run run;

        forward[i] = bench_forward(bench, model, batches[i]);
        run = order(bench, model, "ddim", steps_for(model, forward[i] * batch), batches[i]);
        engine[i] = run.cpu_seconds / (double)run.row_steps;
    }
    printf("%-14s forward %8.3f %8.3f %8.3f   engine %8.3f %8.3f %8.3f   %s and step\n",
           model->name, unit * forward[0], unit * forward[1], unit * forward[2], unit * engine[0],
           unit * engine[1], unit * engine[2],
           model->shape.is_points ? "us per point" : "ms per image");
}

static void bench_points(const struct bench *bench, const struct model *model)
{
    const size_t limit = model->process.config.schedule.timesteps;
    static const char *const samplers[] = {"ddpm", "ddim"};

    for (size_t i = 0; i < sizeof samplers / sizeof samplers[0]; i++) {
        const size_t steps = limit < 300 ? limit : 300;
        const struct bench_run run = order(bench, model, samplers[i], steps, POINT_ROWS);
        const double row_steps = (double)run.row_steps;

        printf("%-14s %s %5d rows %9.3f us of CPU a row-step, %.0f row-steps a second\n",
               model->name, samplers[i], POINT_ROWS, 1e6 * run.cpu_seconds / row_steps,
               row_steps / run.wall_seconds);
    }
}

/* What a tick of one row costs beside its forward. */
static void bench_tick(const struct bench *bench, const struct model *model)
{
    const double forward = bench_forward(bench, model, 1);
    const struct bench_run run =
        order(bench, model, "ddim", model->process.config.schedule.timesteps, 1);
    const double tick = run.cpu_seconds / (double)run.ticks;

    printf("%-14s a tick of one row %.2f us, %.2f us of it beside the forward\n", model->name,
           1e6 * tick, 1e6 * (tick - forward));
}

static void bench_model(const struct bench *bench, const struct model *model)
{
    bench_batches(bench, model);
    if (!model->shape.is_points)
        return;
    bench_points(bench, model);
    bench_tick(bench, model);
}

static void bench_models(const struct bench *bench, const struct bench_arguments *arguments)
{
    printf("batches    1, 4, 16\n");
    for (size_t i = 0; i < bench->catalog.count; i++)
        if (arguments->model == NULL ||
            strcmp(arguments->model, bench->catalog.models[i]->name) == 0)
            bench_model(bench, bench->catalog.models[i]);
}

static const struct {
    const char *name;
    void (*run)(const struct bench *bench, const struct bench_arguments *arguments);
    bool once; /* on the default backend alone, unless one is named */
} parts[] = {{"models", bench_models, false}, {"samplers", bench_samplers, true}};
#define PARTS (sizeof parts / sizeof parts[0])

static size_t part_find(const char *name)
{
    size_t i = 0;

    while (i < PARTS && strcmp(parts[i].name, name) != 0)
        i++;
    return i;
}

/* Options, then names of parts: `asked` says which; without a name, all. */
static struct bench_arguments read_arguments(int count, char **texts, bool asked[PARTS])
{
    static const struct option options[] = {{"models", required_argument, NULL, 'd'},
                                            {"backend", required_argument, NULL, 'b'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"model", required_argument, NULL, 'm'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"sampler", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    struct bench_arguments arguments = {.models = "weights", .threads = 1, .rounds = 9};
    int letter;

    while ((letter = getopt_long(count, texts, "", options, NULL)) != -1) {
        if (letter == 'd')
            arguments.models = optarg;
        else if (letter == 'b')
            arguments.backend = optarg;
        else if (letter == 't')
            arguments.threads = (unsigned)strtoul(optarg, NULL, 10);
        else if (letter == 'm')
            arguments.model = optarg;
        else if (letter == 's')
            arguments.sampler = optarg;
        else if (letter == 'r')
            arguments.rounds = strtoul(optarg, NULL, 10);
        else
            exit(2);
    }
    for (size_t i = 0; i < PARTS; i++)
        asked[i] = optind == count;
    for (int i = optind; i < count; i++) {
        if (part_find(texts[i]) == PARTS)
            exit(2);
        asked[part_find(texts[i])] = true;
    }
    return arguments;
}

static void bench_backend(const struct bench_arguments *arguments, const struct backend *backend,
                          const bool asked[PARTS])
{
    const struct engine_options options = {.threads = arguments->threads,
                                           .image_slots = 16,
                                           .point_slots = POINT_ROWS,
                                           .queue_requests = 1,
                                           .queue_seconds = 1e9,
                                           .doorbell = bench_ring};
    struct bench bench = {.gang = NULL};
    struct error error;

    bench_require(backend->start(&error), &error);
    printf("\nbackend    %s: %s\nthreads    %u\n", backend->name, backend->details(),
           arguments->threads);
    bench_require(catalog_add_directory(&bench.catalog, arguments->models, backend, print_refusal,
                                        NULL, &error),
                  &error);
    bench.gang = gang_create(arguments->threads, &error);
    bench_require(bench.gang != NULL, &error);
    bench.engine = engine_create(&options, &bench.catalog, &error);
    bench_require(bench.engine != NULL, &error);
    for (size_t i = 0; i < PARTS; i++)
        if (asked[i] && (!parts[i].once || backend == backend_find(arguments->backend)))
            parts[i].run(&bench, arguments);
    engine_destroy(bench.engine);
    gang_destroy(bench.gang);
    catalog_finish(&bench.catalog);
}

int main(int count, char **texts)
{
    bool asked[PARTS];
    const struct bench_arguments arguments = read_arguments(count, texts, asked);
    size_t used = 0;

    gang_float_mode();
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    print_processor();
    for (size_t i = 0; backend_at(i) != NULL; i++)
        if (arguments.backend == NULL || strcmp(arguments.backend, backend_at(i)->name) == 0) {
            bench_backend(&arguments, backend_at(i), asked);
            used++;
        }
    if (used == 0)
        fprintf(stderr, "bench: there is no backend %s\n", arguments.backend);
    return used == 0 ? 2 : 0;
}
