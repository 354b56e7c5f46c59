/* Configurations of UNet2DModel: the published ones give the published sizes, broken ones are
 * refused by file and key. No weights are needed for either. */
#include "tests/support/test.h"

#include "core/model/folder_open.h"
#include "core/model/unet2d.h"
#include "core/nn/backend.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scratch scratch;

/* Reads and builds what stands in the folder "m". */
static bool build(struct unet2d *unet, struct error *error)
{
    struct folder *folder = folder_open(scratch_path(&scratch, "m"), error);
    bool good =
        folder != NULL && unet2d_config_read(folder, &unet->config, error) &&
        unet2d_build(unet, backend_find("portable")->kernels, folder_config_path(folder), error);
    folder_close(folder);
    return good;
}

/* --- published sizes (Ho et al. 2020 and the files on the hub) -------------------------------- */

struct published {
    const char *config;
    size_t parameters, tensors;
};

#define D  "\"DownBlock2D\""
#define A  "\"AttnDownBlock2D\""
#define U  "\"UpBlock2D\""
#define B  "\"AttnUpBlock2D\""
#define R  "\"ResnetDownsampleBlock2D\""
#define S  "\"ResnetUpsampleBlock2D\""
#define SD "\"SkipDownBlock2D\""
#define BD "\"AttnSkipDownBlock2D\""
#define SU "\"SkipUpBlock2D\""
#define BU "\"AttnSkipUpBlock2D\""
#define LEGACY                                                                                     \
    "\"attention_head_dim\":null,\"downsample_padding\":0,\"flip_sin_to_cos\":false,"              \
    "\"freq_shift\":1,\"norm_eps\":1e-6,"

static const struct published PUBLISHED[] = {
    {LEGACY "\"sample_size\":32,\"block_out_channels\":[128,256,256,256],"
            "\"down_block_types\":[" D "," A "," D "," D "],"
            "\"up_block_types\":[" U "," U "," B "," U "]",
     35746307, 328},
    {LEGACY "\"sample_size\":256,\"block_out_channels\":[128,128,256,256,512,512],"
            "\"down_block_types\":[" D "," D "," D "," D "," A "," D "],"
            "\"up_block_types\":[" U "," B "," U "," U "," U "," U "]",
     113673219, 450},
    {"\"sample_size\":32,\"block_out_channels\":[64,128,128,256],"
     "\"down_block_types\":[" D "," D "," A "," A "],"
     "\"up_block_types\":[" B "," B "," U "," U "]",
     18536323, 380},
    {"\"sample_size\":28,\"in_channels\":1,\"out_channels\":1,\"block_out_channels\":[32,64,64],"
     "\"down_block_types\":[" D "," A "," A "],\"up_block_types\":[" B "," B "," U "]",
     1707009, 318},
    {"\"sample_size\":64,\"block_out_channels\":[192,384,576,768],\"layers_per_block\":3,"
     "\"down_block_types\":[" R "," A "," A "," A "],\"up_block_types\":[" B "," B "," B "," S "],"
     "\"downsample_type\":\"resnet\",\"upsample_type\":\"resnet\","
     "\"resnet_time_scale_shift\":\"scale_shift\",\"num_class_embeds\":1000,"
     "\"attention_head_dim\":64,\"attn_norm_num_groups\":32",
     295899267, 629},
    {"\"sample_size\":256,\"block_out_channels\":[256,256,512,512,1024,1024],"
     "\"down_block_types\":[" R "," R "," R "," A "," A "," A "],"
     "\"up_block_types\":[" B "," B "," B "," S "," S "," S "],"
     "\"downsample_type\":\"resnet\",\"upsample_type\":\"resnet\",\"attention_head_dim\":64",
     526304771, 630},
    {"\"sample_size\":32", 274056163, 432},
    {"\"sample_size\":256,\"block_out_channels\":[128,128,256,256,256,256,256],"
     "\"down_block_types\":[" SD "," SD "," SD "," SD "," BD "," SD "," SD "],"
     "\"up_block_types\":[" SU "," SU "," BU "," SU "," SU "," SU "," SU "],"
     "\"time_embedding_type\":\"fourier\",\"norm_eps\":1e-6,\"norm_num_groups\":null,"
     "\"mid_block_scale_factor\":1.4142135623730951,\"center_input_sample\":true,"
     "\"attention_head_dim\":null",
     65574549, 645},
};

static size_t parameters(const struct tensor_list *list)
{
    size_t sum = 0;
    for (size_t i = 0; i < list->tensor_count; i++) {
        size_t count = 1;
        for (size_t k = 0; k < list->tensors[i].shape.rank; k++)
            count *= list->tensors[i].shape.size[k];
        sum += count;
    }
    return sum;
}

static void published_configurations_have_the_published_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof PUBLISHED / sizeof *PUBLISHED; i++) {
        char config[1000];
        struct unet2d unet = {0};
        struct error error;
        snprintf(config, sizeof config, "{\"_class_name\":\"UNet2DModel\",%s}",
                 PUBLISHED[i].config);
        scratch_text(&scratch, "m/config.json", config);
        if (!build(&unet, &error))
            fail_msg("%s", error.text);
        assert_int_equal(parameters(&unet.tensors), PUBLISHED[i].parameters);
        assert_int_equal(unet.tensors.tensor_count, PUBLISHED[i].tensors);
        unet2d_finish(&unet);
    }
}

/* --- one key changed -------------------------------------------------------------------------- */

static const char *const BASE[][2] = {
    {"sample_size", "[8,12]"},
    {"in_channels", "3"},
    {"out_channels", "3"},
    {"block_out_channels", "[8,16,24]"},
    {"down_block_types", "[" D "," A "," R "]"},
    {"up_block_types", "[" B "," U "," S "]"},
    {"layers_per_block", "1"},
    {"norm_num_groups", "4"},
    {"attention_head_dim", "8"},
};

static void write_changed(const char *key, const char *value)
{
    char config[2000] = "{\"_class_name\":\"UNet2DModel\"";
    size_t used = strlen(config);
    for (size_t i = 0; i < sizeof BASE / sizeof *BASE; i++)
        if (strcmp(BASE[i][0], key) != 0)
            used += (size_t)snprintf(config + used, sizeof config - used, ",\"%s\":%s", BASE[i][0],
                                     BASE[i][1]);
    if (value != NULL)
        used += (size_t)snprintf(config + used, sizeof config - used, ",\"%s\":%s", key, value);
    snprintf(config + used, sizeof config - used, "}");
    scratch_text(&scratch, "m/config.json", config);
}

struct change {
    const char *key, *value, *words; /* words NULL: it is good */
};

static const struct change CHANGES[] = {
    {"dropout", "0.1", NULL},
    {"in_channels", NULL, NULL}, /* absent: 3 */
    {"out_channels", "6", NULL},
    {"out_channels", "4", "out_channels|in_channels|twice"},
    {"out_channels", "0", "out_channels"},
    {"in_channels", "65537", "in_channels"},
    {"in_channels", "\"3\"", "in_channels"},
    {"sample_size", "8", NULL},
    {"sample_size", "null",
     "sample_size is null in config.json: say what size it was trained at in denoised.json, "
     "{\"sample_size\":32}"},
    {"sample_size", NULL, "sample_size|denoised.json"},
    {"sample_size", "10", "sample_size|divisible by 4"},
    {"sample_size", "[8,10]", "sample_size|8x10"},
    {"sample_size", "[8]", "sample_size"},
    {"sample_size", "[8,8,8]", "sample_size"},
    {"sample_size", "8.5", "sample_size"},
    {"sample_size", "1e9", "sample_size"},
    {"sample_size", "true", "sample_size"},
    {"center_input_sample", "true", NULL},
    {"center_input_sample", "1", "center_input_sample"},
    {"time_embedding_type", "\"fourier\"", NULL},
    {"time_embedding_type", "\"learned\"", "num_train_timesteps"},
    {"time_embedding_type", "\"clock\"", "time_embedding_type|clock"},
    {"time_embedding_dim", "10", NULL},
    {"time_embedding_dim", "0", "time_embedding_dim"},
    {"freq_shift", "4", "freq_shift"},
    {"freq_shift", "0.5", NULL},
    {"flip_sin_to_cos", "null", NULL},
    {"down_block_types", "[" D "," D "]", "down_block_types|3"},
    {"down_block_types", "[" D "," D ",1]", "down_block_types|strings"},
    {"down_block_types", D, "down_block_types"},
    {"down_block_types", "[" D "," D "," SD "]", NULL},
    {"down_block_types", "[" SD "," SD "," D "]", NULL},
    {"down_block_types", "[" D "," D "," BD "]", "block_out_channels|32|24 channels"},
    {"down_block_types", "[" SD "," D "," SD "]", NULL},
    {"down_block_types", "[" D "," SD "," D "]", "down_block_types|follow Skip blocks only"},
    {"down_block_types", "[" D "," D "," SU "]", "down_block_types|SkipUpBlock2D"},
    {"down_block_types", "[" D "," D ",\"CrossAttnDownBlock2D\"]", "CrossAttnDownBlock2D"},
    {"down_block_types", "[" D "," D ",\"KDownBlock2D\"]", "KDownBlock2D"},
    {"down_block_types", "[" D "," D "," U "]", "down_block_types|UpBlock2D"},
    {"down_block_types", "[" D ",\"UNetResAttnDownBlock2D\",\"UNetResDownBlock2D\"]", NULL},
    {"up_block_types", "[" U "," U "," SU "]", NULL},
    {"up_block_types", "[" U "," SU "," SU "]", NULL},
    {"up_block_types", "[" U "," SU "," U "]", "up_block_types|after a Skip block"},
    {"up_block_types", "[" U "," U "," BU "]", "block_out_channels|groups 18|24 channels"},
    {"up_block_types", "null", "up_block_types"},
    {"mid_block_type", "null", NULL},
    {"mid_block_type", "\"UNetMidBlock2DSimple\"", NULL},
    {"mid_block_type", "3", "mid_block_type"},
    {"block_out_channels", "[8,16]", "block"},
    {"block_out_channels", "[]", "block_out_channels"},
    {"block_out_channels", "[8,16,0]", "block_out_channels"},
    {"block_out_channels", "[8,16,70000]", "block_out_channels"},
    {"block_out_channels", "[8,16,1e300]", "block_out_channels"},
    {"block_out_channels", "[8,16,18]", "norm_num_groups 4|18 channels"},
    {"layers_per_block", "0", "layers_per_block"},
    {"layers_per_block", "65", "layers_per_block"},
    {"mid_block_scale_factor", "1.5", NULL},
    {"mid_block_scale_factor", "0", "mid_block_scale_factor"},
    {"downsample_padding", "2", "downsample_padding"},
    {"downsample_type", "\"resnet\"", NULL},
    {"downsample_type", "\"fir\"", "downsample_type|fir"},
    {"upsample_type", "\"resnet\"", NULL},
    {"upsample_type", "7", "upsample_type"},
    {"act_fn", "\"mish\"", NULL},
    {"act_fn", "\"tanh\"", "act_fn|tanh"},
    {"act_fn", "null", "act_fn|null"},
    {"attention_head_dim", "null", NULL},
    {"attention_head_dim", "5", NULL}, /* 16 channels: 3 heads */
    {"attention_head_dim", "17", "attention_head_dim|17"},
    {"attention_head_dim", "0", "attention_head_dim"},
    {"norm_num_groups", "null", "norm_num_groups|all blocks are Skip"},
    {"norm_num_groups", "3", "norm_num_groups 3|8 channels"},
    {"norm_eps", "0", "norm_eps"},
    {"resnet_time_scale_shift", "\"scale_shift\"", NULL},
    {"resnet_time_scale_shift", "\"spatial\"", "resnet_time_scale_shift|spatial"},
    {"attn_norm_num_groups", "6", NULL},
    {"attn_norm_num_groups", "5", "attn_norm_num_groups 5|mid_block.attentions.0"},
    {"add_attention", "false", NULL},
    {"class_embed_type", "\"timestep\"", NULL},
    {"class_embed_type", "\"identity\"", NULL},
    {"class_embed_type", "\"projection\"", "class_embed_type|projection"},
    {"num_class_embeds", "10", NULL},
    {"num_class_embeds", "-1", "num_class_embeds"},
};

static void each_key_is_taken_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        struct unet2d unet = {0};
        struct error error = {0};
        write_changed(CHANGES[i].key, CHANGES[i].value);
        bool good = build(&unet, &error);
        unet2d_finish(&unet);
        if (CHANGES[i].words == NULL) {
            if (!good)
                fail_msg("%s: %s", CHANGES[i].key, error.text);
            continue;
        }
        if (good)
            fail_msg("%s %s is taken", CHANGES[i].key, CHANGES[i].value);
        assert_int_equal(error.code, ERROR_BAD_MODEL);
        assert_error_says(&error, "config.json");
        assert_error_says(&error, CHANGES[i].words);
    }
}

/* --- Skip blocks: several keys together ------------------------------------------------------- */

#define SKIP_BLOCKS                                                                                \
    "\"down_block_types\":[" SD "," BD "],\"up_block_types\":[" BU "," SU "],\"sample_size\":8,"

struct skip_case {
    const char *config, *words; /* words NULL: it is good */
};

static const struct skip_case SKIP_CASES[] = {
    {SKIP_BLOCKS "\"block_out_channels\":[32,64],\"norm_num_groups\":null", NULL},
    {SKIP_BLOCKS "\"block_out_channels\":[32,64],\"norm_num_groups\":4", NULL},
    {SKIP_BLOCKS "\"block_out_channels\":[32,64],\"norm_num_groups\":5",
     "norm_num_groups 5|64 channels|mid_block.resnets.0"},
    {SKIP_BLOCKS "\"block_out_channels\":[3,32],\"norm_num_groups\":null",
     "block_out_channels|groups 0|3 channels"},
    {SKIP_BLOCKS "\"block_out_channels\":[18,32],\"norm_num_groups\":null",
     "block_out_channels|groups 4|18 channels"},
    {SKIP_BLOCKS "\"block_out_channels\":[8,48],\"norm_num_groups\":null",
     "block_out_channels|groups 32|48 channels"},
    /* 32 + 12 / 4 is more than 32, which does not divide 44 */
    {SKIP_BLOCKS "\"block_out_channels\":[12,32],\"norm_num_groups\":null",
     "block_out_channels|groups 32|44 channels|up_blocks.0.resnets.2.norm1"},
    {SKIP_BLOCKS "\"block_out_channels\":[8,32],\"in_channels\":1,\"out_channels\":1",
     "in_channels must be 3|down_block_types"},
    {SKIP_BLOCKS "\"block_out_channels\":[8,32],\"out_channels\":6",
     "out_channels must be 3|up_block_types"},
    {"\"down_block_types\":[" D "," SD "],\"up_block_types\":[" U "," SU "],\"sample_size\":8,"
     "\"block_out_channels\":[32,32],\"in_channels\":1,\"out_channels\":1",
     NULL}, /* the last blocks have no convolution for the image */
    {"\"down_block_types\":[" SD "],\"up_block_types\":[" BU "],\"sample_size\":1,"
     "\"block_out_channels\":[32],\"norm_num_groups\":null,\"in_channels\":7,\"out_channels\":7",
     NULL},
};

static void skip_blocks_are_taken_where_diffusers_can_run_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SKIP_CASES / sizeof *SKIP_CASES; i++) {
        char config[1000];
        struct unet2d unet = {0};
        struct error error = {0};
        snprintf(config, sizeof config, "{\"_class_name\":\"UNet2DModel\",%s}",
                 SKIP_CASES[i].config);
        scratch_text(&scratch, "m/config.json", config);
        bool good = build(&unet, &error);
        unet2d_finish(&unet);
        if (SKIP_CASES[i].words == NULL) {
            if (!good)
                fail_msg("%s: %s", SKIP_CASES[i].config, error.text);
            continue;
        }
        if (good)
            fail_msg("%s is taken", SKIP_CASES[i].config);
        assert_int_equal(error.code, ERROR_BAD_MODEL);
        assert_error_says(&error, "config.json");
        assert_error_says(&error, SKIP_CASES[i].words);
    }
}

static bool has_tensor(const struct tensor_list *list, const char *name)
{
    for (size_t i = 0; i < list->tensor_count; i++)
        if (strcmp(list->tensors[i].name, name) == 0)
            return true;
    return false;
}

static void skip_blocks_have_the_tensors_of_diffusers(void **state)
{
    (void)state;
    static const char *const PRESENT[] = {"time_proj.weight",
                                          "down_blocks.0.resnet_down.conv_shortcut.weight",
                                          "down_blocks.0.skip_conv.bias",
                                          "down_blocks.1.attentions.1.to_q.weight",
                                          "up_blocks.0.attentions.0.to_q.weight",
                                          "up_blocks.0.resnet_up.conv_shortcut.bias",
                                          "up_blocks.0.skip_norm.weight",
                                          "up_blocks.0.skip_conv.weight"};
    static const char *const ABSENT[] = {
        "time_proj.W", "down_blocks.1.skip_conv.bias", "down_blocks.1.resnet_down.conv1.bias",
        "up_blocks.0.attentions.1.to_q.weight", "up_blocks.1.skip_norm.weight"};
    struct unet2d unet = {0};
    struct error error;
    scratch_text(&scratch, "m/config.json",
                 "{\"_class_name\":\"UNet2DModel\"," SKIP_BLOCKS "\"block_out_channels\":[32,32],"
                 "\"norm_num_groups\":null,\"time_embedding_type\":\"fourier\"}");
    if (!build(&unet, &error))
        fail_msg("%s", error.text);
    for (size_t i = 0; i < sizeof PRESENT / sizeof *PRESENT; i++)
        if (!has_tensor(&unet.tensors, PRESENT[i]))
            fail_msg("%s", PRESENT[i]);
    for (size_t i = 0; i < sizeof ABSENT / sizeof *ABSENT; i++)
        if (has_tensor(&unet.tensors, ABSENT[i]))
            fail_msg("%s", ABSENT[i]);
    unet2d_finish(&unet);
}

static void denoised_json_may_say_the_size(void **state)
{
    (void)state;
    struct unet2d unet = {0};
    struct error error;
    write_changed("sample_size", "null");
    scratch_text(&scratch, "m/denoised.json", "{\"sample_size\":[16,4]}");
    if (!build(&unet, &error))
        fail_msg("%s", error.text);
    assert_int_equal(unet.config.height, 16);
    assert_int_equal(unet.config.width, 4);
    unet2d_finish(&unet);
    scratch_remove(&scratch, "m/denoised.json");
}

static int set_up(void **state)
{
    (void)state;
    scratch_init(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_finish(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_configurations_have_the_published_sizes),
        cmocka_unit_test(each_key_is_taken_or_refused),
        cmocka_unit_test(skip_blocks_are_taken_where_diffusers_can_run_them),
        cmocka_unit_test(skip_blocks_have_the_tensors_of_diffusers),
        cmocka_unit_test(denoised_json_may_say_the_size),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
