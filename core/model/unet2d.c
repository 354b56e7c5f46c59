/* The family UNet2DModel: a folder of diffusers' pixel-space networks. */
#include "core/model/unet2d.h"

#include "core/model/folder.h"
#include "core/model/model.h"
#include "core/nn/embedding.h"

#include <stdlib.h>
#include <unistd.h>

static void describe(struct model *model, const struct unet2d_config *config)
{
    size_t pixels = config->height * config->width;
    model->shape = (struct model_shape){.height = config->height,
                                        .width = config->width,
                                        .channels = config->in_channels,
                                        .dim = pixels * config->in_channels,
                                        .output_dim = pixels * config->out_channels};
    struct class_input *input = &model->class_input;
    input->has_classes = config->class_kind != CLASS_NONE;
    input->needs_vector = config->class_kind == CLASS_IDENTITY;
    if (config->class_kind == CLASS_TABLE)
        input->count = config->class_count;
    else if (config->class_kind == CLASS_TIMESTEP)
        input->count =
            config->time_kind == TIME_LEARNED ? config->time_rows : (size_t)MODEL_CLASS_MAX + 1;
}

/* No tensor vouches for sample_size: a number too many would end the daemon, or keep it busy for
 * hours, before its first request. */
static bool check_memory(const struct unet2d *unet, const struct folder *folder,
                         struct error *error)
{
    const size_t pages = (size_t)sysconf(_SC_PHYS_PAGES), page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes = network_workspace_bytes(&unet->network, 1);
    if (bytes <= pages * page / 2)
        return true;
    return error_set(error, ERROR_BAD_MODEL,
                     "%s: sample_size %zux%zu: one sample takes %zu MiB of working memory, more "
                     "than half of this machine's %zu MiB",
                     folder_config_path(folder), unet->config.height, unet->config.width,
                     bytes >> 20, pages * page >> 20);
}

static bool prepare(struct unet2d *unet, struct folder *folder, const struct kernels *kernels,
                    struct error *error)
{
    if (!unet2d_config_read(folder, &unet->config, error) ||
        !unet2d_build(unet, kernels, folder_config_path(folder), error) ||
        !check_memory(unet, folder, error) ||
        !tensor_list_load(&unet->tensors, folder, &unet->arena, error))
        return false;
    float *weights = (float *)(void *)unet->arena.base;
    if (unet->config.time_kind == TIME_POSITIONAL)
        embedding_frequencies(unet->config.channels[0] / 2, unet->config.freq_shift,
                              weights + unet->frequencies);
    unet->network.weights = weights;
    return true;
}

static bool unet2d_open(struct model *model, struct folder *folder, const struct backend *backend,
                        struct error *error)
{
    struct unet2d *unet = calloc(1, sizeof *unet);
    if (unet == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a network");
    model->network = unet;
    if (!prepare(unet, folder, backend->kernels, error))
        return false;
    describe(model, &unet->config);
    if (unet->config.time_kind == TIME_LEARNED &&
        unet->config.time_rows < model->process.config.schedule.timesteps)
        folder_warn(folder,
                    "%s: num_train_timesteps is %zu, but the scheduler counts %zu: the last "
                    "timestep that was learned stands for all after it",
                    folder_config_path(folder), unet->config.time_rows,
                    model->process.config.schedule.timesteps);
    model->weight_bytes = unet->arena.size;
    tensor_list_finish(&unet->tensors);
    return true;
}

static size_t unet2d_workspace_bytes(const struct model *model, unsigned threads)
{
    const struct unet2d *unet = model->network;
    return network_workspace_bytes(&unet->network, threads);
}

static double unet2d_work(const struct model *model)
{
    const struct unet2d *unet = model->network;
    return network_work(&unet->network);
}

/* Places as the network takes them, some at a time, because nothing is allocated here; so many that
 * the wait for the last of them weighs little. */
enum { PLACES_AT_ONCE = 256 };

static void unet2d_evaluate(const struct model *model, const struct place *places, size_t count,
                            struct gang *gang, void *workspace)
{
    const struct unet2d *unet = model->network;
    struct evaluation evaluations[PLACES_AT_ONCE];
    for (size_t first = 0; first < count; first += PLACES_AT_ONCE) {
        size_t now = count - first < PLACES_AT_ONCE ? count - first : PLACES_AT_ONCE;
        for (size_t i = 0; i < now; i++)
            evaluations[i] = (struct evaluation){.x = places[first + i].x,
                                                 .output = places[first + i].output,
                                                 .time = places[first + i].time,
                                                 .label = places[first + i].label,
                                                 .vector = places[first + i].class_vector};
        network_run(&unet->network, evaluations, now, gang, workspace);
    }
}

static void unet2d_close(struct model *model)
{
    unet2d_finish(model->network);
    free(model->network);
    model->network = NULL;
}

const struct family family_unet2d = {
    .name = "UNet2DModel",
    .open = unet2d_open,
    .workspace_bytes = unet2d_workspace_bytes,
    .work = unet2d_work,
    .evaluate = unet2d_evaluate,
    .close = unet2d_close,
};
