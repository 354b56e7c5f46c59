/* Forwards of whole networks with made-up weights: the same bits alone and in any company. What
 * the numbers should be is told by the golden forwards. */
#include "tests/support/test.h"

#include "core/base/arena.h"
#include "core/model/folder_open.h"
#include "core/model/model.h"
#include "core/model/unet2d.h"
#include "core/nn/embedding.h"
#include "core/nn/kernels_native.h"
#include "tests/support/allocations.h"
#include "tests/support/folder.h"
#include "tests/support/kernel_list.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 5, FLOATS_MAX = 3 * 16 * 16 };

/* Layers that are cut into parts, attention, both kinds of samplers. */
static const struct unet2d_config LARGE = {
    .height = 16,
    .width = 16,
    .in_channels = 3,
    .out_channels = 3,
    .time_kind = TIME_POSITIONAL,
    .time_dim = 40,
    .flip_sin_to_cos = true,
    .blocks = 3,
    .channels = {32, 48, 48},
    .down = {{.attention = false}, {.attention = true, .resnet_sampler = true}},
    .up = {{.attention = false}, {.attention = true}, {.resnet_sampler = true}},
    .layers = 1,
    .has_mid = true,
    .mid_attention = true,
    .mid_scale = 1.25,
    .downsample_padding = 1,
    .activation = ACTIVATION_SILU,
    .head_dim = 16,
    .groups = 8,
    .mid_groups = 8,
    .epsilon = 1e-5,
    .class_kind = CLASS_TABLE,
    .class_count = 4,
};

static struct unet2d_config small_config(void)
{
    struct unet2d_config config = LARGE;
    config.height = config.width = 8;
    config.blocks = 2;
    config.channels[0] = 9; /* an odd embedding */
    config.channels[1] = 12;
    config.groups = 3;
    config.mid_groups = 0;
    config.head_dim = 5; /* two heads of the 12 channels, and two channels too many */
    config.scale_shift = true;
    config.center_input_sample = true;
    config.downsample_padding = 0;
    config.activation = ACTIVATION_MISH;
    config.class_kind = CLASS_TIMESTEP;
    return config;
}

/* All that NCSN++ has: Skip blocks, filters, a fourier embedding, the output over the time. */
static struct unet2d_config ncsn_config(void)
{
    static const struct unet2d_block SKIP = {.resnet_sampler = true, .skip = true};
    static const struct unet2d_block WITH_ATTENTION = {true, true, true};
    struct unet2d_config config = LARGE;
    config.channels[1] = 32;
    config.channels[2] = 64;
    config.down[0] = config.down[2] = config.up[0] = config.up[2] = SKIP;
    config.down[1] = config.up[1] = WITH_ATTENTION;
    config.time_kind = TIME_FOURIER;
    config.center_input_sample = true;
    config.head_dim = 0;
    config.groups = 0;
    config.mid_scale = 0x1.6a09e667f3bcdp+0;
    config.class_kind = CLASS_NONE;
    return config;
}

struct fixture {
    struct unet2d unet;
    struct evaluation evaluations[SAMPLES];
    float x[SAMPLES][FLOATS_MAX], y[SAMPLES][FLOATS_MAX];
};

static void fill(float *out, size_t count, uint64_t seed)
{
    numbers_fill(out, count, seed);
    for (size_t i = 0; i < count; i++)
        out[i] *= 0.1f;
}

/* The same network for every backend, however it packs its matrices. */
static void fill_weights(const struct tensor_list *list, float *packed)
{
    for (size_t i = 0; i < list->tensor_count; i++) {
        const struct expected_tensor *tensor = &list->tensors[i];
        size_t count = tensor->matrix == SIZE_MAX;
        for (size_t k = 0; k < tensor->shape.rank; k++)
            count *= tensor->shape.size[k];
        fill(packed + tensor->place * (count > 0), count, 1000 + i);
    }
    for (size_t i = 0; i < list->matrix_count; i++) {
        const struct packed_matrix *matrix = &list->matrices[i];
        float *stored = malloc(matrix->floats * sizeof *stored);
        assert_non_null(stored);
        fill(stored, matrix->floats, 100 + i);
        tensor_list_prepare(list, i, stored, packed);
        free(stored);
    }
}

static struct fixture *made(const struct unet2d_config *config, const struct kernels *kernels)
{
    struct error error;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->unet.config = *config;
    if (!unet2d_build(&f->unet, kernels, "config.json", &error) ||
        !arena_init(&f->unet.arena, f->unet.tensors.floats * sizeof(float), &error))
        fail_msg("%s", error.text);
    float *weights = (float *)(void *)f->unet.arena.base;
    fill_weights(&f->unet.tensors, weights);
    if (config->time_kind == TIME_POSITIONAL)
        embedding_frequencies(config->channels[0] / 2, 0, weights + f->unet.frequencies);
    f->unet.network.weights = weights;
    for (size_t i = 0; i < SAMPLES; i++) {
        numbers_fill(f->x[i], FLOATS_MAX, i);
        f->evaluations[i] = (struct evaluation){.x = f->x[i],
                                                .output = f->y[i],
                                                .time = 100.0 * (double)i + 0.5,
                                                .label = (int32_t)(i % 4)};
    }
    return f;
}

static void destroy(struct fixture *f)
{
    unet2d_finish(&f->unet);
    free(f);
}

static void run(struct fixture *f, size_t first, size_t count, unsigned threads)
{
    struct error error;
    struct arena arena;
    struct gang *gang = gang_create(threads, &error);
    assert_non_null(gang);
    assert_true(arena_init(&arena, network_workspace_bytes(&f->unet.network, threads), &error));
    float *workspace = (float *)(void *)arena.base;
    for (size_t i = 0; i < arena.size / sizeof(float); i++)
        workspace[i] = NAN; /* nothing is read that was not written */
    size_t before = allocations_count();
    network_run(&f->unet.network, f->evaluations + first, count, gang, workspace);
    assert_int_equal(allocations_count(), before);
    arena_finish(&arena);
    gang_destroy(gang);
}

static void check_bits(const struct unet2d_config *config, const struct kernels *kernels)
{
    struct fixture *f = made(config, kernels);
    float(*alone)[FLOATS_MAX] = calloc(SAMPLES, sizeof *alone);
    size_t floats = config->height * config->width * config->out_channels;
    assert_non_null(alone);
    for (size_t i = 0; i < SAMPLES; i++) {
        run(f, i, 1, 1);
        for (size_t k = 0; k < floats; k++)
            assert_true(isfinite(f->y[i][k]));
    }
    memcpy(alone, f->y, sizeof f->y);
    for (size_t i = 1; i < SAMPLES; i++)
        assert_memory_not_equal(alone[0], alone[i], floats * sizeof(float));
    for (unsigned threads = 1; threads <= 3; threads++) {
        memset(f->y, 0, sizeof f->y);
        run(f, 0, SAMPLES, threads); /* whole, and the last two in step */
        assert_memory_equal(alone, f->y, sizeof f->y);
        memset(f->y, 0, sizeof f->y);
        run(f, 2, 1, threads);
        assert_memory_equal(alone[2], f->y[2], floats * sizeof(float));
    }
    free(alone);
    destroy(f);
}

static void bits_depend_on_the_sample_alone(void **state)
{
    (void)state;
    const struct unet2d_config small = small_config(), ncsn = ncsn_config();
    const struct backend *backend;
    for (size_t i = 0; (backend = backend_at(i)) != NULL; i++) {
        check_bits(&LARGE, backend->kernels);
        check_bits(&small, backend->kernels);
        check_bits(&ncsn, backend->kernels);
    }
}

/* Of a build, beside those of plain C. */
static void check_build(const struct unet2d_config *config, const struct kernels *kernels)
{
    struct fixture *a = made(config, backend_portable_baseline.kernels);
    struct fixture *b = made(config, kernels);
    run(a, 0, SAMPLES, 1);
    run(b, 0, SAMPLES, 2);
    assert_memory_equal(a->y, b->y, sizeof a->y);
    destroy(a);
    destroy(b);
}

static void all_native_builds_give_the_same_bits(void **state)
{
    (void)state;
    const struct unet2d_config small = small_config(), ncsn = ncsn_config();
    struct unet2d_config wide = LARGE;
    wide.height = 4;
    wide.width = 28;
    const struct backend *backend;
    for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
        if (backend->kernels->gemm != NULL)
            continue;
        check_build(&small, backend->kernels);
        check_build(&ncsn, backend->kernels);
        check_build(&wide, backend->kernels);
    }
}

static void check_backends(const struct unet2d_config *config)
{
    struct fixture *a = made(config, backend_find("portable")->kernels);
    struct fixture *b = made(config, backend_find("openblas")->kernels);
    double largest = 0;
    run(a, 0, SAMPLES, 1);
    run(b, 0, SAMPLES, 1);
    for (size_t i = 0; i < SAMPLES; i++)
        for (size_t k = 0; k < FLOATS_MAX; k++)
            largest = fmax(largest, fabs((double)a->y[i][k]));
    for (size_t i = 0; i < SAMPLES; i++)
        for (size_t k = 0; k < FLOATS_MAX; k++)
            assert_true(fabs((double)(a->y[i][k] - b->y[i][k])) <= 3e-5 * largest);
    destroy(a);
    destroy(b);
}

static void backends_agree(void **state)
{
    (void)state;
    const struct unet2d_config ncsn = ncsn_config();
    check_backends(&LARGE);
    check_backends(&ncsn);
}

/* --- as a family ------------------------------------------------------------------------------ */

static void a_folder_is_evaluated_as_the_family_says(void **state)
{
    (void)state;
    struct scratch scratch;
    struct error error;
    scratch_init(&scratch);
    scratch_image(&scratch, "image");
    struct model *model =
        model_open(scratch_path(&scratch, "image"), backend_find("openblas"), &error);
    if (model == NULL)
        fail_msg("%s", error.text);
    enum {
        PLACES = 300,
        FLOATS = 64,
        ALL = PLACES * FLOATS,
        SEVEN = 7 * FLOATS
    }; /* more places than are handed on at once */
    float *x = calloc(ALL, sizeof *x), *y = calloc(ALL, sizeof *y);
    struct place *places = calloc(PLACES, sizeof *places);
    assert_non_null(x);
    assert_non_null(y);
    assert_non_null(places);
    numbers_fill(x, SEVEN, 1);
    for (size_t i = 0; i < PLACES; i++)
        places[i] = (struct place){.x = x + i % 7 * FLOATS,
                                   .output = y + i * FLOATS,
                                   .time = (double)(i % 7),
                                   .label = -1};
    struct arena arena;
    struct gang *gang = gang_create(2, &error);
    assert_true(arena_init(&arena, model->family->workspace_bytes(model, 2), &error));
    size_t before = allocations_count();
    model->family->evaluate(model, places, PLACES, gang, arena.base);
    assert_int_equal(allocations_count(), before);
    for (size_t i = 7; i < PLACES; i++)
        assert_memory_equal(y + i * FLOATS, y + i % 7 * FLOATS, FLOATS * sizeof *y);
    assert_memory_not_equal(y, y + FLOATS, FLOATS * sizeof *y);
    gang_destroy(gang);
    arena_finish(&arena);
    model_close(model);
    free(x);
    free(y);
    free(places);
    scratch_finish(&scratch);
}

/* A weights file with all that the config in the folder "m" asks for. */
static void write_weights(const struct scratch *scratch)
{
    static char names[200][TENSOR_NAME_MAX + 40];
    const char *list[201] = {NULL};
    struct unet2d unet = {0};
    struct error error;
    struct folder *folder = folder_open(scratch_path(scratch, "m"), &error);
    if (folder == NULL || !unet2d_config_read(folder, &unet.config, &error) ||
        !unet2d_build(&unet, backend_find("portable")->kernels, "config.json", &error))
        fail_msg("%s", error.text);
    assert_true(unet.tensors.tensor_count <= 200);
    for (size_t i = 0; i < unet.tensors.tensor_count; i++) {
        const struct expected_tensor *tensor = &unet.tensors.tensors[i];
        int used = snprintf(names[i], sizeof names[i], "%s", tensor->name);
        for (size_t k = 0; k < tensor->shape.rank; k++)
            used += snprintf(names[i] + used, sizeof names[i] - (size_t)used, "%c%zu",
                             k == 0 ? ':' : ',', tensor->shape.size[k]);
        list[i] = names[i];
    }
    scratch_weights(scratch, "m/diffusion_pytorch_model.safetensors", list);
    unet2d_finish(&unet);
    folder_close(folder);
}

static void a_short_table_of_times_is_warned_of(void **state)
{
    (void)state;
    struct scratch scratch;
    struct error error;
    scratch_init(&scratch);
    for (int timesteps = 50; timesteps <= 51; timesteps++) {
        char schedule[100];
        snprintf(schedule, sizeof schedule,
                 "{\"_class_name\":\"DDPMScheduler\",\"num_train_timesteps\":%d,"
                 "\"beta_end\":0.5}",
                 timesteps);
        scratch_text(&scratch, "m/scheduler_config.json", schedule);
        scratch_text(&scratch, "m/config.json",
                     "{\"_class_name\":\"UNet2DModel\",\"sample_size\":4,"
                     "\"block_out_channels\":[4],\"norm_num_groups\":2,\"layers_per_block\":1,"
                     "\"down_block_types\":[\"AttnDownBlock2D\"],\"attention_head_dim\":4,"
                     "\"up_block_types\":[\"UpBlock2D\"],\"time_embedding_type\":\"learned\","
                     "\"num_train_timesteps\":50}");
        write_weights(&scratch);
        struct model *model =
            model_open(scratch_path(&scratch, "m"), backend_find("portable"), &error);
        if (model == NULL) {
            fail_msg("%s", error.text);
            return;
        }
        assert_int_equal(model->warning_count, timesteps == 51);
        if (timesteps == 51)
            assert_non_null(strstr(model->warnings[0], "num_train_timesteps is 50"));
        model_close(model);
    }
    scratch_finish(&scratch);
}

static int set_up(void **state)
{
    (void)state;
    gang_float_mode();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_depend_on_the_sample_alone),
        cmocka_unit_test(all_native_builds_give_the_same_bits),
        cmocka_unit_test(backends_agree),
        cmocka_unit_test(a_folder_is_evaluated_as_the_family_says),
        cmocka_unit_test(a_short_table_of_times_is_warned_of),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
