#include "core/model/legacy_names.h"

#include <stdio.h>
#include <string.h>

struct rename {
    const char *old, *modern;
};

/* The first segment of a tensor's name. */
static const struct rename blocks[] = {
    {"time_steps.", "time_proj."},
    {"mid.", "mid_block."},
    {"downsample_blocks.", "down_blocks."},
    {"upsample_blocks.", "up_blocks."},
};

/* Behind "attentions.N." */
static const struct rename attention[] = {
    {".query.", ".to_q."},
    {".key.", ".to_k."},
    {".value.", ".to_v."},
    {".proj_attn.", ".to_out.0."},
};

static const struct rename config_keys[] = {
    {"image_size", "sample_size"},
    {"num_res_blocks", "layers_per_block"},
    {"block_channels", "block_out_channels"},
    {"down_blocks", "down_block_types"},
    {"up_blocks", "up_block_types"},
    {"downscale_freq_shift", "freq_shift"},
    {"resnet_num_groups", "norm_num_groups"},
    {"resnet_act_fn", "act_fn"},
    {"resnet_eps", "norm_eps"},
    {"num_head_channels", "attention_head_dim"},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* `at` in `name` is where `old` stands. */
static bool replace(const char *name, const char *at, const struct rename *rename, char *out,
                    size_t size)
{
    const int length = snprintf(out, size, "%.*s%s%s", (int)(at - name), name, rename->modern,
                                at + strlen(rename->old));

    return length > 0 && (size_t)length < size;
}

static bool rename_block(const char *name, char *out, size_t size)
{
    for (size_t i = 0; i < COUNT(blocks); i++)
        if (strncmp(name, blocks[i].old, strlen(blocks[i].old)) == 0)
            return replace(name, name, &blocks[i], out, size);
    return false;
}

static bool rename_attention(const char *name, char *out, size_t size)
{
    const char *module = strstr(name, "attentions.");

    for (size_t i = 0; module && i < COUNT(attention); i++) {
        const char *at = strstr(module, attention[i].old);

        if (at)
            return replace(name, at, &attention[i], out, size);
    }
    return false;
}

bool legacy_tensor_name(const char *name, char *modern, size_t size)
{
    char block[1024];
    const bool renamed = rename_block(name, block, sizeof(block));

    if (rename_attention(renamed ? block : name, modern, size))
        return true;
    if (!renamed)
        return false;
    return (size_t)snprintf(modern, size, "%s", block) < size;
}

bool legacy_tensor_twin(const char *name, char *twin, size_t size)
{
    static const struct rename sampler = {".op.", ".conv."};
    const char *at = strstr(name, sampler.old);

    if (strcmp(name, "time_proj.W") == 0)
        return (size_t)snprintf(twin, size, "time_proj.weight") < size;
    return at && strstr(name, "samplers.") && replace(name, at, &sampler, twin, size);
}

static bool rename_key(cJSON *config, const struct rename *rename)
{
    cJSON *item = cJSON_GetObjectItemCaseSensitive(config, rename->old);

    if (!item || cJSON_GetObjectItemCaseSensitive(config, rename->modern))
        return true;
    item = cJSON_DetachItemViaPointer(config, item);
    if (cJSON_AddItemToObject(config, rename->modern, item))
        return true;
    cJSON_Delete(item);
    return false;
}

bool legacy_rename_config(cJSON *config)
{
    for (size_t i = 0; i < COUNT(config_keys); i++)
        if (!rename_key(config, &config_keys[i]))
            return false;
    return true;
}
