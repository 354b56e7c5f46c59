/* The plan of memory, and small operations through a whole network. */
#include "tests/support/test.h"

#include "core/base/arena.h"
#include "core/nn/backend.h"
#include "core/nn/network.h"
#include "tests/support/numbers.h"

#include <stdlib.h>
#include <string.h>

static void add_map(struct network *network, const struct op_kind *kind, struct operand in,
                    struct operand out, struct map_shape shape)
{
    struct op op = op_of(kind, in, out);
    op.shape.map = shape;
    network_add(network, &op);
}

static void planned(struct network *network)
{
    struct error error;
    if (!network_plan(network, &error))
        fail_msg("%s", error.text);
}

/* A long chain with buffers of every size and lifetime. */
static void buffers_that_are_alive_together_do_not_overlap(void **state)
{
    (void)state;
    struct network network = {.kernels = backend_find("portable")->kernels};
    struct operand buffers[60];
    uint64_t seed = 1;
    size_t all = 0;
    for (size_t i = 0; i < 60; i++) {
        buffers[i] = network_buffer(&network, 1, numbers_between(&seed, 1, 500));
        all += network.buffers[i].floats;
    }
    for (size_t i = 0; i + 1 < 60; i++) {
        size_t from = i - numbers_between(&seed, 0, i < 9 ? i : 9);
        add_map(&network, &op_copy, buffers[from], buffers[i + 1], (struct map_shape){1, 1, 1});
    }
    planned(&network);
    for (size_t i = 0; i < 60; i++)
        for (size_t j = 0; j < i; j++) {
            const struct network_buffer *a = &network.buffers[i], *b = &network.buffers[j];
            bool together = a->first <= b->last && b->first <= a->last;
            bool apart = a->offset + a->floats <= b->offset || b->offset + b->floats <= a->offset;
            assert_true(!together || apart);
            assert_true(a->offset + a->floats <= network.activation_floats);
            assert_int_equal(a->offset % (ARENA_ALIGN / sizeof(float)), 0);
        }
    assert_true(network.activation_floats < all / 2);
    network_finish(&network);
}

/* in, twice the size, half the size, out: the image again. Then as many evaluations as there are
 * workers and not. */
static void samples_come_through_whole_and_in_step(void **state)
{
    (void)state;
    enum { SAMPLES = 7, FLOATS = 2 * 4 * 6, ALL = SAMPLES * FLOATS };
    struct network network = {.kernels = backend_find("portable")->kernels};
    struct map_shape small = {4, 6, 2}, large = {8, 12, 2};
    struct operand in = network_buffer(&network, 24, 2), up = network_buffer(&network, 96, 2);
    struct operand down = network_buffer(&network, 24, 2);
    add_map(&network, &op_image_in_centered, OPERAND_NONE, in, small);
    add_map(&network, &op_upsample, in, up, small);
    add_map(&network, &op_average, up, down, large);
    add_map(&network, &op_image_out, down, OPERAND_NONE, small);
    planned(&network);
    float x[ALL], y[ALL];
    numbers_fill(x, ALL, 2);
    struct evaluation evaluations[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++)
        evaluations[i] = (struct evaluation){.x = x + i * FLOATS, .output = y + i * FLOATS};
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct error error;
        struct arena arena;
        struct gang *gang = gang_create(threads, &error);
        assert_non_null(gang);
        assert_true(arena_init(&arena, network_workspace_bytes(&network, threads), &error));
        memset(y, 0, sizeof y);
        network_run(&network, evaluations, SAMPLES, gang, arena.base);
        for (size_t i = 0; i < ALL; i++)
            assert_true(y[i] == 2.0f * x[i] - 1.0f);
        arena_finish(&arena);
        gang_destroy(gang);
    }
    network_finish(&network);
}

/* Large enough that filters are cut: the same numbers whole and in step, and each divided by its
 * own time. */
static void filtered_samples_are_the_same_whole_and_in_step_and_over_their_time(void **state)
{
    (void)state;
    enum { SAMPLES = 5, SIDE = 64, FLOATS = 3 * SIDE * SIDE, ALL = SAMPLES * FLOATS };
    struct network network = {.kernels = backend_find("portable")->kernels};
    struct map_shape small = {SIDE, SIDE, 3}, large = {2 * SIDE, 2 * SIDE, 3};
    struct operand in = network_buffer(&network, SIDE * SIDE, 3);
    struct operand up = network_buffer(&network, 4 * SIDE * SIDE, 3);
    struct operand down = network_buffer(&network, SIDE * SIDE, 3);
    add_map(&network, &op_image_in, OPERAND_NONE, in, small);
    add_map(&network, &op_fir_up, in, up, small);
    add_map(&network, &op_fir_down, up, down, large);
    add_map(&network, &op_image_out_over_time, down, OPERAND_NONE, small);
    planned(&network);
    assert_true(op_fir_up.parts(network.kernels, &network.ops[1]) > 1);
    float *x = calloc(ALL, sizeof *x), *y = calloc(ALL, sizeof *y);
    assert_non_null(x);
    assert_non_null(y);
    numbers_fill(x, FLOATS, 3);
    struct evaluation evaluations[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++)
        evaluations[i] =
            (struct evaluation){.x = x, .output = y + i * FLOATS, .time = (double)(1 << i) * 0.25};
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct error error;
        struct arena arena;
        struct gang *gang = gang_create(threads, &error);
        assert_non_null(gang);
        assert_true(arena_init(&arena, network_workspace_bytes(&network, threads), &error));
        memset(y, 0, ALL * sizeof *y);
        network_run(&network, evaluations, SAMPLES, gang, arena.base);
        assert_true(y[0] != 0);
        for (size_t i = 1; i < SAMPLES; i++)
            for (size_t k = 0; k < FLOATS; k++)
                assert_true(y[i * FLOATS + k] * (float)(1 << i) == y[k]);
        arena_finish(&arena);
        gang_destroy(gang);
    }
    free(x);
    free(y);
    network_finish(&network);
}

static void a_table_answers_the_row_of_the_time_or_the_label(void **state)
{
    (void)state;
    struct network network = {.kernels = backend_find("portable")->kernels};
    const float table[] = {0, 1, 2, 3, 4, 5};
    struct operand row = network_buffer(&network, 1, 2);
    struct op op = op_of(&op_table_row, OPERAND_NONE, row);
    op.weights = 0;
    op.shape.embedding = (struct embedding_shape){.count = 2, .rows = 3};
    network.weights = table;
    network_add(&network, &op);
    add_map(&network, &op_image_out, row, OPERAND_NONE, (struct map_shape){1, 1, 2});
    planned(&network);
    struct error error;
    struct arena arena;
    struct gang *gang = gang_create(1, &error);
    assert_non_null(gang);
    assert_true(arena_init(&arena, network_workspace_bytes(&network, 1), &error));
    static const double TIMES[] = {0, 1, 2, 1.4, 17, -3}, FIRST[] = {0, 2, 4, 2, 4, 0};
    for (size_t i = 0; i < 6; i++) {
        float y[2];
        struct evaluation evaluation = {.output = y, .time = TIMES[i], .label = 2};
        network.ops[0].shape.embedding.of_label = false;
        network_run(&network, &evaluation, 1, gang, arena.base);
        assert_true((double)y[0] == FIRST[i]);
        network.ops[0].shape.embedding.of_label = true;
        network_run(&network, &evaluation, 1, gang, arena.base);
        assert_true(y[1] == 5.0f);
    }
    arena_finish(&arena);
    gang_destroy(gang);
    network_finish(&network);
}

/* Of each but two numbers nothing is touched: room costs nothing. */
static void huge_samples_share_the_room_of_one(void **state)
{
    (void)state;
    enum { SAMPLES = 5, FLOATS = 2, THREADS = 3 };
    struct network network = {.kernels = backend_find("portable")->kernels};
    struct map_shape pixel = {1, 1, FLOATS};
    struct operand in = network_buffer(&network, 1, FLOATS);
    struct operand huge = network_buffer(&network, 1 << 14, (1 << 14) + 1);
    struct operand out = network_buffer(&network, 1, FLOATS);
    add_map(&network, &op_image_in, OPERAND_NONE, in, pixel);
    add_map(&network, &op_copy, in, huge, pixel);
    add_map(&network, &op_copy, huge, out, pixel);
    add_map(&network, &op_image_out, out, OPERAND_NONE, pixel);
    planned(&network);
    size_t bytes = network_workspace_bytes(&network, THREADS);
    assert_true(bytes < 2 * network_workspace_bytes(&network, 1));
    float x[SAMPLES * FLOATS], y[SAMPLES * FLOATS] = {0};
    struct evaluation evaluations[SAMPLES];
    numbers_fill(x, SAMPLES * FLOATS, 4);
    for (size_t i = 0; i < SAMPLES; i++)
        evaluations[i] = (struct evaluation){.x = x + i * FLOATS, .output = y + i * FLOATS};
    struct error error;
    struct arena arena;
    struct gang *gang = gang_create(THREADS, &error);
    assert_non_null(gang);
    assert_true(arena_init(&arena, bytes, &error));
    network_run(&network, evaluations, SAMPLES, gang, arena.base);
    assert_memory_equal(y, x, sizeof y);
    arena_finish(&arena);
    gang_destroy(gang);
    network_finish(&network);
}

/* A model whose class is a vector is measured before anybody gave it one. */
static void a_vector_that_is_not_given_is_zero(void **state)
{
    (void)state;
    static const float VECTOR[] = {3, -2, 7};
    struct network network = {.kernels = backend_find("portable")->kernels};
    struct operand row = network_buffer(&network, 1, 3);
    struct op op = op_of(&op_vector_in, OPERAND_NONE, row);
    op.shape.embedding = (struct embedding_shape){.count = 3};
    network_add(&network, &op);
    add_map(&network, &op_image_out, row, OPERAND_NONE, (struct map_shape){1, 1, 3});
    planned(&network);
    struct error error;
    struct arena arena;
    struct gang *gang = gang_create(1, &error);
    assert_non_null(gang);
    assert_true(arena_init(&arena, network_workspace_bytes(&network, 1), &error));
    float given[3], missing[3];
    const struct evaluation evaluations[] = {{.output = given, .vector = VECTOR},
                                             {.output = missing}};
    network_run(&network, evaluations, 2, gang, arena.base);
    for (size_t i = 0; i < 3; i++) {
        assert_true(given[i] == VECTOR[i]);
        assert_true(missing[i] == 0.0f);
    }
    arena_finish(&arena);
    gang_destroy(gang);
    network_finish(&network);
}

/* 3x3 windows of 2 numbers at each of 6 outputs, 5 channels; 4 rows of 3 to 7; 11 tokens of 2 x 4.
 */
static void work_is_the_multiply_adds_of_the_products(void **state)
{
    (void)state;
    struct network network = {.kernels = backend_find("portable")->kernels};
    struct op conv = op_of(&op_conv, OPERAND_NONE, OPERAND_NONE);
    struct op linear = op_of(&op_linear, OPERAND_NONE, OPERAND_NONE);
    struct op attention = op_of(&op_attention, OPERAND_NONE, OPERAND_NONE);
    conv.shape.conv = (struct conv_shape){
        .in_channels = 2, .out_height = 2, .out_width = 3, .out_channels = 5, .stride = 1};
    linear.shape.linear = (struct linear_shape){.rows = 4, .in = 3, .out = 7};
    attention.shape.attention = (struct attention_shape){.tokens = 11, .heads = 2, .head_dim = 4};
    add_map(&network, &op_copy, OPERAND_NONE, OPERAND_NONE, (struct map_shape){9, 9, 9});
    network_add(&network, &conv);
    assert_true(network_work(&network) == 9 * 2 * 6 * 5);
    network_add(&network, &linear);
    assert_true(network_work(&network) == 540 + 4 * 3 * 7);
    network_add(&network, &attention);
    assert_true(network_work(&network) == 624 + 2 * 11 * 11 * 8);
    network_finish(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_that_are_alive_together_do_not_overlap),
        cmocka_unit_test(samples_come_through_whole_and_in_step),
        cmocka_unit_test(filtered_samples_are_the_same_whole_and_in_step_and_over_their_time),
        cmocka_unit_test(work_is_the_multiply_adds_of_the_products),
        cmocka_unit_test(a_table_answers_the_row_of_the_time_or_the_label),
        cmocka_unit_test(a_vector_that_is_not_given_is_zero),
        cmocka_unit_test(huge_samples_share_the_room_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
