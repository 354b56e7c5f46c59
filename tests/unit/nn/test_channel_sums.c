/* Sums that the makers of a map leave, beside those that its norm takes from the map. */
#include "tests/support/test.h"

#include "core/base/arena.h"
#include "core/base/gang.h"
#include "core/nn/network.h"
#include "tests/support/kernel_list.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_MAX = 3, ROUNDS = 12 };

/* A map between channels of others, of some samples; what is not written is no number. */
struct map {
    size_t height, width, channels, ld, offset;
    size_t samples, stride;
    float *floats; /* of a sample: the input, the map, its sums */
    size_t map_at, sums_at;
};

static float *zeros(size_t count)
{
    float *out = calloc(count + 16, sizeof *out);
    assert_non_null(out);
    return out;
}

static void map_init(struct map *map, size_t input, uint64_t *seed)
{
    map->samples = numbers_between(seed, 1, SAMPLES_MAX);
    map->offset = numbers_between(seed, 0, 20);
    map->ld = map->offset + map->channels + numbers_between(seed, 0, 20);
    map->map_at = (input + 15) / 16 * 16;
    map->sums_at = map->map_at + (map->height * map->width * map->ld + 15) / 16 * 16;
    map->stride = map->sums_at + (4 * map->ld + 15) / 16 * 16;
    map->floats = zeros(map->samples * map->stride);
    for (size_t i = 0; i < map->samples * map->stride; i++)
        map->floats[i] = NAN;
    for (size_t i = 0; i < map->samples; i++)
        numbers_fill(map->floats + i * map->stride, input, numbers_next(seed));
}

static float *map_out(const struct map *map)
{
    return map->floats + map->map_at + map->offset;
}

static struct channel_sums map_sums(const struct map *map, size_t sample)
{
    double *at = (double *)(void *)(map->floats + sample * map->stride + map->sums_at);
    return (struct channel_sums){at + map->offset, map->ld, map->width};
}

static void statistics(const struct kernels *kernels, const struct norm_shape *shape,
                       const struct norm_call *call)
{
    const struct norm_kernel *norm = &kernels->pointwise->norm;
    float *scratch = zeros(norm->statistics_scratch_floats(shape));
    for (size_t part = 0; part < norm->statistics_parts(shape); part++)
        norm->statistics(shape, call, part, scratch);
    free(scratch);
}

/* The second time without a map to read. */
static void check_map(const struct kernels *kernels, const struct map *map)
{
    size_t channels = map->channels;
    struct norm_shape shape = {.height = map->height,
                               .width = map->width,
                               .channels = channels,
                               .groups = channels % 4 == 0 ? channels / 4 : channels,
                               .epsilon = 1e-5};
    float *gamma = zeros(channels), *beta = zeros(channels);
    float *expected = zeros(2 * channels), *found = zeros(2 * channels);
    numbers_fill(gamma, channels, 1);
    numbers_fill(beta, channels, 2);
    for (size_t sample = 0; sample < map->samples; sample++) {
        struct norm_call call = {.gamma = gamma,
                                 .beta = beta,
                                 .in = map_out(map) + sample * map->stride,
                                 .in_ld = map->ld,
                                 .scale_shift = expected};
        statistics(kernels, &shape, &call);
        call.in = NULL;
        call.sums = map_sums(map, sample);
        call.scale_shift = found;
        statistics(kernels, &shape, &call);
        for (size_t c = 0; c < channels; c++)
            assert_true(isfinite(found[c]));
        assert_memory_equal(expected, found, 2 * channels * sizeof *found);
    }
    free(gamma);
    free(beta);
    free(expected);
    free(found);
    free(map->floats);
}

static struct layer_call layer_call(const struct map *map, size_t in_channels)
{
    return (struct layer_call){.in = map->floats,
                               .in_ld = in_channels,
                               .out = map_out(map),
                               .out_ld = map->ld,
                               .sums = map_sums(map, 0),
                               .samples = map->samples,
                               .stride = map->stride,
                               .divisor = 1.0f};
}

static void try_conv(const struct kernels *kernels, const struct conv_shape *shape, uint64_t *seed)
{
    struct map map = {
        .height = shape->out_height, .width = shape->out_width, .channels = shape->out_channels};
    size_t in = shape->in_height * shape->in_width * shape->in_channels;
    size_t count = 9 * shape->in_channels * shape->out_channels;
    float *weights = zeros(count), *packed = zeros(kernels->conv->weight_floats(shape));
    float *scratch = zeros(kernels->conv->scratch_floats(shape));
    map_init(&map, in, seed);
    numbers_fill(weights, count, numbers_next(seed));
    kernels->conv->prepare(kernels, shape, weights, packed);
    struct layer_call call = layer_call(&map, shape->in_channels);
    call.weights = packed;
    call.divisor = numbers_between(seed, 0, 1) == 0 ? 1.0f : 1.5f;
    kernels->conv->run(kernels, shape, &call, (struct parts){0, kernels->conv->parts(shape)},
                       scratch);
    check_map(kernels, &map);
    free(weights);
    free(packed);
    free(scratch);
}

/* Both of Winograd's tiles, whole and in part, and the direct way. */
static void a_convolution_leaves_the_sums_that_its_norm_would_take(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (size_t k = 0; kernel_list_at(k) != NULL; k++) {
        const struct kernels *kernels = kernel_list_at(k)->kernels;
        for (size_t i = 0; kernels->conv->leaves_sums != NULL && i < 3 * ROUNDS; i++) {
            size_t height = numbers_between(&seed, 1, 18), width = numbers_between(&seed, 1, 18);
            struct conv_shape shape = {.in_height = height,
                                       .in_width = width,
                                       .in_channels = numbers_between(&seed, 1, 40),
                                       .out_height = height,
                                       .out_width = width,
                                       .out_channels = numbers_between(&seed, 16, 150),
                                       .stride = 1,
                                       .pad = 1};
            if (i % 3 == 0) {
                shape.stride = 2;
                shape.out_height = (height + 1) / 2;
                shape.out_width = (width + 1) / 2;
            }
            assert_true(kernels->conv->leaves_sums(&shape));
            try_conv(kernels, &shape, &seed);
        }
    }
}

/* Rows of the layer, not of the image, fill its blocks: an image row may lie in two. */
static void a_linear_layer_leaves_the_sums_that_its_norm_would_take(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (size_t k = 0; kernel_list_at(k) != NULL; k++) {
        const struct kernels *kernels = kernel_list_at(k)->kernels;
        for (size_t i = 0; kernels->linear->leaves_sums && i < ROUNDS; i++) {
            struct map map = {.height = numbers_between(&seed, 2, 16),
                              .width = numbers_between(&seed, 1, 25),
                              .channels = numbers_between(&seed, 1, 150)};
            struct linear_shape shape = {map.height * map.width, numbers_between(&seed, 1, 300),
                                         map.channels};
            float *weights = zeros(shape.in * shape.out);
            float *packed = zeros(kernels->linear->weight_floats(&shape));
            map_init(&map, shape.rows * shape.in, &seed);
            numbers_fill(weights, shape.in * shape.out, numbers_next(&seed));
            kernels->linear->prepare(kernels, &shape, weights, packed);
            struct layer_call call = layer_call(&map, shape.in);
            call.weights = packed;
            kernels->linear->run(kernels, &shape, &call,
                                 (struct parts){0, kernels->linear->parts(&shape)});
            check_map(kernels, &map);
            free(weights);
            free(packed);
        }
    }
}

static void attention_leaves_the_sums_that_its_norm_would_take(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (size_t k = 0; kernel_list_at(k) != NULL; k++) {
        const struct kernels *kernels = kernel_list_at(k)->kernels;
        for (size_t i = 0; kernels->attention->leaves_sums && i < ROUNDS; i++) {
            size_t heads = numbers_between(&seed, 1, 3), dim = numbers_between(&seed, 1, 70);
            size_t inner = heads * dim;
            struct map map = {.height = numbers_between(&seed, 1, 14),
                              .width = numbers_between(&seed, 1, 25),
                              .channels = inner};
            struct attention_shape shape = {map.height * map.width, heads, dim, 0.5f};
            float *scratch = zeros(kernels->attention->scratch_floats(&shape));
            map_init(&map, shape.tokens * 3 * inner, &seed);
            struct attention_call call = {.q = map.floats,
                                          .k = map.floats + inner,
                                          .v = map.floats + 2 * inner,
                                          .q_ld = 3 * inner,
                                          .k_ld = 3 * inner,
                                          .v_ld = 3 * inner,
                                          .out = map_out(&map),
                                          .out_ld = map.ld,
                                          .sums = map_sums(&map, 0),
                                          .samples = map.samples,
                                          .stride = map.stride,
                                          .divisor = i % 2 == 0 ? 1.0f : 2.0f};
            kernels->attention->run(kernels, &shape, &call,
                                    (struct parts){0, kernels->attention->parts(&shape)}, scratch);
            check_map(kernels, &map);
            free(scratch);
        }
    }
}

/* --- in a network: two convolutions make the halves of a map ---------------------------------- */

enum { SIDE = 16, IN = 48, FIRST = 40, SECOND = 24, ALL = FIRST + SECOND, PIXELS = SIDE * SIDE };

static void add_map_op(struct network *network, const struct op_kind *kind, struct operand in,
                       struct operand out, size_t channels)
{
    struct op op = op_of(kind, in, out);
    op.shape.map = (struct map_shape){SIDE, SIDE, channels};
    network_add(network, &op);
}

static void add_conv(struct network *network, struct operand in, struct operand out,
                     size_t channels)
{
    struct op op = op_of(&op_conv, in, out);
    op.shape.conv = (struct conv_shape){SIDE, SIDE, IN, SIDE, SIDE, channels, 1, 1, false};
    op.weights = 2 * ALL;
    network_add(network, &op);
}

/* Statistics of some channels of the map, and all of it normed by its own; `copies`: somebody else
 * writes into the first half, too. */
static void build(struct network *network, bool copies)
{
    struct operand in = network_buffer(network, PIXELS, IN);
    struct operand map = network_buffer(network, PIXELS, ALL), second = map;
    struct operand scale_shift = network_buffer(network, 1, 2 * ALL);
    struct operand normed = network_buffer(network, PIXELS, ALL);
    second.offset = FIRST;
    add_map_op(network, &op_image_in, OPERAND_NONE, in, IN);
    add_conv(network, in, second, SECOND);
    struct op norm = op_of(&op_norm_statistics, second, OPERAND_NONE);
    norm.shape.norm = (struct norm_shape){SIDE, SIDE, SECOND, 4, 1e-5, ACTIVATION_NONE};
    norm.scale_shift = network_buffer(network, 1, 2 * SECOND);
    norm.weights = 0;
    norm.bias = ALL;
    network_add(network, &norm);
    if (copies)
        add_map_op(network, &op_copy, in, map, IN);
    add_conv(network, in, map, FIRST);
    norm.in = map;
    norm.shape.norm.channels = ALL;
    norm.scale_shift = scale_shift;
    network_add(network, &norm);
    norm.kind = &op_norm_apply;
    norm.out = normed;
    network_add(network, &norm);
    add_map_op(network, &op_image_out, normed, OPERAND_NONE, ALL);
    struct error error;
    if (!network_plan(network, &error))
        fail_msg("%s", error.text);
}

static const struct kernels *kernels_of(const char *name)
{
    for (size_t k = 0; kernel_list_at(k) != NULL; k++)
        if (strcmp(kernel_list_at(k)->name, name) == 0)
            return kernel_list_at(k)->kernels;
    fail_msg("no backend %s", name);
    return NULL;
}

static bool sums(const struct network *network, size_t op)
{
    return network->ops[op].sums.buffer != NETWORK_NONE;
}

static void norms_of_maps_whose_makers_all_sum_do_not_read_them(void **state)
{
    (void)state;
    struct network network = {.kernels = kernels_of("portable")};
    build(&network, false);
    static const bool SUMS[] = {false, true, true, true, true};
    for (size_t i = 0; i < sizeof SUMS / sizeof *SUMS; i++)
        assert_int_equal(sums(&network, i), SUMS[i]);
    assert_int_equal(network.ops[1].sums.buffer, network.ops[4].sums.buffer);
    network_finish(&network);

    network = (struct network){.kernels = kernels_of("portable")};
    build(&network, true);
    assert_true(sums(&network, 1) && sums(&network, 2));
    assert_false(sums(&network, 3) || sums(&network, 4) || sums(&network, 5));
    network_finish(&network);

    network = (struct network){.kernels = kernels_of("openblas")};
    build(&network, false);
    for (size_t i = 0; i < network.op_count; i++)
        assert_false(sums(&network, i));
    network_finish(&network);
}

static void run(const struct network *network, unsigned threads, const float *x, float *y)
{
    struct evaluation evaluations[SAMPLES_MAX];
    struct error error;
    struct arena arena;
    struct gang *gang = gang_create(threads, &error);
    assert_non_null(gang);
    assert_true(arena_init(&arena, network_workspace_bytes(network, threads), &error));
    for (size_t i = 0; i < SAMPLES_MAX; i++)
        evaluations[i] =
            (struct evaluation){.x = x + i * PIXELS * IN, .output = y + i * PIXELS * ALL};
    network_run(network, evaluations, SAMPLES_MAX, gang, arena.base);
    arena_finish(&arena);
    gang_destroy(gang);
}

/* One thread takes groups and leaves sums; more than there are samples go part by part, rows in any
 * order. */
static void sums_do_not_change_a_bit_of_a_network(void **state)
{
    (void)state;
    enum { WEIGHTS = 9 * IN * ALL };
    float *x = zeros(SAMPLES_MAX * PIXELS * IN), *raw = zeros(WEIGHTS);
    float *whole = zeros(SAMPLES_MAX * PIXELS * ALL), *parts = zeros(SAMPLES_MAX * PIXELS * ALL);
    numbers_fill(x, SAMPLES_MAX * PIXELS * IN, 4);
    numbers_fill(raw, WEIGHTS, 5);
    for (size_t k = 0; kernel_list_at(k) != NULL; k++) {
        struct network network = {.kernels = kernel_list_at(k)->kernels};
        build(&network, false);
        const struct conv_kernel *conv = network.kernels->conv;
        const struct conv_shape *shape = &network.ops[3].shape.conv;
        float *weights = zeros(2 * ALL + conv->weight_floats(shape));
        numbers_fill(weights, 2 * ALL, 6);
        conv->prepare(network.kernels, shape, raw, weights + 2 * ALL);
        network.weights = weights;
        bool native = conv->leaves_sums != NULL;
        assert_true(!native || conv->parts(shape) > 1);
        run(&network, 1, x, whole);
        run(&network, SAMPLES_MAX + 1, x, parts);
        assert_true(isfinite(whole[0]) && whole[0] != 0.0f);
        assert_memory_equal(whole, parts, SAMPLES_MAX * PIXELS * ALL * sizeof *whole);
        free(weights);
        network_finish(&network);
    }
    free(x);
    free(raw);
    free(whole);
    free(parts);
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
        cmocka_unit_test(a_convolution_leaves_the_sums_that_its_norm_would_take),
        cmocka_unit_test(a_linear_layer_leaves_the_sums_that_its_norm_would_take),
        cmocka_unit_test(attention_leaves_the_sums_that_its_norm_would_take),
        cmocka_unit_test(norms_of_maps_whose_makers_all_sum_do_not_read_them),
        cmocka_unit_test(sums_do_not_change_a_bit_of_a_network),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
