/* Whole folders through model_open: loaded with their defaults, or refused by name. */
#include "tests/support/test.h"

#include "core/diffusion/sampler.h"
#include "core/model/model.h"
#include "tests/support/folder.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scratch scratch;

static struct model *open_named(const char *name, struct error *error)
{
    return model_open(scratch_path(&scratch, name), backend_find("portable"), error);
}

static struct model *opened(const char *name)
{
    struct error error;
    struct model *model = open_named(name, &error);

    if (!model)
        fail_msg("%s", error.text);
    return model;
}

static void assert_refused(const char *name, const char *words)
{
    struct error error;

    assert_null(open_named(name, &error));
    assert_int_equal(error.code, ERROR_BAD_MODEL);
    assert_error_says(&error, words);
}

static void a_mixture_is_loaded_without_a_weights_file(void **state)
{
    struct model *model;

    (void)state;
    scratch_mixture(&scratch, "two");
    scratch_text(&scratch, "two/scheduler/scheduler_config.json",
                 "{\"_class_name\":\"DDPMScheduler\",\"clip_sample\":false}");
    model = opened("two");
    assert_string_equal(model->name, "two");
    assert_string_equal(model->digest,
                        "b72fcf79fd61e0ccb80963a14043300acfdd942915a0eb6a9c336918e39bd347");
    assert_string_equal(model->family->name, "GaussianMixture");
    assert_true(model->shape.is_points);
    assert_int_equal(model->shape.dim, 2);
    assert_int_equal(model->shape.output_dim, 2);
    assert_false(model->class_input.has_classes);
    assert_string_equal(model_default_sampler(model), "ddpm");
    assert_int_equal(model_default_steps(model), 50);
    assert_int_equal(model->warning_count, 0);
    assert_true(model->load_seconds > 0.0);
    model_close(model);
}

static void points_are_loaded_with_their_card(void **state)
{
    struct model *model;

    (void)state;
    scratch_points(&scratch, "points");
    scratch_text(&scratch, "points/denoised.json",
                 "{\"title\":\"P\",\"classes\":[\"a\",\"b\"],\"null_class\":2,"
                 "\"default\":{\"sampler\":\"ddim\",\"guidance\":2}}");
    model = opened("points");
    assert_int_equal(model->class_input.count, 3);
    assert_int_equal(model->class_input.null_label, 2);
    assert_string_equal(model->class_input.names[1], "b");
    assert_string_equal(model_default_sampler(model), "ddim");
    assert_int_equal(model_default_steps(model), 50);
    assert_true(model->card.default_guidance == 2.0);
    model_close(model);
}

static void an_image_model_is_loaded(void **state)
{
    struct model *model;

    (void)state;
    scratch_image(&scratch, "image");
    model = opened("image");
    assert_false(model->shape.is_points);
    assert_int_equal(model->shape.height, 8);
    assert_int_equal(model->shape.width, 8);
    assert_int_equal(model->shape.channels, 1);
    assert_int_equal(model->shape.dim, 64);
    assert_true(model->weight_bytes > 0);
    model_close(model);
}

static void a_picture_too_large_for_the_machine_is_refused(void **state)
{
    (void)state;
    scratch_image(&scratch, "image");
    scratch_text(&scratch, "image/unet/config.json",
                 "{\"_class_name\":\"UNet2DModel\",\"sample_size\":4096,\"in_channels\":65536,"
                 "\"out_channels\":65536,\"block_out_channels\":[4],\"layers_per_block\":1,"
                 "\"down_block_types\":[\"DownBlock2D\"],\"up_block_types\":[\"UpBlock2D\"],"
                 "\"mid_block_type\":null,\"norm_num_groups\":2,\"attention_head_dim\":2}");
    assert_refused("image", "unet/config.json: sample_size 4096x4096|MiB of working memory");
}

/* diffusers' IndexError, where a label is embedded as a time and times are rows of a table. */
static void labels_embedded_as_times_end_with_the_table_of_times(void **state)
{
    static const char *const more[] = {
        "time_proj.weight:7,4", "class_embedding.linear_1.weight:16,4",
        "class_embedding.linear_1.bias:16", "class_embedding.linear_2.weight:16,16",
        "class_embedding.linear_2.bias:16"};
    const char *tensors[64] = {0};
    struct model *model;
    size_t count = 0;

    (void)state;
    for (; scratch_image_tensors[count] != NULL; count++)
        tensors[count] = scratch_image_tensors[count];
    memcpy(tensors + count, more, sizeof(more));
    scratch_image(&scratch, "image");
    scratch_weights(&scratch, "image/unet/diffusion_pytorch_model.safetensors", tensors);
    scratch_text(&scratch, "image/unet/config.json",
                 "{\"_class_name\":\"UNet2DModel\",\"sample_size\":8,\"in_channels\":1,"
                 "\"out_channels\":1,\"block_out_channels\":[4],\"layers_per_block\":1,"
                 "\"down_block_types\":[\"DownBlock2D\"],\"up_block_types\":[\"UpBlock2D\"],"
                 "\"mid_block_type\":null,\"norm_num_groups\":2,\"attention_head_dim\":2,"
                 "\"time_embedding_type\":\"learned\",\"num_train_timesteps\":7,"
                 "\"class_embed_type\":\"timestep\"}");
    model = opened("image");
    assert_int_equal(model->class_input.count, 7);
    model_close(model);
}

static void few_timesteps_are_the_default_steps(void **state)
{
    struct model *model;

    (void)state;
    scratch_mixture(&scratch, "m");
    scratch_text(&scratch, "m/scheduler/scheduler_config.json",
                 "{\"_class_name\":\"DDIMScheduler\",\"num_train_timesteps\":7,"
                 "\"clip_sample\":false}");
    model = opened("m");
    assert_string_equal(model_default_sampler(model), "ddim");
    assert_int_equal(model_default_steps(model), 7);
    model_close(model);
}

static void what_is_doubtful_is_warned_of(void **state)
{
    struct model *model;

    (void)state;
    scratch_points(&scratch, "m");
    scratch_text(&scratch, "m/scheduler/scheduler_config.json", "{}");
    model = opened("m");
    assert_int_equal(model->warning_count, 1);
    assert_non_null(strstr(model->warnings[0], "clip_sample is absent"));
    model_close(model);
    scratch_remove(&scratch, "m/scheduler");
    model = opened("m");
    assert_int_equal(model->warning_count, 2);
    assert_non_null(strstr(model->warnings[0], "scheduler_config.json: is missing"));
    model_close(model);
    scratch_remove(&scratch, "m");
    scratch_image(&scratch, "m");
    scratch_text(&scratch, "m/scheduler/scheduler_config.json", "{}");
    model = opened("m");
    assert_int_equal(model->warning_count, 0);
    model_close(model);
}

#define TOO_LONG "a2345678901234567890123456789012345678901234567890123456789012345"

static void a_folder_needs_a_good_name(void **state)
{
    static const char *const bad[] = {"_m", ".m", "a b", "a\nb", "\xc3\xa4", TOO_LONG};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        scratch_mixture(&scratch, bad[i]);
        assert_refused(bad[i], "folder's name");
    }
    scratch_mixture(&scratch, "A.b_c-1");
    model_close(opened("A.b_c-1"));
    model_close(opened("A.b_c-1///"));
    model_close(opened("A.b_c-1/."));
}

static const struct {
    void (*make)(const struct scratch *scratch, const char *name);
    const char *file, *text, *words;
} broken[] = {
    {scratch_mixture, "m/model/config.json", "{\"_class_name\":\"UNet3D\"}", "model_index.json"},
    {scratch_mixture, "m/model_index.json", "{\"model\":[\"denoised\",\"Flow\"]}",
     "model/config.json|GaussianMixture|Flow"},
    {scratch_mixture, "m/scheduler/scheduler_config.json", "{\"_class_name\":\"IPNDMScheduler\"}",
     "scheduler/scheduler_config.json|IPNDMScheduler|unknown"},
    {scratch_mixture, "m/scheduler/scheduler_config.json", "{\"variance_type\":\"learned\"}",
     "scheduler/scheduler_config.json|variance_type|learned"},
    {scratch_mixture, "m/scheduler/scheduler_config.json", "{\"rescale_betas_zero_snr\":true}",
     "scheduler/scheduler_config.json|epsilon"},
    {scratch_mixture, "m/denoised.json", "{\"classes\":[\"a\"]}", "denoised.json|classes"},
    {scratch_mixture, "m/denoised.json", "{\"sample_size\":8}", "denoised.json|sample_size"},
    {scratch_image, "m/unet/config.json", "{\"sample_size\":null}", "unet/config.json|sample_size"},
    {scratch_image, "m/denoised.json", "{\"sample_size\":8}", "denoised.json|sample_size"},
    {scratch_image, "m/unet/diffusion_pytorch_model.safetensors", "", "0 bytes"},
};

static void each_broken_folder_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        scratch_remove(&scratch, "m");
        broken[i].make(&scratch, "m");
        scratch_text(&scratch, broken[i].file, broken[i].text);
        assert_refused("m", broken[i].words);
    }
}

static void an_unknown_family_is_named(void **state)
{
    (void)state;
    scratch_text(&scratch, "m/config.json", "{\"_class_name\":\"UNet2DConditionModel\"}");
    assert_refused("m", "config.json|UNet2DConditionModel|UNet2DModel");
}

/* Sets `key` of a JSON file to `value`; "" takes it out. */
static void change_key(const char *file, const char *key, const char *value)
{
    static char text[16384];
    FILE *stream = fopen(scratch_path(&scratch, file), "rb");
    cJSON *json;
    char *printed;

    assert_non_null(stream);
    text[fread(text, 1, sizeof(text) - 1, stream)] = '\0';
    fclose(stream);
    json = cJSON_Parse(text);
    assert_non_null(json);
    cJSON_DeleteItemFromObjectCaseSensitive(json, key);
    if (value[0])
        assert_true(cJSON_AddItemToObject(json, key, cJSON_Parse(value)));
    printed = cJSON_PrintUnformatted(json);
    scratch_text(&scratch, file, printed);
    cJSON_free(printed);
    cJSON_Delete(json);
}

/* Each value of the list, parted by '|', is refused for its key, in a message that names both the
 * file and the key. */
struct bad_key {
    const char *key, *values;
};

static const struct bad_key bad_points[] = {
    {"data_dim", "-1|0|1e15|\"x\"|null|[2]|{}|1.5|"},
    {"hidden_dims", "-1|[]|[0]|[-1]|[1000000000]|[\"5\"]|null|{}|"},
    {"time_embedding", "\"x\"|null|7|[]|"},
    {"time_embedding_dim", "-2|0|3|1000000000|\"4\"|null|"},
    {"act_fn", "\"swish9\"|null|7|"},
    {"num_class_embeds", "-1|0|1000000000|\"3\"|[]"},
    {"extra", "1"},
};

static const struct bad_key bad_images[] = {
    {"sample_size", "-1|0|1000000000|\"8\"|[8]|[8,0]|[8,8,8]|{}|8.5"},
    {"in_channels", "-1|0|1000000000|\"1\"|null"},
    {"out_channels", "-1|0|3|1000000000|\"1\"|null"},
    {"center_input_sample", "1|\"x\""},
    {"time_embedding_type", "\"x\"|null|7"},
    {"time_embedding_dim", "-1|0|1000000000|\"x\""},
    {"freq_shift", "\"x\"|null|1e9"},
    {"flip_sin_to_cos", "1"},
    {"down_block_types", "[]|[\"SkipUpBlock2D\"]|[\"CrossAttnDownBlock2D\"]|[7]|\"x\"|null"},
    {"up_block_types", "[]|[\"SkipDownBlock2D\"]|[\"KUpBlock2D\"]|[7]|{}|null"},
    {"block_out_channels", "[]|[0]|[-4]|[1000000000]|[\"4\"]|null|4"},
    {"layers_per_block", "-1|0|1000000000|\"1\"|null|1.5"},
    {"downsample_padding", "-1|2|null"},
    {"mid_block_scale_factor", "0|-1|null|\"x\""},
    {"act_fn", "\"x\"|7|null"},
    {"attention_head_dim", "-1|0|1000000000|\"x\""},
    {"norm_num_groups", "-1|0|3|1000000000|\"x\"|null"},
    {"norm_eps", "0|-1|\"x\"|null"},
    {"resnet_time_scale_shift", "\"x\"|null|7"},
    {"class_embed_type", "\"x\"|7"},
    {"num_class_embeds", "-1|0|1000000000|\"x\""},
};

static void assert_keys_are_checked(const struct bad_key *bad, size_t count, const char *file,
                                    void (*make)(const struct scratch *scratch, const char *name))
{
    char path[64];

    snprintf(path, sizeof(path), "m/%s", file);
    for (size_t i = 0; i < count; i++) {
        char copy[256], words[128], *rest = copy;

        snprintf(copy, sizeof(copy), "%s", bad[i].values);
        for (const char *value; (value = strsep(&rest, "|"));) {
            make(&scratch, "m");
            change_key(path, bad[i].key, value);
            snprintf(words, sizeof(words), "%s|%s", file, bad[i].key);
            assert_refused("m", words);
        }
    }
}

static void each_key_of_points_is_checked(void **state)
{
    (void)state;
    assert_keys_are_checked(bad_points, sizeof(bad_points) / sizeof(bad_points[0]),
                            "model/config.json", scratch_points);
}

static void each_key_of_an_image_model_is_checked(void **state)
{
    (void)state;
    assert_keys_are_checked(bad_images, sizeof(bad_images) / sizeof(bad_images[0]),
                            "unet/config.json", scratch_image);
}

static void flips_of_bits_in_weights_load_or_are_refused(void **state)
{
    static const char path[] = "m/model/diffusion_pytorch_model.safetensors";
    unsigned char good[8192], bytes[8192];
    uint64_t random = 7;
    size_t size, loaded = 0;
    FILE *file;

    (void)state;
    scratch_points(&scratch, "m");
    file = fopen(scratch_path(&scratch, path), "rb");
    assert_non_null(file);
    size = fread(good, 1, sizeof(good), file);
    fclose(file);
    for (int i = 0; i < 300; i++) {
        struct error error;
        struct model *model;

        memcpy(bytes, good, size);
        random = random * 6364136223846793005u + 1442695040888963407u;
        bytes[(random >> 33) % size] ^= (unsigned char)(1u << (random >> 30 & 7));
        scratch_write(&scratch, path, bytes, size);
        model = open_named("m", &error);
        loaded += model != NULL;
        assert_true(model || error.code == ERROR_BAD_MODEL);
        model_close(model);
    }
    assert_in_range(loaded, 30, 270);
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

#define model_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        model_test(a_mixture_is_loaded_without_a_weights_file),
        model_test(points_are_loaded_with_their_card),
        model_test(an_image_model_is_loaded),
        model_test(a_picture_too_large_for_the_machine_is_refused),
        model_test(labels_embedded_as_times_end_with_the_table_of_times),
        model_test(few_timesteps_are_the_default_steps),
        model_test(what_is_doubtful_is_warned_of),
        model_test(a_folder_needs_a_good_name),
        model_test(each_broken_folder_is_refused_by_name),
        model_test(an_unknown_family_is_named),
        model_test(each_key_of_points_is_checked),
        model_test(each_key_of_an_image_model_is_checked),
        model_test(flips_of_bits_in_weights_load_or_are_refused),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
