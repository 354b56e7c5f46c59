/* The small network for points against a forward in double, on every backend. */
#include "tests/support/test.h"

#include "core/base/arena.h"
#include "core/model/model.h"
#include "tests/support/allocations.h"
#include "tests/support/folder.h"
#include "tests/support/kernel_list.h"
#include "tests/support/numbers.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/safetensors.h"

enum { DIM = 3, TIME = 6, CLASSES = 2, WIDEST = 16 };

static struct scratch scratch;

static const char CONFIG[] = "{\"_class_name\":\"PointMLP\",\"data_dim\":3,\"hidden_dims\":[16,9],"
                             "\"time_embedding\":\"%s\",\"time_embedding_dim\":6,\"act_fn\":\"%s\","
                             "\"num_class_embeds\":2}";

/* Its tensors, and one more where the time features are stored. */
static const char *const TENSORS[] = {"class_embedding.weight:2,6",
                                      "layers.0.weight:16,15",
                                      "layers.0.bias:16",
                                      "layers.1.weight:9,16",
                                      "layers.1.bias:9",
                                      "layers.2.weight:3,9",
                                      "layers.2.bias:3",
                                      "time_proj.weight:3",
                                      NULL};

static void write_model(const char *embedding, const char *activation)
{
    const char *tensors[9];
    char config[500];
    memcpy(tensors, TENSORS, sizeof tensors);
    if (strcmp(embedding, "fourier") != 0)
        tensors[7] = NULL;
    snprintf(config, sizeof config, CONFIG, embedding, activation);
    scratch_text(&scratch, "m/config.json", config);
    scratch_text(&scratch, "m/scheduler_config.json",
                 "{\"_class_name\":\"DDPMScheduler\",\"clip_sample\":false}");
    scratch_weights(&scratch, "m/diffusion_pytorch_model.safetensors", tensors);
}

static struct model *opened(const struct backend *backend)
{
    struct error error;
    struct model *model = model_open(scratch_path(&scratch, "m"), backend, &error);
    if (model == NULL)
        fail_msg("%s", error.text);
    return model;
}

static void evaluate(const struct model *model, const struct place *places, size_t count,
                     unsigned threads)
{
    struct error error;
    struct arena arena;
    struct gang *gang = gang_create(threads, &error);
    assert_non_null(gang);
    assert_true(arena_init(&arena, model->family->workspace_bytes(model, threads), &error));
    size_t before = allocations_count();
    model->family->evaluate(model, places, count, gang, arena.base);
    assert_int_equal(allocations_count(), before);
    arena_finish(&arena);
    gang_destroy(gang);
}

/* --- a forward in double, from the file ------------------------------------------------------- */

static void read_tensor(const char *name, double *out)
{
    struct safetensors file;
    struct error error;
    int descriptor =
        open(scratch_path(&scratch, "m/diffusion_pytorch_model.safetensors"), O_RDONLY);
    assert_true(safetensors_open(&file, descriptor, "weights", &error));
    assert_true(safetensors_read_double(&file, safetensors_find(&file, name), out, &error));
    safetensors_close(&file);
}

static double act(const char *name, double x)
{
    if (strcmp(name, "silu") == 0)
        return x / (1 + exp(-x));
    if (strcmp(name, "gelu") == 0)
        return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    if (strcmp(name, "relu") == 0)
        return x > 0 ? x : 0;
    if (strcmp(name, "elu") == 0)
        return x > 0 ? x : expm1(x);
    return tanh(x);
}

static void embed(const char *embedding, double time, double *out)
{
    double features[TIME];
    bool fourier = strcmp(embedding, "fourier") == 0;
    if (fourier)
        read_tensor("time_proj.weight", features);
    for (size_t k = 0; k < TIME / 2; k++) {
        double angle = fourier ? 2 * acos(-1.0) * features[k] * time
                               : time * pow(10000, -(double)k / (TIME / 2.0));
        out[fourier ? k : k + TIME / 2] = sin(angle);
        out[fourier ? k + TIME / 2 : k] = cos(angle);
    }
}

static void forward_at(const char *embedding, const char *activation, const struct place *place,
                       const double *x, double *out)
{
    static const size_t SIZES[] = {DIM + 2 * TIME, 16, 9, DIM};
    double z[WIDEST * WIDEST], next[WIDEST], table[CLASSES * TIME];
    for (size_t i = 0; i < DIM; i++)
        z[i] = x[i];
    embed(embedding, place->time, z + DIM);
    read_tensor("class_embedding.weight", table);
    memcpy(z + DIM + TIME, table + (size_t)place->label * TIME, TIME * sizeof *z);
    for (size_t layer = 0; layer < 3; layer++) {
        double weights[WIDEST * WIDEST], bias[WIDEST];
        char name[40];
        snprintf(name, sizeof name, "layers.%zu.weight", layer);
        read_tensor(name, weights);
        snprintf(name, sizeof name, "layers.%zu.bias", layer);
        read_tensor(name, bias);
        for (size_t j = 0; j < SIZES[layer + 1]; j++) {
            next[j] = bias[j];
            for (size_t k = 0; k < SIZES[layer]; k++)
                next[j] += weights[j * SIZES[layer] + k] * z[k];
            next[j] = layer < 2 ? act(activation, next[j]) : next[j];
        }
        memcpy(z, next, sizeof next);
    }
    memcpy(out, z, DIM * sizeof *out);
}

static void forward(const char *embedding, const char *activation, const struct place *place,
                    double *out)
{
    const double x[] = {(double)place->x[0], (double)place->x[1], (double)place->x[2]};
    forward_at(embedding, activation, place, x, out);
}

static const char *const KINDS[][2] = {{"sinusoidal", "silu"}, {"fourier", "silu"},
                                       {"sinusoidal", "gelu"}, {"sinusoidal", "relu"},
                                       {"fourier", "elu"},     {"sinusoidal", "tanh"}};

static void forwards_are_those_of_the_formulas(void **state)
{
    (void)state;
    const struct backend *backend;
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++) {
        write_model(KINDS[k][0], KINDS[k][1]);
        for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
            struct model *model = opened(backend);
            const float x[] = {0.5f, -2.0f, 1.25f};
            float y[DIM];
            double expected[DIM];
            struct place place = {.x = x, .output = y, .time = 17.5, .label = 1};
            evaluate(model, &place, 1, 1);
            forward(KINDS[k][0], KINDS[k][1], &place, expected);
            for (size_t j = 0; j < DIM; j++)
                assert_true(fabs((double)y[j] - expected[j]) <= 2e-6);
            model_close(model);
        }
    }
}

/* By central differences in double. */
static double trace_of(const char *embedding, const char *activation, const struct place *place)
{
    double trace = 0;
    for (size_t i = 0; i < DIM; i++) {
        double x[] = {(double)place->x[0], (double)place->x[1], (double)place->x[2]};
        double above[DIM], below[DIM], middle = x[i];
        x[i] = middle + 1e-5;
        forward_at(embedding, activation, place, x, above);
        x[i] = middle - 1e-5;
        forward_at(embedding, activation, place, x, below);
        trace += (above[i] - below[i]) / 2e-5;
    }
    return trace;
}

static void a_divergence_is_that_of_the_formulas(void **state)
{
    (void)state;
    const struct backend *backend;
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++) {
        write_model(KINDS[k][0], KINDS[k][1]);
        for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
            struct model *model = opened(backend);
            assert_true(model->family->knows_divergence);
            const float x[] = {0.5f, -2.0f, 1.25f};
            float y[DIM], again[DIM];
            double divergence = 0, expected;
            struct place place = {.x = x, .output = y, .time = 17.5, .label = 1};
            evaluate(model, &place, 1, 1);
            place.output = again;
            place.divergence = &divergence;
            evaluate(model, &place, 1, 1);
            assert_memory_equal(y, again, sizeof y); /* who asks for it gets the same output */
            expected = trace_of(KINDS[k][0], KINDS[k][1], &place);
            if (!(fabs(divergence - expected) <= 3e-6))
                fail_msg("%s, %s on %s: %.9g instead of %.9g", KINDS[k][0], KINDS[k][1],
                         backend->name, divergence, expected);
            assert_true(fabs(expected) > 0.01);
            model_close(model);
        }
    }
}

static void bits_depend_on_the_place_alone(void **state)
{
    (void)state;
    enum { COUNT = 45, ALL = DIM * COUNT };
    const struct backend *backend;
    write_model("sinusoidal", "silu");
    for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
        struct model *model = opened(backend);
        float x[ALL], alone[ALL], batch[ALL];
        double alone_divergence[COUNT] = {0}, divergence[COUNT];
        struct place places[COUNT];
        numbers_fill(x, ALL, 6);
        assert_int_equal(model->tile, strcmp(backend->name, "openblas") == 0 ? 8 : 0);
        for (size_t k = 0; k < COUNT; k++) {
            places[k] = (struct place){.x = x + k * DIM,
                                       .output = alone + k * DIM,
                                       .time = k < 20 ? 5.0 : (double)k,
                                       .label = (int32_t)(k % 2)};
            if (k % 4 != 0) /* neighbours that ask for it and that do not */
                places[k].divergence = &alone_divergence[k];
            evaluate(model, &places[k], 1, 1);
            places[k].output = batch + k * DIM;
            if (k % 4 != 0)
                places[k].divergence = &divergence[k];
        }
        model_close(model);
        for (unsigned threads = 1; threads <= 3; threads++) {
            model = opened(backend); /* one that remembers no time */
            memset(batch, 0, sizeof batch);
            memset(divergence, 0, sizeof divergence);
            evaluate(model, places + 7, 12, threads);
            evaluate(model, places, COUNT, threads);
            assert_memory_equal(alone, batch, sizeof alone);
            assert_memory_equal(alone_divergence, divergence, sizeof divergence);
            model_close(model);
        }
    }
}

static void broken_configs_are_refused_by_key(void **state)
{
    (void)state;
    static const char *const BROKEN[][2] = {
        {"\"data_dim\":3", NULL}, /* right: it loads */
        {"\"data_dim\":0", "data_dim"},
        {"\"data_dim\":2.5", "data_dim"},
        {"\"hidden_dims\":[]", "hidden_dims"},
        {"\"hidden_dims\":[16,0]", "hidden_dims"},
        {"\"hidden_dims\":16", "hidden_dims"},
        {"\"time_embedding\":\"learned\"", "time_embedding"},
        {"\"time_embedding_dim\":7", "time_embedding_dim|even"},
        {"\"act_fn\":\"mish\"", "act_fn"},
        {"\"act_fn\":\"swish\"", "act_fn"},
        {"\"num_class_embeds\":0", "num_class_embeds"},
        {"\"dropout\":0", "dropout"},
    };
    static const char *const KEYS[][2] = {{"data_dim", "3"},
                                          {"hidden_dims", "[16,9]"},
                                          {"time_embedding", "\"sinusoidal\""},
                                          {"time_embedding_dim", "6"},
                                          {"act_fn", "\"silu\""},
                                          {"num_class_embeds", "2"}};
    write_model("sinusoidal", "silu");
    for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++) {
        char config[600] = "{\"_class_name\":\"PointMLP\",", key[40];
        sscanf(BROKEN[i][0], "\"%39[a-z_]", key);
        for (size_t k = 0; k < sizeof KEYS / sizeof *KEYS; k++) {
            size_t used = strlen(config);
            if (strcmp(KEYS[k][0], key) != 0)
                snprintf(config + used, sizeof config - used, "\"%s\":%s,", KEYS[k][0], KEYS[k][1]);
        }
        size_t used = strlen(config);
        snprintf(config + used, sizeof config - used, "%s}", BROKEN[i][0]);
        scratch_text(&scratch, "m/config.json", config);
        struct error error = {0};
        struct model *model =
            model_open(scratch_path(&scratch, "m"), backend_find("portable"), &error);
        assert_int_equal(model != NULL, BROKEN[i][1] == NULL);
        model_close(model);
        if (BROKEN[i][1] == NULL)
            continue;
        assert_int_equal(error.code, ERROR_BAD_MODEL);
        assert_error_says(&error, BROKEN[i][1]);
    }
}

static void a_missing_key_and_a_surplus_tensor_are_named(void **state)
{
    (void)state;
    struct error error;
    write_model("sinusoidal", "silu");
    scratch_text(&scratch, "m/config.json",
                 "{\"_class_name\":\"PointMLP\",\"data_dim\":3,\"hidden_dims\":[16,9],"
                 "\"time_embedding\":\"sinusoidal\",\"time_embedding_dim\":6}");
    assert_null(model_open(scratch_path(&scratch, "m"), backend_find("portable"), &error));
    assert_error_says(&error, "act_fn|missing");
    write_model("fourier", "silu");
    char config[500];
    snprintf(config, sizeof config, CONFIG, "sinusoidal", "silu");
    scratch_text(&scratch, "m/config.json", config);
    assert_null(model_open(scratch_path(&scratch, "m"), backend_find("portable"), &error));
    assert_error_says(&error, "time_proj.weight");
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
        cmocka_unit_test(forwards_are_those_of_the_formulas),
        cmocka_unit_test(a_divergence_is_that_of_the_formulas),
        cmocka_unit_test(bits_depend_on_the_place_alone),
        cmocka_unit_test(broken_configs_are_refused_by_key),
        cmocka_unit_test(a_missing_key_and_a_surplus_tensor_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
