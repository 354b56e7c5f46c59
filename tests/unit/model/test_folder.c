/* Layouts, weight files, legacy names and digests of model folders, and what is refused. */
#include "tests/support/test.h"

#include "core/model/folder_open.h"
#include "tests/support/folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEIGHTS "m/unet/diffusion_pytorch_model.safetensors"

static struct scratch scratch;

static struct folder *open_folder(void)
{
    struct error error;
    struct folder *folder = folder_open(scratch_path(&scratch, "m"), &error);

    if (!folder)
        fail_msg("%s", error.text);
    return folder;
}

static bool has_vector(const struct folder *folder, const char *name, size_t count)
{
    struct error error;

    return folder_check_tensor(folder, name, &count, 1, &error);
}

static struct folder *open_with_weights(void)
{
    struct folder *folder = open_folder();
    struct error error;

    if (!folder_open_weights(folder, &error))
        fail_msg("%s", error.text);
    return folder;
}

static void assert_folder_refused(const char *words)
{
    struct error error;

    assert_null(folder_open(scratch_path(&scratch, "m"), &error));
    assert_error_says(&error, words);
}

static void assert_weights_refused(const char *words)
{
    struct folder *folder = open_folder();
    struct error error;

    assert_false(folder_open_weights(folder, &error));
    assert_error_says(&error, words);
    folder_close(folder);
}

static void nested_and_flat_folders_are_read(void **state)
{
    static const char *const tensors[] = {"conv_in.bias:4", NULL};
    struct folder *folder;

    (void)state;
    scratch_image(&scratch, "m");
    folder = open_with_weights();
    assert_string_equal(folder_config_path(folder), "unet/config.json");
    assert_true(has_vector(folder, "conv_in.bias", 4));
    assert_false(has_vector(folder, "conv_in.bia", 4));
    folder_close(folder);

    scratch_remove(&scratch, "m/unet");
    scratch_remove(&scratch, "m/scheduler");
    scratch_text(&scratch, "m/config.json", "{\"_class_name\":\"UNet2DModel\"}");
    scratch_text(&scratch, "m/scheduler_config.json", "{\"steps_offset\":1}");
    scratch_weights(&scratch, "m/diffusion_pytorch_model.safetensors", tensors);
    folder = open_with_weights();
    assert_string_equal(folder_config_path(folder), "config.json");
    assert_string_equal(folder->files[FOLDER_SCHEDULER].path, "scheduler_config.json");
    assert_non_null(folder->files[FOLDER_SCHEDULER].json);
    folder_close(folder);

    scratch_remove(&scratch, "m/model_index.json");
    folder = open_with_weights();
    assert_string_equal(folder->class_name, "UNet2DModel");
    folder_close(folder);
}

static void a_missing_scheduler_is_no_fault(void **state)
{
    struct folder *folder;

    (void)state;
    scratch_image(&scratch, "m");
    scratch_remove(&scratch, "m/scheduler");
    folder = open_folder();
    assert_null(folder->files[FOLDER_SCHEDULER].json);
    folder_close(folder);
}

static const struct {
    const char *file, *text, *words;
} broken[] = {
    {"m/model_index.json", "{", "model_index.json|byte"},
    {"m/model_index.json", "{\"scheduler\":[\"diffusers\",\"DDPMScheduler\"]}",
     "model_index.json|neither"},
    {"m/model_index.json", "{\"unet\":[null,null]}", "model_index.json|neither"},
    {"m/model_index.json",
     "{\"_class_name\":\"LDMPipeline\",\"vqvae\":[\"diffusers\",\"VQModel\"],"
     "\"unet\":[\"diffusers\",\"UNet2DModel\"]}",
     "model_index.json|vqvae|VQModel"},
    {"m/model_index.json",
     "{\"unet\":[\"diffusers\",\"UNet2DModel\"],\"vae\":[\"diffusers\",\"AutoencoderKL\"]}",
     "model_index.json|vae"},
    {"m/model_index.json",
     "{\"unet\":[\"diffusers\",\"UNet2DModel\"],\"text_encoder\":[\"transformers\",\"X\"]}",
     "model_index.json|text_encoder"},
    {"m/model_index.json", "{\"transformer\":[\"diffusers\",\"DiTTransformer2DModel\"]}",
     "model_index.json|transformer"},
    {"m/model_index.json", "{\"unet\":[\"d\",\"UNet2DModel\"],\"model\":[\"d\",\"PointMLP\"]}",
     "model_index.json|both"},
    {"m/unet/config.json", "{\"_class_name\":\"PointMLP\"}",
     "unet/config.json|PointMLP|model_index.json|UNet2DModel"},
    {"m/unet/config.json", "{\"_class_name\":7}", "unet/config.json|_class_name"},
    {"m/unet/config.json", "[]", "unet/config.json|object"},
    {"m/unet/config.json", "", "unet/config.json"},
    {"m/unet/config.json", "{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}", "unet/config.json"},
    {"m/unet/config.json", "{\"a\":1,\"a\":2}", "unet/config.json"},
    {"m/scheduler/scheduler_config.json", "{]", "scheduler/scheduler_config.json|byte"},
    {"m/denoised.json", "{]", "denoised.json|byte"},
};

static void each_broken_json_file_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        scratch_remove(&scratch, "m");
        scratch_image(&scratch, "m");
        scratch_text(&scratch, broken[i].file, broken[i].text);
        assert_folder_refused(broken[i].words);
    }
}

static void a_config_of_2_mib_or_none_is_refused(void **state)
{
    char *text = malloc(2u << 20);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', 2u << 20);
    scratch_image(&scratch, "m");
    scratch_write(&scratch, "m/unet/config.json", text, 2u << 20);
    free(text);
    assert_folder_refused("unet/config.json|1048576");
    scratch_remove(&scratch, "m/unet/config.json");
    assert_folder_refused("unet/config.json|missing");
}

static void what_is_no_model_folder_says_so(void **state)
{
    (void)state;
    scratch_text(&scratch, "m/README.md", "");
    assert_false(folder_is_model(scratch_path(&scratch, "m")));
    assert_folder_refused("model_index.json|config.json");
    scratch_text(&scratch, "m/unet/config.json", "{}");
    assert_true(folder_is_model(scratch_path(&scratch, "m")));
    assert_folder_refused("model_index.json|missing|unet/");
    scratch_remove(&scratch, "m");
    assert_folder_refused("cannot be read");
}

static void the_class_may_stand_in_the_index_alone(void **state)
{
    struct folder *folder;

    (void)state;
    scratch_image(&scratch, "m");
    scratch_text(&scratch, "m/unet/config.json", "{}");
    folder = open_folder();
    assert_string_equal(folder->class_name, "UNet2DModel");
    assert_true(folder->class_from_index);
    folder_close(folder);
}

static void python_constants_are_read(void **state)
{
    struct folder *folder;
    const cJSON *config;

    (void)state;
    scratch_image(&scratch, "m");
    scratch_text(&scratch, "m/scheduler/scheduler_config.json",
                 "{\"lambda_min_clipped\":-Infinity,\"a\":NaN,\"b\":[Infinity]}");
    folder = open_folder();
    config = folder->files[FOLDER_SCHEDULER].json;
    assert_true(isinf(cJSON_GetObjectItem(config, "lambda_min_clipped")->valuedouble));
    assert_false(cJSON_IsNumber(cJSON_GetObjectItem(config, "a")));
    folder_close(folder);
}

static void the_sentence_that_helps_is_said(void **state)
{
    (void)state;
    scratch_image(&scratch, "m");
    scratch_text(&scratch, WEIGHTS, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
    assert_weights_refused("unet/diffusion_pytorch_model.safetensors|git lfs pull");
    scratch_remove(&scratch, WEIGHTS);
    assert_weights_refused("unet/diffusion_pytorch_model.safetensors|missing");
    scratch_text(&scratch, "m/unet/diffusion_pytorch_model.bin", "PK\3\4");
    assert_weights_refused(
        "unet/diffusion_pytorch_model.bin|save_pretrained(DIR, safe_serialization=True)");
    scratch_text(&scratch, "m/unet/diffusion_pytorch_model.fp16.safetensors", "");
    assert_weights_refused("diffusion_pytorch_model.fp16.safetensors|variant|rename");
}

static void only_regular_files_inside_the_folder_are_opened(void **state)
{
    char outside[256];

    (void)state;
    scratch_image(&scratch, "m");
    scratch_image(&scratch, "other");
    scratch_remove(&scratch, WEIGHTS);
    assert_int_equal(mkfifo(scratch_path(&scratch, WEIGHTS), 0600), 0);
    assert_weights_refused("unet/diffusion_pytorch_model.safetensors|regular");
    scratch_remove(&scratch, WEIGHTS);
    assert_int_equal(mkdir(scratch_path(&scratch, WEIGHTS), 0700), 0);
    assert_weights_refused("unet/diffusion_pytorch_model.safetensors|regular");
    scratch_remove(&scratch, WEIGHTS);
    assert_int_equal(symlink("/dev/zero", scratch_path(&scratch, WEIGHTS)), 0);
    assert_weights_refused("unet/diffusion_pytorch_model.safetensors|out of");
    scratch_remove(&scratch, WEIGHTS);
    snprintf(outside, sizeof(outside), "%s/other/unet/diffusion_pytorch_model.safetensors",
             scratch.path);
    assert_int_equal(symlink(outside, scratch_path(&scratch, WEIGHTS)), 0);
    assert_weights_refused("unet/diffusion_pytorch_model.safetensors|out of");
    scratch_remove(&scratch, WEIGHTS);
    assert_int_equal(symlink("nowhere", scratch_path(&scratch, WEIGHTS)), 0);
    assert_weights_refused("unet/diffusion_pytorch_model.safetensors|missing");
}

static void a_link_inside_the_folder_is_followed(void **state)
{
    (void)state;
    scratch_image(&scratch, "m");
    scratch_remove(&scratch, WEIGHTS);
    scratch_weights(&scratch, "m/blobs/1", (const char *const[]){"a:1", NULL});
    assert_int_equal(symlink("../blobs/1", scratch_path(&scratch, WEIGHTS)), 0);
    folder_close(open_with_weights());
}

static void a_component_linked_from_elsewhere_is_refused(void **state)
{
    char outside[256];

    (void)state;
    scratch_image(&scratch, "m");
    scratch_image(&scratch, "other");
    scratch_remove(&scratch, "m/unet");
    snprintf(outside, sizeof(outside), "%s/other/unet", scratch.path);
    assert_int_equal(symlink(outside, scratch_path(&scratch, "m/unet")), 0);
    assert_folder_refused("unet/config.json|out of");
}

#define INDEX    WEIGHTS ".index.json"
#define SHARD(n) "m/unet/diffusion_pytorch_model-0000" n "-of-00002.safetensors"

static void write_shards(const char *first, const char *second)
{
    char index[1024];

    snprintf(index, sizeof(index),
             "{\"metadata\":{\"total_size\":24},\"weight_map\":{\"a\":\"%s\",\"b\":\"%s\"}}", first,
             second);
    scratch_remove(&scratch, WEIGHTS);
    scratch_text(&scratch, INDEX, index);
    scratch_weights(&scratch, SHARD("1"), (const char *const[]){"a:2", NULL});
    scratch_weights(&scratch, SHARD("2"), (const char *const[]){"b:4", NULL});
}

static void shards_are_one_set_of_tensors(void **state)
{
    static const char one[] = "diffusion_pytorch_model-00001-of-00002.safetensors";
    static const char two[] = "diffusion_pytorch_model-00002-of-00002.safetensors";
    struct folder *folder;
    struct error error;
    float out[4];

    (void)state;
    scratch_image(&scratch, "m");
    write_shards(one, two);
    folder = open_with_weights();
    assert_true(folder_read_tensor(folder, "a", (const size_t[]){2}, 1, out, &error));
    assert_false(folder_all_tensors_used(folder, &error));
    assert_error_says(&error, two);
    assert_true(folder_read_tensor(folder, "b", (const size_t[]){4}, 1, out, &error));
    assert_true(folder_all_tensors_used(folder, &error));
    folder_close(folder);
    write_shards(one, one);
    assert_weights_refused("00001-of-00002|\"b\"|missing");
    write_shards(one, two);
    scratch_weights(&scratch, SHARD("2"), (const char *const[]){"a:1", "b:4", NULL});
    assert_weights_refused("\"a\"|twice");
    write_shards(two, one);
    assert_weights_refused("\"a\" of the index is missing");
    write_shards(one, two);
    scratch_remove(&scratch, SHARD("2"));
    assert_weights_refused("00002-of-00002|missing");
}

static void shard_names_are_plain(void **state)
{
    static const char *const names[] = {
        "../../x.safetensors", "/etc/passwd",        "a/b.safetensors", "..", "",
        ".x.safetensors",      "a\\\\b.safetensors", "weights.bin",     "\\n"};

    (void)state;
    scratch_image(&scratch, "m");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        write_shards(names[i], names[i]);
        assert_weights_refused("safetensors.index.json|weight_map|\"a\"|plain");
    }
    scratch_text(&scratch, INDEX, "{\"weight_map\":{\"a\":[]}}");
    assert_weights_refused("safetensors.index.json|weight_map|\"a\"|plain");
    scratch_text(&scratch, INDEX, "{\"weight_map\":{}}");
    assert_weights_refused("safetensors.index.json|weight_map|empty");
    scratch_text(&scratch, INDEX, "{\"weight_map\":7}");
    assert_weights_refused("safetensors.index.json|weight_map|object");
}

static void tensors_are_checked_before_they_are_used(void **state)
{
    static const size_t shape[] = {4, 1, 3, 3}, other[] = {4, 3, 3, 3};
    struct folder *folder;
    struct error error;
    float out[108];

    (void)state;
    scratch_image(&scratch, "m");
    folder = open_with_weights();
    assert_true(folder_check_tensor(folder, "conv_in.weight", shape, 4, &error));
    assert_true(folder_read_tensor(folder, "conv_in.weight", shape, 4, out, &error));
    assert_true(out[0] == -0.5f);
    assert_false(folder_read_tensor(folder, "conv_in.weight", other, 4, out, &error));
    assert_error_says(
        &error, "unet/diffusion_pytorch_model.safetensors|conv_in.weight|[4,1,3,3]|[4,3,3,3]");
    assert_false(folder_check_tensor(folder, "conv_in.weight", shape, 3, &error));
    assert_error_says(&error, "conv_in.weight|[4,1,3,3]|[4,1,3]");
    assert_false(folder_read_tensor(folder, "conv_inn.weight", shape, 4, out, &error));
    assert_error_says(&error, "conv_inn.weight|[4,1,3,3]|missing");
    assert_false(folder_all_tensors_used(folder, &error));
    assert_error_says(&error, "unet/diffusion_pytorch_model.safetensors|conv_in.bias");
    folder_close(folder);
}

static void nan_and_infinity_are_named_and_zeros_are_fine(void **state)
{
    static const char header[] =
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
        "\"z\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[12,24]}}";
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    unsigned char bytes[8 + sizeof(header) - 1 + 24] = {0};

    (void)state;
    scratch_image(&scratch, "m");
    memcpy(bytes, &(uint64_t){sizeof(header) - 1}, 8);
    memcpy(bytes + 8, header, sizeof(header) - 1);
    for (size_t i = 0; i < 3; i++) {
        struct folder *folder;
        struct error error;
        float out[3];

        memcpy(bytes + sizeof(bytes) - 16, &bad[i], 4);
        scratch_write(&scratch, WEIGHTS, bytes, sizeof(bytes));
        folder = open_with_weights();
        assert_false(folder_read_tensor(folder, "a", (const size_t[]){3}, 1, out, &error));
        assert_error_says(&error, "unet/diffusion_pytorch_model.safetensors|\"a\"|NaN");
        assert_true(folder_read_tensor(folder, "z", (const size_t[]){3}, 1, out, &error));
        folder_close(folder);
    }
}

static void legacy_names_are_found_under_modern_ones(void **state)
{
    static const char *const tensors[] = {"downsample_blocks.0.attentions.1.query.weight:1",
                                          "mid.attentions.0.key.bias:1",
                                          "upsample_blocks.2.attentions.0.value.weight:1",
                                          "mid_block.attentions.0.proj_attn.weight:1",
                                          "time_steps.weight:1",
                                          "down_blocks.0.downsamplers.0.conv.weight:1",
                                          "down_blocks.0.downsamplers.0.op.weight:1",
                                          "time_proj.W:1",
                                          "class.query.weight:1",
                                          NULL};
    static const char *const modern[] = {"down_blocks.0.attentions.1.to_q.weight",
                                         "mid_block.attentions.0.to_k.bias",
                                         "up_blocks.2.attentions.0.to_v.weight",
                                         "mid_block.attentions.0.to_out.0.weight",
                                         "time_proj.weight",
                                         "down_blocks.0.downsamplers.0.conv.weight",
                                         "class.query.weight"};
    struct folder *folder;
    struct error error;
    float out[1];

    (void)state;
    scratch_image(&scratch, "m");
    scratch_weights(&scratch, WEIGHTS, tensors);
    folder = open_with_weights();
    for (size_t i = 0; i < sizeof(modern) / sizeof(modern[0]); i++)
        if (!folder_read_tensor(folder, modern[i], (const size_t[]){1}, 1, out, &error))
            fail_msg("%s", error.text);
    assert_true(folder_all_tensors_used(folder, &error));
    folder_close(folder);
}

static void a_twin_alone_takes_the_modern_name(void **state)
{
    struct folder *folder;

    (void)state;
    scratch_image(&scratch, "m");
    scratch_weights(&scratch, WEIGHTS, (const char *const[]){"time_proj.W:1", "a:1", NULL});
    folder = open_with_weights();
    assert_true(has_vector(folder, "time_proj.weight", 1));
    assert_false(has_vector(folder, "time_proj.W", 1));
    assert_true(has_vector(folder, "a", 1));
    folder_close(folder);
}

static void two_names_for_one_tensor_are_refused(void **state)
{
    (void)state;
    scratch_image(&scratch, "m");
    scratch_weights(
        &scratch, WEIGHTS,
        (const char *const[]){"a.attentions.0.query.bias:1", "a.attentions.0.to_q.bias:1", NULL});
    assert_weights_refused("to_q.bias|twice|query.bias");
}

static void legacy_config_keys_are_renamed_unless_the_modern_one_is_there(void **state)
{
    struct folder *folder;
    const cJSON *config;

    (void)state;
    scratch_image(&scratch, "m");
    scratch_text(&scratch, "m/unet/config.json",
                 "{\"image_size\":16,\"num_res_blocks\":3,\"block_channels\":[8],"
                 "\"down_blocks\":[\"DownBlock2D\"],\"norm_eps\":1e-6,\"resnet_eps\":1}");
    folder = open_folder();
    config = folder_config(folder);
    assert_int_equal(cJSON_GetObjectItem(config, "sample_size")->valueint, 16);
    assert_int_equal(cJSON_GetObjectItem(config, "layers_per_block")->valueint, 3);
    assert_true(cJSON_IsArray(cJSON_GetObjectItem(config, "block_out_channels")));
    assert_true(cJSON_IsArray(cJSON_GetObjectItem(config, "down_block_types")));
    assert_true(cJSON_GetObjectItem(config, "norm_eps")->valuedouble < 1e-5);
    assert_null(cJSON_GetObjectItem(config, "num_res_blocks"));
    folder_close(folder);
}

/* Computed apart from this code, with sha256sum. */
static void the_digest_is_the_known_one(void **state)
{
    char digest[DIGEST_TEXT_SIZE];
    struct folder *folder;
    struct error error;

    (void)state;
    scratch_mixture(&scratch, "m");
    scratch_text(&scratch, "m/scheduler/scheduler_config.json",
                 "{\"_class_name\":\"DDPMScheduler\",\"clip_sample\":false}");
    folder = open_folder();
    assert_true(folder_digest(folder, digest, &error));
    assert_string_equal(digest, "b72fcf79fd61e0ccb80963a14043300acfdd942915a0eb6a9c336918e39bd347");
    folder_close(folder);
}

static void digest_of_folder(char digest[DIGEST_TEXT_SIZE])
{
    struct folder *folder = open_with_weights();
    struct error error;

    assert_true(folder_digest(folder, digest, &error));
    folder_close(folder);
}

static void the_digest_counts_the_files_that_are_used(void **state)
{
    static const char index[] = "{\"_x\":1,\"unet\":[\"diffusers\",\"UNet2DModel\"]}";
    char first[DIGEST_TEXT_SIZE], second[DIGEST_TEXT_SIZE];

    (void)state;
    scratch_image(&scratch, "m");
    digest_of_folder(first);
    scratch_text(&scratch, "m/model_index.json", index);
    scratch_text(&scratch, "m/README.md", "unused");
    digest_of_folder(second);
    assert_string_equal(first, second);
    scratch_text(&scratch, "m/unet/config.json", "{}");
    digest_of_folder(first);
    scratch_text(&scratch, "m/model_index.json", "{\"unet\":[\"diffusers\",\"UNet2DModel\"]}");
    digest_of_folder(second);
    assert_string_not_equal(first, second);
    scratch_text(&scratch, "m/denoised.json", "{}");
    digest_of_folder(first);
    assert_string_not_equal(first, second);
    scratch_weights(&scratch, WEIGHTS, (const char *const[]){"a:2", NULL});
    digest_of_folder(second);
    assert_string_not_equal(first, second);
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

#define folder_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(nested_and_flat_folders_are_read),
        folder_test(a_missing_scheduler_is_no_fault),
        folder_test(each_broken_json_file_is_named),
        folder_test(a_config_of_2_mib_or_none_is_refused),
        folder_test(what_is_no_model_folder_says_so),
        folder_test(the_class_may_stand_in_the_index_alone),
        folder_test(python_constants_are_read),
        folder_test(the_sentence_that_helps_is_said),
        folder_test(only_regular_files_inside_the_folder_are_opened),
        folder_test(a_link_inside_the_folder_is_followed),
        folder_test(a_component_linked_from_elsewhere_is_refused),
        folder_test(shards_are_one_set_of_tensors),
        folder_test(shard_names_are_plain),
        folder_test(tensors_are_checked_before_they_are_used),
        folder_test(nan_and_infinity_are_named_and_zeros_are_fine),
        folder_test(legacy_names_are_found_under_modern_ones),
        folder_test(a_twin_alone_takes_the_modern_name),
        folder_test(two_names_for_one_tensor_are_refused),
        folder_test(legacy_config_keys_are_renamed_unless_the_modern_one_is_there),
        folder_test(the_digest_is_the_known_one),
        folder_test(the_digest_counts_the_files_that_are_used),
    };
    return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
