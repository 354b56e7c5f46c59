/* forward BACKEND FOLDER COUNT - one model's forward on one thread, on request: what compare.py
 * sets beside other engines. BACKEND "fastest" is the one that denoised would choose.
 *
 * Says `ready BACKEND DETAILS`, then answers each line of standard input:
 *     run IN OUT      evaluates COUNT samples. IN: for each its x, its time, its label (-1: none),
 *                     as floats; OUT: their outputs. Says `done`.
 *     time SECONDS    repeats the last evaluation for so much CPU time; says ms per sample
 *     peak            says each width of vector and its multiply-adds, as probe.h measures them */
#include "core/base/arena.h"
#include "core/model/model.h"
#include "tests/bench/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct batch {
    const struct model *model;
    struct gang *gang;
    struct arena arena;
    struct place *places;
    float *inputs; /* x, time, label of each */
    size_t count;
    void *workspace;
};

static void require(bool fine, const char *what, const struct error *error)
{
    if (fine)
        return;
    fprintf(stderr, "forward: %s%s%s\n", what, error == NULL ? "" : ": ",
            error == NULL ? "" : error->text);
    exit(1);
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct batch batch_of(const struct model *model, size_t count)
{
    struct batch batch = {.model = model, .count = count};
    const struct model_shape *shape = &model->shape;
    const size_t workspace = model->family->workspace_bytes(model, 1);
    const size_t places = count * sizeof *batch.places;
    const size_t inputs = count * (shape->dim + 2) * sizeof(float);
    const size_t output = shape->output_dim * sizeof(float);
    struct error error;

    batch.gang = gang_create(1, &error);
    require(batch.gang != NULL, "gang", &error);
    require(arena_init(&batch.arena,
                       arena_rounded(workspace) + arena_rounded(places) + arena_rounded(inputs) +
                           count * arena_rounded(output),
                       &error),
            "memory", &error);
    batch.workspace = arena_take(&batch.arena, workspace);
    batch.places = arena_take(&batch.arena, places);
    batch.inputs = arena_take(&batch.arena, inputs);
    for (size_t i = 0; i < count; i++)
        batch.places[i] = (struct place){.x = batch.inputs + i * (shape->dim + 2),
                                         .output = arena_take(&batch.arena, output),
                                         .level = {.alpha = 0.6, .sigma = 0.8}};
    return batch;
}

static void batch_finish(struct batch *batch)
{
    arena_finish(&batch->arena);
    gang_destroy(batch->gang);
}

static void evaluate(const struct batch *batch)
{
    batch->model->family->evaluate(batch->model, batch->places, batch->count, batch->gang,
                                   batch->workspace);
}

static void run(struct batch *batch, const char *in, const char *out)
{
    const struct model_shape *shape = &batch->model->shape;
    FILE *file = fopen(in, "rb");

    require(file != NULL, in, NULL);
    require(fread(batch->inputs, sizeof(float) * (shape->dim + 2), batch->count, file) ==
                batch->count,
            in, NULL);
    fclose(file);
    for (size_t i = 0; i < batch->count; i++) {
        batch->places[i].time = (double)batch->places[i].x[shape->dim];
        batch->places[i].label = (int32_t)batch->places[i].x[shape->dim + 1];
    }
    evaluate(batch);
    file = fopen(out, "wb");
    require(file != NULL, out, NULL);
    for (size_t i = 0; i < batch->count; i++)
        require(fwrite(batch->places[i].output, sizeof(float), shape->output_dim, file) ==
                    shape->output_dim,
                out, NULL);
    require(fclose(file) == 0, out, NULL);
    puts("done");
}

static void measure(const struct batch *batch, double seconds)
{
    const double start = cpu_seconds();
    double spent = 0.0;
    size_t times = 0, chunk = 1; /* between two looks at the clock, which costs half a us */

    for (; spent < seconds; chunk = spent < seconds / 2.0 ? times : 1 + times / 16) {
        for (size_t i = 0; i < chunk; i++)
            evaluate(batch);
        times += chunk;
        spent = cpu_seconds() - start;
    }
    printf("%.6f\n", 1e3 * spent / (double)(times * batch->count));
}

static void peak(void)
{
    for (size_t i = 0; probe_at(i) != NULL; i++)
        printf("%s=%.1f ", probe_at(i)->name, probe_gflops(probe_at(i)));
    printf("\n");
}

static void serve(struct batch *batch)
{
    char line[1024], in[400], out[400];

    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "run %399s %399s", in, out) == 2)
            run(batch, in, out);
        else if (strncmp(line, "time ", 5) == 0)
            measure(batch, strtod(line + 5, NULL));
        else if (strcmp(line, "peak\n") == 0)
            peak();
        else
            require(false, "asked for what it does not know", NULL);
        fflush(stdout);
    }
}

int main(int count, char **texts)
{
    const struct backend *backend;
    struct model *model;
    struct batch batch;
    struct error error;

    require(count == 4, "usage: forward BACKEND FOLDER COUNT", NULL);
    backend = backend_find(strcmp(texts[1], "fastest") == 0 ? NULL : texts[1]);
    require(backend != NULL, "no such backend", NULL);
    gang_float_mode();
    require(backend->start(&error), "backend", &error);
    model = model_open(texts[2], backend, &error);
    require(model != NULL, texts[2], &error);
    batch = batch_of(model, strtoul(texts[3], NULL, 10));
    printf("ready %s %s\n", backend->name, backend->details());
    fflush(stdout);
    serve(&batch);
    batch_finish(&batch);
    model_close(model);
    return 0;
}
