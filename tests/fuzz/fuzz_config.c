/* Any bytes as the JSON files of a model folder. The first byte says which one is fuzzed; the
 * others are good. Build with clang:
 *   -fsanitize=fuzzer,address,undefined; run on tests/fuzz/corpus/config. */
#include "core/model/model.h"
#include "core/nn/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *name, *text;
} files[] = {
    {"model/config.json", "{\"_class_name\":\"GaussianMixture\",\"weights\":[0.2,0.8],"
                          "\"means\":[[3,3],[-3,-3]],\"stds\":[1,1],\"labels\":[0,1]}"},
    {"scheduler/scheduler_config.json", "{\"clip_sample\":false,\"num_train_timesteps\":10}"},
    {"denoised.json", "{\"title\":\"T\",\"classes\":[\"a\",\"b\"]}"},
    {"model_index.json", "{\"model\":[\"denoised\",\"GaussianMixture\"]}"},
};
#define FILES (sizeof(files) / sizeof(files[0]))

static char folder[64];

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "wb");
    if (file == NULL || (size > 0 && fwrite(bytes, size, 1, file) != 1) || fclose(file) != 0)
        abort();
}

/* Once: a folder in memory. */
static void make_folder(void)
{
    static const char *const inside[] = {"model", "scheduler"};

    snprintf(folder, sizeof(folder), "/dev/shm/denoised-fuzz-XXXXXX");
    if (mkdtemp(folder) == NULL)
        abort();
    for (size_t i = 0; i < 2; i++) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", folder, inside[i]);
        if (mkdir(path, 0700) != 0)
            abort();
    }
    for (size_t i = 0; i < FILES; i++)
        write_file(files[i].name, files[i].text, strlen(files[i].text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t which = size > 0 ? data[0] % FILES : 0;
    struct model *model;
    struct error error;

    if (folder[0] == '\0')
        make_folder();
    write_file(files[which].name, data + (size > 0), size > 0 ? size - 1 : 0);
    model = model_open(folder, backend_find("portable"), &error);
    if (model != NULL && (model->shape.dim == 0 || model->schedule.config.timesteps < 2))
        abort();
    if (model == NULL && error.code != ERROR_BAD_MODEL)
        abort();
    model_close(model);
    write_file(files[which].name, files[which].text, strlen(files[which].text));
    return 0;
}
