#include "core/model/unet2d_config.h"

#include "core/model/folder.h"

#include <stdio.h>
#include <string.h>

#define CHANNELS_MAX 65536L
#define SIDE_MAX     4096

/* Skip blocks' 1x1 and 3x3 convolutions from and to the image have this many in diffusers. */
#define SKIP_CHANNELS 3

static bool refuse(const struct folder *folder, struct error *error, const char *text)
{
    return error_set(error, ERROR_BAD_MODEL, "%s: %s", folder_config_path(folder), text);
}

static bool read_size(const struct folder *folder, const char *key, long minimum, long maximum,
                      long absent, size_t *value, struct error *error)
{
    long number;
    if (!config_integer(folder, key, minimum, maximum, absent, &number, error))
        return false;
    *value = (size_t)number;
    return true;
}

/* Null answers 0. */
static bool read_size_or_null(const struct folder *folder, const char *key, long maximum,
                              long absent, size_t *value, struct error *error)
{
    long number;
    if (!config_integer_or_null(folder, key, 1, maximum, absent, 0, &number, error))
        return false;
    *value = (size_t)number;
    return true;
}

/* The index of a string among `choices`, which NULL ends. */
static bool read_choice(const struct folder *folder, const char *key, const char *const *choices,
                        size_t *index, struct error *error)
{
    const char *text;
    char list[200] = "";
    if (!config_string(folder, key, choices[0], &text, error))
        return false;
    for (size_t i = 0; choices[i] != NULL; i++) {
        if (text != NULL && strcmp(text, choices[i]) == 0) {
            *index = i;
            return true;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", choices[i]);
    }
    return error_set(error, ERROR_BAD_MODEL, "%s: %s \"%.60s\" is not built; %s may stand there",
                     folder_config_path(folder), key, text != NULL ? text : "null", list);
}

/* --- sizes ------------------------------------------------------------------------------------ */

static bool read_side(const cJSON *item, size_t *side)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1 && item->valuedouble <= SIDE_MAX) ||
        item->valuedouble != (double)(size_t)item->valuedouble)
        return false;
    *side = (size_t)item->valuedouble;
    return true;
}

static bool read_sides(const cJSON *item, struct unet2d_config *config)
{
    if (cJSON_IsArray(item) && cJSON_GetArraySize(item) == 2)
        return read_side(cJSON_GetArrayItem(item, 0), &config->height) &&
               read_side(cJSON_GetArrayItem(item, 1), &config->width);
    if (!read_side(item, &config->height))
        return false;
    config->width = config->height;
    return true;
}

static bool read_sample_size(const struct folder *folder, struct unet2d_config *config,
                             struct error *error)
{
    const char *path = folder_config_path(folder);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(folder_config(folder), "sample_size");
    if (item == NULL || cJSON_IsNull(item)) {
        path = "denoised.json";
        item = folder_sample_size(folder);
    }
    if (item == NULL || cJSON_IsNull(item))
        return error_set(error, ERROR_BAD_MODEL,
                         "sample_size is null in %s: say what size it was trained at in "
                         "denoised.json, {\"sample_size\":32}",
                         folder_config_path(folder));
    if (!read_sides(item, config))
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: sample_size must be an integer or two, height and width, in 1..%d",
                         path, SIDE_MAX);
    size_t step = (size_t)1 << (config->blocks - 1);
    if (config->height % step != 0 || config->width % step != 0)
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: sample_size %zux%zu must be divisible by %zu: %zu blocks halve it "
                         "%zu times",
                         path, config->height, config->width, step, config->blocks,
                         config->blocks - 1);
    return true;
}

static bool read_channels(const struct folder *folder, struct unet2d_config *config,
                          struct error *error)
{
    static const size_t DEFAULT[] = {224, 448, 672, 896};
    const cJSON *list =
        cJSON_GetObjectItemCaseSensitive(folder_config(folder), "block_out_channels");
    if (list == NULL) {
        config->blocks = sizeof DEFAULT / sizeof DEFAULT[0];
        memcpy(config->channels, DEFAULT, sizeof DEFAULT);
        return true;
    }
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (count < 1 || count > UNET2D_BLOCKS_MAX)
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: block_out_channels must be a list of 1..%d integers",
                         folder_config_path(folder), UNET2D_BLOCKS_MAX);
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        double number = cJSON_IsNumber(item) ? item->valuedouble : 0;
        if (!(number >= 1 && number <= CHANNELS_MAX) || number != (double)(size_t)number)
            return error_set(error, ERROR_BAD_MODEL,
                             "%s: block_out_channels must be integers in 1..%ld",
                             folder_config_path(folder), CHANNELS_MAX);
        config->channels[config->blocks++] = (size_t)number;
    }
    return true;
}

/* --- blocks ----------------------------------------------------------------------------------- */

enum sampler_choice { SAMPLER_CONV, SAMPLER_RESNET, SAMPLER_AS_CONFIGURED };

struct block_type {
    const char *name;
    bool attention, skip;
    enum sampler_choice sampler;
};

enum { BLOCK_TYPES = 5 };

struct block_side {
    const char *key, *sampler_key;
    const char *defaults[4];
    struct block_type types[BLOCK_TYPES];
};

static const struct block_side DOWN = {
    "down_block_types",
    "downsample_type",
    {"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"},
    {{"DownBlock2D", false, false, SAMPLER_CONV},
     {"AttnDownBlock2D", true, false, SAMPLER_AS_CONFIGURED},
     {"ResnetDownsampleBlock2D", false, false, SAMPLER_RESNET},
     {"SkipDownBlock2D", false, true, SAMPLER_RESNET},
     {"AttnSkipDownBlock2D", true, true, SAMPLER_RESNET}},
};

static const struct block_side UP = {
    "up_block_types",
    "upsample_type",
    {"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"},
    {{"UpBlock2D", false, false, SAMPLER_CONV},
     {"AttnUpBlock2D", true, false, SAMPLER_AS_CONFIGURED},
     {"ResnetUpsampleBlock2D", false, false, SAMPLER_RESNET},
     {"SkipUpBlock2D", false, true, SAMPLER_RESNET},
     {"AttnSkipUpBlock2D", true, true, SAMPLER_RESNET}},
};

static bool refuse_block(const struct folder *folder, const struct block_side *side,
                         const char *name, struct error *error)
{
    const struct block_type *types = side->types;
    return error_set(error, ERROR_BAD_MODEL,
                     "%s: %s: %.60s is not a block of a pixel-space UNet2DModel that is served "
                     "(%s, %s, %s, %s and %s are)",
                     folder_config_path(folder), side->key, name, types[0].name, types[1].name,
                     types[2].name, types[3].name, types[4].name);
}

static bool find_block(const struct folder *folder, const struct block_side *side, const char *name,
                       struct unet2d_block *block, struct error *error)
{
    static const char ALIAS[] = "UNetRes";
    const char *plain = name;
    if (strncmp(name, ALIAS, sizeof ALIAS - 1) == 0)
        plain = name + sizeof ALIAS - 1;
    for (size_t i = 0; i < BLOCK_TYPES; i++) {
        const struct block_type *type = &side->types[i];
        if (strcmp(type->name, plain) != 0)
            continue;
        block->attention = type->attention;
        block->skip = type->skip;
        if (type->sampler == SAMPLER_RESNET)
            block->resnet_sampler = true;
        else if (type->sampler == SAMPLER_CONV)
            block->resnet_sampler = false;
        return true;
    }
    return refuse_block(folder, side, plain, error);
}

/* What Attn blocks do; null is conv. */
static bool read_sampler(const struct folder *folder, const char *key, bool *resnet,
                         struct error *error)
{
    const char *text;
    if (!config_string(folder, key, "conv", &text, error))
        return false;
    *resnet = text != NULL && strcmp(text, "resnet") == 0;
    if (text == NULL || *resnet || strcmp(text, "conv") == 0)
        return true;
    return error_set(error, ERROR_BAD_MODEL, "%s: %s must be \"conv\" or \"resnet\", got \"%.60s\"",
                     folder_config_path(folder), key, text);
}

static bool read_blocks(const struct folder *folder, const struct block_side *side,
                        struct unet2d_config *config, struct unet2d_block *blocks,
                        struct error *error)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(folder_config(folder), side->key);
    int count = list == NULL ? 4 : cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (count < 0 || (size_t)count != config->blocks)
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: %s must be a list as long as block_out_channels: %zu",
                         folder_config_path(folder), side->key, config->blocks);
    bool resnet;
    if (!read_sampler(folder, side->sampler_key, &resnet, error))
        return false;
    for (int i = 0; i < count; i++) {
        const char *name =
            list == NULL ? side->defaults[i] : cJSON_GetStringValue(cJSON_GetArrayItem(list, i));
        if (name == NULL)
            return error_set(error, ERROR_BAD_MODEL, "%s: %s must be a list of strings",
                             folder_config_path(folder), side->key);
        blocks[i].resnet_sampler = resnet;
        if (!find_block(folder, side, name, &blocks[i], error))
            return false;
    }
    return true;
}

/* --- the image beside the path of Skip blocks -------------------------------------------------
 * Their convolutions have three channels, and what they add to must have the image's size: blocks
 * of other kinds do not resample it. The last down block and the last up block have no such
 * convolution. Refused is what diffusers cannot run. */

static bool check_skip_down(const struct folder *folder, const struct unet2d_config *config,
                            struct error *error)
{
    bool others = false;
    for (size_t i = 0; i + 1 < config->blocks; i++) {
        if (config->down[i].skip && config->in_channels != SKIP_CHANNELS)
            return error_set(error, ERROR_BAD_MODEL,
                             "%s: in_channels must be %d with Skip blocks in down_block_types, got "
                             "%zu",
                             folder_config_path(folder), SKIP_CHANNELS, config->in_channels);
        if (config->down[i].skip && others)
            return refuse(folder, error,
                          "down_block_types: a Skip block that is not the last must follow Skip "
                          "blocks only: others do not halve the image beside the path");
        others = others || !config->down[i].skip;
    }
    return true;
}

static bool check_skip_up(const struct folder *folder, const struct unet2d_config *config,
                          struct error *error)
{
    bool begun = false;
    for (size_t i = 0; i < config->blocks; i++) {
        if (begun && !config->up[i].skip)
            return refuse(folder, error,
                          "up_block_types: after a Skip block all must be Skip blocks: others do "
                          "not enlarge the image beside the path");
        begun = begun || (config->up[i].skip && i + 1 < config->blocks);
    }
    if (begun && config->out_channels != SKIP_CHANNELS)
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: out_channels must be %d with Skip blocks in up_block_types, got %zu",
                         folder_config_path(folder), SKIP_CHANNELS, config->out_channels);
    return true;
}

/* --- embeddings ------------------------------------------------------------------------------- */

static bool read_time(const struct folder *folder, struct unet2d_config *config,
                      struct error *error)
{
    static const char *const KINDS[] = {"positional", "learned", "fourier", NULL};
    static const enum time_kind KIND[] = {TIME_POSITIONAL, TIME_LEARNED, TIME_FOURIER};
    size_t kind = 0;
    if (!read_choice(folder, "time_embedding_type", KINDS, &kind, error) ||
        !read_size_or_null(folder, "time_embedding_dim", 4 * CHANNELS_MAX, 0, &config->time_dim,
                           error) ||
        !read_size_or_null(folder, "num_train_timesteps", 1000000, 0, &config->time_rows, error) ||
        !config_number(folder, "freq_shift", -1e6, 1e6, 0, &config->freq_shift, error) ||
        !config_bool(folder, "flip_sin_to_cos", true, &config->flip_sin_to_cos, error))
        return false;
    config->time_kind = KIND[kind];
    if (config->time_dim == 0)
        config->time_dim = 4 * config->channels[0];
    if (config->time_kind == TIME_LEARNED && config->time_rows == 0)
        return refuse(folder, error,
                      "num_train_timesteps is needed where time_embedding_type is \"learned\"");
    size_t half = config->channels[0] / 2;
    if (config->time_kind == TIME_POSITIONAL && (double)half == config->freq_shift)
        return refuse(folder, error, "freq_shift must not be half of block_out_channels[0]");
    return true;
}

static bool read_class(const struct folder *folder, struct unet2d_config *config,
                       struct error *error)
{
    const char *type;
    if (!config_string(folder, "class_embed_type", NULL, &type, error) ||
        !read_size_or_null(folder, "num_class_embeds", 1 << 24, 0, &config->class_count, error))
        return false;
    if (type == NULL)
        config->class_kind = config->class_count > 0 ? CLASS_TABLE : CLASS_NONE;
    else if (strcmp(type, "timestep") == 0)
        config->class_kind = CLASS_TIMESTEP;
    else if (strcmp(type, "identity") == 0)
        config->class_kind = CLASS_IDENTITY;
    else
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: class_embed_type must be null, \"timestep\" or \"identity\", got "
                         "\"%.60s\"",
                         folder_config_path(folder), type);
    return true;
}

/* --- norms and the rest ----------------------------------------------------------------------- */

static bool read_activation(const struct folder *folder, struct unet2d_config *config,
                            struct error *error)
{
    static const char *const NAMES[] = {"silu", "swish", "mish", "gelu", "relu", NULL};
    size_t index = 0;
    return read_choice(folder, "act_fn", NAMES, &index, error) &&
           activation_find(NAMES[index], &config->activation);
}

size_t unet2d_skip_groups(size_t channels)
{
    return channels / 4 < 32 ? channels / 4 : 32;
}

static bool only_skip_blocks(const struct unet2d_config *config)
{
    for (size_t i = 0; i < config->blocks; i++)
        if (!config->down[i].skip || !config->up[i].skip)
            return false;
    return true;
}

static bool read_norms(const struct folder *folder, struct unet2d_config *config,
                       struct error *error)
{
    static const char *const MODES[] = {"default", "scale_shift", NULL};
    size_t mode = 0;
    if (!read_size_or_null(folder, "norm_num_groups", CHANNELS_MAX, 32, &config->groups, error) ||
        !read_size_or_null(folder, "attn_norm_num_groups", CHANNELS_MAX, 0, &config->mid_groups,
                           error) ||
        !config_number(folder, "norm_eps", 1e-12, 1, 1e-5, &config->epsilon, error) ||
        !read_choice(folder, "resnet_time_scale_shift", MODES, &mode, error))
        return false;
    if (config->groups == 0 && !only_skip_blocks(config))
        return refuse(folder, error,
                      "norm_num_groups may be null only where all blocks are Skip blocks");
    config->scale_shift = mode == 1;
    if (config->mid_groups == 0 && !config->scale_shift)
        config->mid_groups = config->groups > 0
                                 ? config->groups
                                 : unet2d_skip_groups(config->channels[config->blocks - 1]);
    return true;
}

static bool read_mid(const struct folder *folder, struct unet2d_config *config, struct error *error)
{
    const char *type;
    if (!config_string(folder, "mid_block_type", "UNetMidBlock2D", &type, error) ||
        !config_bool(folder, "add_attention", true, &config->mid_attention, error) ||
        !config_number(folder, "mid_block_scale_factor", 1e-6, 1e6, 1, &config->mid_scale, error))
        return false;
    config->has_mid = type != NULL;
    return true;
}

static bool uses_heads(const struct unet2d_config *config, size_t resolution)
{
    return config->down[resolution].attention ||
           config->up[config->blocks - 1 - resolution].attention ||
           (resolution == config->blocks - 1 && config->has_mid && config->mid_attention);
}

static bool read_heads(const struct folder *folder, struct unet2d_config *config,
                       struct error *error)
{
    if (!read_size_or_null(folder, "attention_head_dim", CHANNELS_MAX, 8, &config->head_dim, error))
        return false;
    for (size_t i = 0; i < config->blocks; i++)
        if (uses_heads(config, i) && config->head_dim > config->channels[i])
            return error_set(error, ERROR_BAD_MODEL,
                             "%s: attention_head_dim %zu is more than the %zu channels of a block",
                             folder_config_path(folder), config->head_dim, config->channels[i]);
    return true;
}

static bool read_channels_in_out(const struct folder *folder, struct unet2d_config *config,
                                 struct error *error)
{
    if (!read_size(folder, "in_channels", 1, CHANNELS_MAX, 3, &config->in_channels, error) ||
        !read_size(folder, "out_channels", 1, 2 * CHANNELS_MAX, 3, &config->out_channels, error))
        return false;
    if (config->out_channels != config->in_channels &&
        config->out_channels != 2 * config->in_channels)
        return error_set(error, ERROR_BAD_MODEL,
                         "%s: out_channels %zu must be in_channels (%zu), or twice that where a "
                         "variance is learned",
                         folder_config_path(folder), config->out_channels, config->in_channels);
    return true;
}

static const char *const KEYS[] = {
    "sample_size",
    "in_channels",
    "out_channels",
    "center_input_sample",
    "time_embedding_type",
    "time_embedding_dim",
    "freq_shift",
    "flip_sin_to_cos",
    "down_block_types",
    "mid_block_type",
    "up_block_types",
    "block_out_channels",
    "layers_per_block",
    "downsample_padding",
    "mid_block_scale_factor",
    "downsample_type",
    "upsample_type",
    "dropout",
    "act_fn",
    "attention_head_dim",
    "norm_num_groups",
    "attn_norm_num_groups",
    "norm_eps",
    "resnet_time_scale_shift",
    "add_attention",
    "class_embed_type",
    "num_class_embeds",
    "num_train_timesteps",
    NULL,
};

bool unet2d_config_read(struct folder *folder, struct unet2d_config *config, struct error *error)
{
    *config = (struct unet2d_config){0};
    config_warn_other_keys(folder, KEYS);
    return read_channels(folder, config, error) &&
           read_blocks(folder, &DOWN, config, config->down, error) &&
           read_blocks(folder, &UP, config, config->up, error) &&
           read_sample_size(folder, config, error) && read_channels_in_out(folder, config, error) &&
           check_skip_down(folder, config, error) && check_skip_up(folder, config, error) &&
           config_bool(folder, "center_input_sample", false, &config->center_input_sample, error) &&
           read_size(folder, "layers_per_block", 1, UNET2D_LAYERS_MAX, 2, &config->layers, error) &&
           read_size(folder, "downsample_padding", 0, 1, 1, &config->downsample_padding, error) &&
           read_time(folder, config, error) && read_class(folder, config, error) &&
           read_activation(folder, config, error) && read_norms(folder, config, error) &&
           read_mid(folder, config, error) && read_heads(folder, config, error);
}
