#include "tests/support/folder.h"

#include "tests/support/test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void scratch_init(struct scratch *scratch)
{
    const char *base = getenv("TMPDIR");

    snprintf(scratch->path, sizeof(scratch->path), "%.80s/denoised-test-XXXXXX",
             base ? base : "/tmp");
    assert_non_null(mkdtemp(scratch->path));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void scratch_finish(struct scratch *scratch)
{
    nftw(scratch->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const struct scratch *scratch, const char *name)
{
    static char path[1024];

    snprintf(path, sizeof(path), "%s/%s", scratch->path, name);
    return path;
}

static void make_parents(const struct scratch *scratch, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", scratch->path, name);
    for (char *at = path + strlen(scratch->path) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
}

void scratch_write(const struct scratch *scratch, const char *name, const void *bytes, size_t size)
{
    FILE *file;

    make_parents(scratch, name);
    (void)remove(scratch_path(scratch, name)); /* a file written over is flushed to the disk */
    file = fopen(scratch_path(scratch, name), "wb");
    assert_non_null(file);
    assert_true(size == 0 || fwrite(bytes, size, 1, file) == 1);
    assert_int_equal(fclose(file), 0);
}

void scratch_text(const struct scratch *scratch, const char *name, const char *text)
{
    scratch_write(scratch, name, text, strlen(text));
}

void scratch_remove(const struct scratch *scratch, const char *name)
{
    nftw(scratch_path(scratch, name), remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_safetensors(const struct scratch *scratch, const char *name, const char *header,
                         size_t data)
{
    const uint64_t length = strlen(header);
    unsigned char *bytes = calloc(1, 8 + length + data + 1);

    assert_non_null(bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length + 1);
    scratch_write(scratch, name, bytes, 8 + length + data);
    free(bytes);
}

static size_t element_count(const char *shape)
{
    size_t count = 1;

    for (char *end; *shape; shape = *end ? end + 1 : end)
        count *= strtoul(shape, &end, 10);
    return count;
}

void scratch_weights(const struct scratch *scratch, const char *name, const char *const *tensors)
{
    char header[16384] = "{";
    size_t used = 1, count = 0;
    unsigned char *bytes;

    for (size_t i = 0; tensors[i]; i++) {
        const char *colon = strchr(tensors[i], ':');
        const size_t size = element_count(colon + 1);

        used += (size_t)snprintf(
            header + used, sizeof(header) - used,
            "%s\"%.*s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
            i ? "," : "", (int)(colon - tensors[i]), tensors[i], colon + 1, 4 * count,
            4 * (count + size));
        count += size;
    }
    used += (size_t)snprintf(header + used, sizeof(header) - used, "}");
    bytes = calloc(1, 8 + used + 4 * count);
    assert_non_null(bytes);
    memcpy(bytes, &(uint64_t){used}, 8);
    memcpy(bytes + 8, header, used);
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + 8 + used + 4 * i, &(float){(float)((i * 37) % 101) / 101.0f - 0.5f}, 4);
    scratch_write(scratch, name, bytes, 8 + used + 4 * count);
    free(bytes);
}

static const char *in(const char *folder, const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static const char schedule[] =
    "{\"_class_name\":\"DDPMScheduler\",\"num_train_timesteps\":100,\"clip_sample\":false}";

void scratch_mixture(const struct scratch *scratch, const char *name)
{
    scratch_text(scratch, in(name, "model_index.json"),
                 "{\"model\":[\"denoised\",\"GaussianMixture\"],"
                 "\"scheduler\":[\"diffusers\",\"DDPMScheduler\"]}");
    scratch_text(scratch, in(name, "model/config.json"),
                 "{\"_class_name\":\"GaussianMixture\",\"weights\":[0.2,0.8],"
                 "\"means\":[[3,3],[-3,-3]],\"stds\":[1,1]}");
    scratch_text(scratch, in(name, "scheduler/scheduler_config.json"), schedule);
}

void scratch_points(const struct scratch *scratch, const char *name)
{
    static const char *const tensors[] = {
        "class_embedding.weight:3,4", "layers.0.weight:5,10", "layers.0.bias:5",
        "layers.1.weight:2,5",        "layers.1.bias:2",      NULL};

    scratch_text(scratch, in(name, "model_index.json"),
                 "{\"model\":[\"denoised\",\"PointMLP\"],"
                 "\"scheduler\":[\"diffusers\",\"DDPMScheduler\"]}");
    scratch_text(scratch, in(name, "model/config.json"),
                 "{\"_class_name\":\"PointMLP\",\"data_dim\":2,\"hidden_dims\":[5],"
                 "\"time_embedding\":\"sinusoidal\",\"time_embedding_dim\":4,\"act_fn\":\"silu\","
                 "\"num_class_embeds\":3}");
    scratch_text(scratch, in(name, "scheduler/scheduler_config.json"), schedule);
    scratch_weights(scratch, in(name, "model/diffusion_pytorch_model.safetensors"), tensors);
}

const char *const scratch_image_tensors[] = {"conv_in.weight:4,1,3,3",
                                             "conv_in.bias:4",
                                             "time_embedding.linear_1.weight:16,4",
                                             "time_embedding.linear_1.bias:16",
                                             "time_embedding.linear_2.weight:16,16",
                                             "time_embedding.linear_2.bias:16",
                                             "down_blocks.0.resnets.0.norm1.weight:4",
                                             "down_blocks.0.resnets.0.norm1.bias:4",
                                             "down_blocks.0.resnets.0.conv1.weight:4,4,3,3",
                                             "down_blocks.0.resnets.0.conv1.bias:4",
                                             "down_blocks.0.resnets.0.time_emb_proj.weight:4,16",
                                             "down_blocks.0.resnets.0.time_emb_proj.bias:4",
                                             "down_blocks.0.resnets.0.norm2.weight:4",
                                             "down_blocks.0.resnets.0.norm2.bias:4",
                                             "down_blocks.0.resnets.0.conv2.weight:4,4,3,3",
                                             "down_blocks.0.resnets.0.conv2.bias:4",
                                             "up_blocks.0.resnets.0.norm1.weight:8",
                                             "up_blocks.0.resnets.0.norm1.bias:8",
                                             "up_blocks.0.resnets.0.conv1.weight:4,8,3,3",
                                             "up_blocks.0.resnets.0.conv1.bias:4",
                                             "up_blocks.0.resnets.0.time_emb_proj.weight:4,16",
                                             "up_blocks.0.resnets.0.time_emb_proj.bias:4",
                                             "up_blocks.0.resnets.0.norm2.weight:4",
                                             "up_blocks.0.resnets.0.norm2.bias:4",
                                             "up_blocks.0.resnets.0.conv2.weight:4,4,3,3",
                                             "up_blocks.0.resnets.0.conv2.bias:4",
                                             "up_blocks.0.resnets.0.conv_shortcut.weight:4,8,1,1",
                                             "up_blocks.0.resnets.0.conv_shortcut.bias:4",
                                             "up_blocks.0.resnets.1.norm1.weight:8",
                                             "up_blocks.0.resnets.1.norm1.bias:8",
                                             "up_blocks.0.resnets.1.conv1.weight:4,8,3,3",
                                             "up_blocks.0.resnets.1.conv1.bias:4",
                                             "up_blocks.0.resnets.1.time_emb_proj.weight:4,16",
                                             "up_blocks.0.resnets.1.time_emb_proj.bias:4",
                                             "up_blocks.0.resnets.1.norm2.weight:4",
                                             "up_blocks.0.resnets.1.norm2.bias:4",
                                             "up_blocks.0.resnets.1.conv2.weight:4,4,3,3",
                                             "up_blocks.0.resnets.1.conv2.bias:4",
                                             "up_blocks.0.resnets.1.conv_shortcut.weight:4,8,1,1",
                                             "up_blocks.0.resnets.1.conv_shortcut.bias:4",
                                             "conv_norm_out.weight:4",
                                             "conv_norm_out.bias:4",
                                             "conv_out.weight:1,4,3,3",
                                             "conv_out.bias:1",
                                             NULL};

void scratch_image(const struct scratch *scratch, const char *name)
{
    scratch_text(scratch, in(name, "model_index.json"),
                 "{\"_class_name\":\"DDPMPipeline\",\"unet\":[\"diffusers\",\"UNet2DModel\"],"
                 "\"scheduler\":[\"diffusers\",\"DDPMScheduler\"]}");
    scratch_text(scratch, in(name, "unet/config.json"),
                 "{\"_class_name\":\"UNet2DModel\",\"sample_size\":8,\"in_channels\":1,"
                 "\"out_channels\":1,\"block_out_channels\":[4],\"layers_per_block\":1,"
                 "\"down_block_types\":[\"DownBlock2D\"],\"up_block_types\":[\"UpBlock2D\"],"
                 "\"mid_block_type\":null,\"norm_num_groups\":2,\"attention_head_dim\":2}");
    scratch_text(scratch, in(name, "scheduler/scheduler_config.json"), schedule);
    scratch_weights(scratch, in(name, "unet/diffusion_pytorch_model.safetensors"),
                    scratch_image_tensors);
}

void assert_error_says(const struct error *error, const char *words)
{
    char copy[512], *rest = copy;

    snprintf(copy, sizeof(copy), "%s", words);
    for (const char *word; (word = strsep(&rest, "|"));)
        if (!strstr(error->text, word))
            fail_msg("\"%s\" does not say \"%s\"", error->text, word);
}
