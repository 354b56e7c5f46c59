/* bench - how fast this machine runs the models, on every backend unless one is named.
 *
 *     bench [--models DIR] [--model NAME] [--backend NAME] [--threads N] [--batches 1,4,16]
 *           [--rounds N] [--sampler NAME] [--layers] [PART ...]
 *
 * PART: speed, memory, speed-up, samplers, likelihood, layers (as --layers); without one all but
 * the layers. Times are CPU time of the whole process, so that neighbours on the machine disturb
 * them little; row-steps a second and the speed-up by threads go by the clock on the wall. */
#include "tests/bench/bench.h"

#include "tests/bench/machine.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINT_ROWS 4096

/* Which models a part wants to be loaded; CHOSEN: as --model says. */
enum models { NO_MODELS, CHOSEN_MODELS, ALL_MODELS };

static const struct part {
    const char *name;
    void (*run)(const struct bench *bench, const struct bench_arguments *arguments);
    enum models models;
    bool usual;
    bool once; /* on the default backend alone, unless one is named */
} PARTS[] = {
    {"memory", bench_memory, NO_MODELS, true, false},
    {"speed", bench_speed, CHOSEN_MODELS, true, false},
    {"speed-up", bench_speed_up, CHOSEN_MODELS, true, false},
    {"layers", bench_layers, CHOSEN_MODELS, false, false},
    {"samplers", bench_samplers, ALL_MODELS, true, true},
    {"likelihood", bench_likelihood, ALL_MODELS, true, true},
};
enum { PART_COUNT = sizeof PARTS / sizeof PARTS[0] };

struct asked {
    bool parts[PART_COUNT], any;
};

static void print_refusal(void *context, const char *folder, const struct error *error)
{
    (void)context;
    fprintf(stderr, "bench: %s is left out: %s\n", folder, error->text);
}

static void load(struct bench *bench, const char *models, const char *model)
{
    struct error error;
    char path[4096];

    if (model == NULL) {
        bench_require(catalog_add_directory(&bench->catalog, models, bench->backend, print_refusal,
                                            NULL, &error),
                      &error);
        return;
    }
    snprintf(path, sizeof path, "%s/%s", models, model);
    bench_require(catalog_add(&bench->catalog, path, bench->backend, &error), &error);
}

static void start(struct bench *bench, const struct bench_arguments *arguments, enum models models)
{
    const struct engine_options options = {.threads = arguments->threads,
                                           .image_slots =
                                               arguments->batches[arguments->batch_count - 1],
                                           .point_slots = POINT_ROWS,
                                           .queue_requests = 1,
                                           .queue_seconds = 1e9,
                                           .stretch_seconds = ENGINE_STRETCH_SECONDS,
                                           .doorbell = bench_ring};
    struct error error;

    load(bench, arguments->models, models == CHOSEN_MODELS ? arguments->model : NULL);
    bench->gang = gang_create(arguments->threads, &error);
    bench_require(bench->gang != NULL, &error);
    bench->engine = engine_create(&options, &bench->catalog, &error);
    bench_require(bench->engine != NULL, &error);
}

static void stop(struct bench *bench)
{
    engine_destroy(bench->engine);
    gang_destroy(bench->gang);
    catalog_finish(&bench->catalog);
}

static void run_part(const struct part *part, const struct bench_arguments *arguments,
                     const struct backend *backend)
{
    struct bench bench = {.backend = backend};

    if (part->models != NO_MODELS)
        start(&bench, arguments, part->models);
    part->run(&bench, arguments);
    if (part->models != NO_MODELS)
        stop(&bench);
}

static void bench_backend(const struct bench_arguments *arguments, const struct backend *backend,
                          const struct asked *asked)
{
    struct error error;

    bench_require(backend->start(&error), &error);
    printf("\nbackend      %s: %s\nthreads      %u\n", backend->name, backend->details(),
           arguments->threads);
    for (size_t i = 0; i < PART_COUNT; i++)
        if ((asked->any ? asked->parts[i] : PARTS[i].usual) &&
            (!PARTS[i].once || backend == backend_find(arguments->backend)))
            run_part(&PARTS[i], arguments, backend);
}

/* --- arguments --- */

_Noreturn static void refuse(const char *rule, const char *text)
{
    fprintf(stderr, "bench: %s: %s\n", rule, text);
    exit(2);
}

static void read_batches(struct bench_arguments *arguments, char *text)
{
    size_t count = 0;

    for (char *word; (word = strtok_r(text, ",", &text)) != NULL; count++) {
        const size_t batch = strtoul(word, NULL, 10);

        if (batch == 0 || count == BENCH_BATCHES_MAX ||
            (count > 0 && batch <= arguments->batches[count - 1]))
            refuse("batches ascend, as 1,4,16", word);
        arguments->batches[count] = batch;
    }
    if (count == 0)
        refuse("batches are numbers, as 1,4,16", "none");
    arguments->batch_count = count;
}

static void ask(struct asked *asked, const char *name)
{
    size_t i = 0;

    while (i < PART_COUNT && strcmp(PARTS[i].name, name) != 0)
        i++;
    if (i == PART_COUNT)
        refuse("no such part", name);
    asked->parts[i] = asked->any = true;
}

static struct bench_arguments read_arguments(int count, char **texts, struct asked *asked)
{
    static const struct option options[] = {{"models", required_argument, NULL, 'd'},
                                            {"backend", required_argument, NULL, 'b'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"model", required_argument, NULL, 'm'},
                                            {"batches", required_argument, NULL, 'n'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"sampler", required_argument, NULL, 's'},
                                            {"layers", no_argument, NULL, 'l'},
                                            {NULL, 0, NULL, 0}};
    struct bench_arguments arguments = {
        .models = "weights", .threads = 1, .rounds = 9, .batches = {1, 4, 16}, .batch_count = 3};
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
        else if (letter == 'n')
            read_batches(&arguments, optarg);
        else if (letter == 'r')
            arguments.rounds = strtoul(optarg, NULL, 10);
        else if (letter == 's')
            arguments.sampler = optarg;
        else if (letter == 'l')
            ask(asked, "layers");
        else
            exit(2);
    }
    for (int i = optind; i < count; i++)
        ask(asked, texts[i]);
    return arguments;
}

int main(int count, char **texts)
{
    struct asked asked = {.any = false};
    const struct bench_arguments arguments = read_arguments(count, texts, &asked);
    size_t used = 0;

    gang_float_mode();
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    machine_print();
    for (size_t i = 0; backend_at(i) != NULL; i++)
        if (arguments.backend == NULL || strcmp(arguments.backend, backend_at(i)->name) == 0) {
            bench_backend(&arguments, backend_at(i), &asked);
            used++;
        }
    if (used == 0)
        refuse("there is no such backend", arguments.backend);
    return 0;
}
