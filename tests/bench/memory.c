/* What a model takes: a process of its own for each, so that none inherits another's memory. */
#include "tests/bench/bench.h"

#include "core/model/unet2d.h"

#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024.0 * 1024.0)

/* Of /proc/self/status: "VmRSS:" now, "VmHWM:" at most so far. */
static double resident_bytes(const char *key)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0.0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtod(line + strlen(key), NULL);
    if (file != NULL)
        fclose(file);
    return 1024.0 * kib;
}

/* Of the weights as they lie on the disk. */
static double file_bytes(const char *folder)
{
    char pattern[4200];
    double bytes = 0.0;
    struct stat status;
    glob_t found;

    snprintf(pattern, sizeof pattern, "%s/*/*.safetensors", folder);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (stat(found.gl_pathv[i], &status) == 0)
                bytes += (double)status.st_size;
    globfree(&found);
    return bytes;
}

static void print_working_memory(const struct model *model)
{
    const struct unet2d *unet = model->network;
    const double row = (double)(unet->network.activation_floats * sizeof(float));
    const double thread = (double)(unet->network.scratch_floats * sizeof(float));

    printf("; working MB: %.2f a row, %.2f a thread, %zu rows at once", row / 1e6, thread / 1e6,
           unet->network.group);
}

/* Resident bytes with a batch's working memory in use. */
static double resident_with_batch(struct gang *gang, const struct model *model, size_t batch)
{
    const size_t workspace = model->family->workspace_bytes(model, 1);
    struct error error;
    struct arena arena;
    double resident;

    bench_require(
        arena_init(&arena, arena_rounded(workspace) + bench_places_bytes(model, batch), &error),
        &error);
    void *room = arena_take(&arena, workspace);
    model->family->evaluate(model, bench_places(model, batch, &arena), batch, gang, room);
    resident = resident_bytes("VmRSS:");
    arena_finish(&arena);
    return resident;
}

static void measure(const struct bench *bench, const char *folder, size_t batch)
{
    struct error error;
    struct gang *gang = gang_create(1, &error);
    struct model *model = gang == NULL ? NULL : model_open(folder, bench->backend, &error);
    const double seconds = bench_cpu_seconds(), file = file_bytes(folder);

    if (model == NULL)
        bench_fail(&error);
    if (model->family->weightless)
        return;
    const double loading = resident_bytes("VmHWM:");
    const double resident = resident_with_batch(gang, model, batch);
    printf("%-20s loaded in %6.3f s of CPU   MiB: %8.2f weights on disk, %8.2f prepared, "
           "%8.2f resident, %8.2f while it loaded",
           model->name, seconds, file / MIB, (double)model->weight_bytes / MIB, resident / MIB,
           loading / MIB);
    if (resident > 64.0 * MIB)
        printf("; resident = %.2f x weights + 64", (resident - 64.0 * MIB) / file);
    if (model->family == &family_unet2d)
        print_working_memory(model);
    printf("\n");
}

static void measure_apart(const struct bench *bench, const char *folder, size_t batch)
{
    const pid_t child = fork();
    int status;

    if (child == 0) {
        measure(bench, folder, batch);
        fflush(stdout);
        _exit(0);
    }
    if (child > 0)
        (void)waitpid(child, &status, 0);
}

void bench_memory(const struct bench *bench, const struct bench_arguments *arguments)
{
    struct dirent **entries;
    const int count = scandir(arguments->models, &entries, NULL, alphasort);
    const size_t batch = arguments->batches[arguments->batch_count - 1];
    char folder[4096], index[4200];

    printf("memory: of a process with one model, in a batch of %zu on one thread\n", batch);
    for (int i = 0; i < count; i++) {
        snprintf(folder, sizeof folder, "%s/%s", arguments->models, entries[i]->d_name);
        snprintf(index, sizeof index, "%s/model_index.json", folder);
        if ((arguments->model == NULL || strcmp(arguments->model, entries[i]->d_name) == 0) &&
            access(index, R_OK) == 0)
            measure_apart(bench, folder, batch);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}
