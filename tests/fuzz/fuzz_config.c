/* Any bytes as the JSON files of a model folder. The first byte says which one is fuzzed; the
 * others are good, but the weights of the flat folder, which are none: there a config can be read
 * and no network built. `make fuzz` runs it on tests/fuzz/corpus/config. */
#include "core/model/model.h"
#include "core/nn/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
    const char *folder, *name, *text;
};

static const struct file files[] = {
    {"mixture", "model/config.json",
     "{\"_class_name\":\"GaussianMixture\",\"weights\":[0.2,0.8],\"means\":[[3,3],[-3,-3]],"
     "\"stds\":[1,1],\"labels\":[0,1]}"},
    {"mixture", "scheduler/scheduler_config.json",
     "{\"clip_sample\":false,\"num_train_timesteps\":10}"},
    {"mixture", "denoised.json", "{\"title\":\"T\",\"classes\":[\"a\",\"b\"]}"},
    {"mixture", "model_index.json", "{\"model\":[\"denoised\",\"GaussianMixture\"]}"},
    {"flat", "config.json", "{\"_class_name\":\"UNet2DModel\"}"},
};
#define FILES (sizeof(files) / sizeof(files[0]))

static const char *const folders[] = {"", "/mixture", "/mixture/model", "/mixture/scheduler",
                                      "/flat"};
#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

static char root[64];

static const char *path_of(const char *folder, const char *name)
{
    static char path[160];

    snprintf(path, sizeof(path), "%s/%s/%s", root, folder, name);
    return path;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL || (size > 0 && fwrite(bytes, size, 1, file) != 1) || fclose(file) != 0)
        abort();
}

static void remove_folders(void)
{
    for (size_t i = 0; i < FILES; i++)
        (void)remove(path_of(files[i].folder, files[i].name));
    (void)remove(path_of("flat", "diffusion_pytorch_model.safetensors"));
    for (size_t i = FOLDERS; i > 0; i--)
        (void)rmdir(path_of("", folders[i - 1]));
}

/* Once: folders in memory. */
static void make_folders(void)
{
    snprintf(root, sizeof(root), "/dev/shm/denoised-fuzz-XXXXXX");
    if (mkdtemp(root) == NULL || atexit(remove_folders) != 0)
        abort();
    for (size_t i = 1; i < FOLDERS; i++)
        if (mkdir(path_of("", folders[i]), 0700) != 0)
            abort();
    for (size_t i = 0; i < FILES; i++)
        write_file(path_of(files[i].folder, files[i].name), files[i].text, strlen(files[i].text));
    write_file(path_of("flat", "diffusion_pytorch_model.safetensors"), "\2\0\0\0\0\0\0\0{}", 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct file *file = &files[size > 0 ? data[0] % FILES : 0];
    struct model *model;
    struct error error;

    if (root[0] == '\0')
        make_folders();
    write_file(path_of(file->folder, file->name), data + (size > 0), size > 0 ? size - 1 : 0);
    model = model_open(path_of(file->folder, ""), backend_find("portable"), &error);
    if (model != NULL && (model->shape.dim == 0 || model->process.config.schedule.timesteps < 2))
        abort();
    if (model == NULL && error.code != ERROR_BAD_MODEL)
        abort();
    model_close(model);
    write_file(path_of(file->folder, file->name), file->text, strlen(file->text));
    return 0;
}
