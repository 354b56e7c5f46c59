/* Products by panels, in every build that this CPU runs, against the chain that panel.h states:
 * each number has the same bits. */
#include "tests/support/test.h"

#include "core/nn/backend.h"
#include "core/nn/panel.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct build {
    void (*run)(const struct panel_product *product);
    bool (*fits)(void);
};

static const struct build BUILDS[] = {
    {panel_product_baseline, cpu_is_any},
    {panel_product_fma, cpu_has_fma},
    {panel_product_avx2, cpu_has_fma},
    {panel_product_avx512, cpu_has_avx512},
};

enum { BUILD_COUNT = sizeof BUILDS / sizeof BUILDS[0] };

/* Of exactly the size that is used, so that a sanitizer sees a number read beyond it. */
static float *numbers(size_t count, uint64_t *seed)
{
    float *out = malloc(count * sizeof *out);
    assert_non_null(out);
    numbers_fill(out, count, numbers_next(seed));
    return out;
}

/* Row-major [depth][columns]. */
static float *packed(const float *b, size_t columns, size_t depth)
{
    size_t count = panel_floats(columns, depth);
    float *out = calloc(count, sizeof *out);
    assert_non_null(out);
    for (size_t k = 0; k < depth; k++)
        for (size_t j = 0; j < columns; j++) {
            size_t place = panel_place(columns, depth, k, j);
            assert_true(place < count && out[place] == 0);
            out[place] = b[k * columns + j];
        }
    return out;
}

static void assert_chains(const struct panel_product *product, const float *b, const float *before)
{
    for (size_t i = 0; i < product->rows; i++)
        for (size_t j = 0; j < product->c_ld; j++) {
            size_t place = i * product->c_ld + j;
            if (i + 1 == product->rows && j >= product->columns)
                break;
            float sum = j < product->columns ? 0.0f : before[place];
            for (size_t k = 0; j < product->columns && k < product->depth; k++)
                sum = fmaf(product->a[i * product->a_ld + k], b[k * product->columns + j], sum);
            if (memcmp(&sum, &product->c[place], sizeof sum) != 0)
                fail_msg("%zu x %zu x %zu: c[%zu][%zu] is %.9g, not %.9g", product->rows,
                         product->columns, product->depth, i, j, (double)product->c[place],
                         (double)sum);
        }
}

static void check_product(struct panel_product product, uint64_t *seed)
{
    size_t rows = product.rows, columns = product.columns, depth = product.depth;
    product.a_ld = depth + numbers_between(seed, 0, 3);
    product.c_ld = columns + numbers_between(seed, 0, 3);
    float *a = numbers((rows - 1) * product.a_ld + depth, seed);
    float *b = numbers(depth * columns, seed), *panels = packed(b, columns, depth);
    size_t c_count = (rows - 1) * product.c_ld + columns;
    float *before = numbers(c_count, seed), *c = malloc(c_count * sizeof *c);
    assert_non_null(c);
    product.a = a;
    product.panels = panels;
    product.c = c;
    for (size_t i = 0; i < 2 * BUILD_COUNT; i++)
        if (BUILDS[i / 2].fits()) {
            product.near = i % 2 != 0;
            memcpy(c, before, c_count * sizeof *c);
            BUILDS[i / 2].run(&product);
            assert_chains(&product, b, before);
        }
    free(a);
    free(b);
    free(panels);
    free(before);
    free(c);
}

static void every_count_of_rows_and_columns_is_one_chain(void **state)
{
    (void)state;
    uint64_t seed = 31;
    for (size_t rows = 1; rows <= 26; rows++)
        for (size_t columns = 1; columns <= 100; columns += numbers_between(&seed, 1, 15))
            check_product((struct panel_product){.rows = rows,
                                                 .columns = columns,
                                                 .depth = numbers_between(&seed, 1, 20)},
                          &seed);
}

static void a_chain_goes_on_from_block_to_block_of_depth(void **state)
{
    (void)state;
    static const size_t DEPTHS[] = {PANEL_DEPTH - 1, PANEL_DEPTH,         PANEL_DEPTH + 1,
                                    2 * PANEL_DEPTH, 2 * PANEL_DEPTH + 5, 3 * PANEL_DEPTH + 77};
    uint64_t seed = 32;
    for (size_t i = 0; i < sizeof DEPTHS / sizeof *DEPTHS; i++)
        for (size_t rows = 1; rows <= 13; rows += 4)
            check_product((struct panel_product){.rows = rows,
                                                 .columns = numbers_between(&seed, 60, 130),
                                                 .depth = DEPTHS[i]},
                          &seed);
}

static void some_panels_of_a_matrix_are_a_product(void **state)
{
    (void)state;
    enum { ROWS = 5, COLUMNS = 150, DEPTH = PANEL_DEPTH + 9, FIRST = 2 * PANEL_COLUMNS, SOME = 77 };
    uint64_t seed = 33;
    float *a = numbers(ROWS * DEPTH, &seed), *b = numbers(DEPTH * COLUMNS, &seed);
    float *panels = packed(b, COLUMNS, DEPTH), *c = numbers(ROWS * COLUMNS, &seed);
    float *some = numbers(ROWS * SOME, &seed);
    for (size_t i = 0; i < BUILD_COUNT; i++)
        if (BUILDS[i].fits()) {
            struct panel_product all = {ROWS,  COLUMNS, DEPTH, a, panels, c,
                                        DEPTH, COLUMNS, 0,     0, false};
            struct panel_product part = {ROWS,  SOME, DEPTH,   a,     panels, some,
                                         DEPTH, SOME, COLUMNS, FIRST, false};
            BUILDS[i].run(&all);
            BUILDS[i].run(&part);
            for (size_t row = 0; row < ROWS; row++)
                assert_memory_equal(some + row * SOME, c + row * COLUMNS + FIRST, SOME * sizeof *c);
        }
    free(a);
    free(b);
    free(panels);
    free(c);
    free(some);
}

/* The sum begins as +0 and takes every product: -0 alone gives +0, and a zero does not hide a
 * NaN. */
static void zeros_and_nans_belong_to_the_chain(void **state)
{
    (void)state;
    float a[2] = {-0.0f, 0.0f}, b[2] = {1.0f, 2.0f}, c = 1;
    float *panels = packed(b, 1, 2);
    struct panel_product product = {1, 1, 2, a, panels, &c, 2, 1, 0, 0, false};
    for (size_t i = 0; i < BUILD_COUNT; i++)
        if (BUILDS[i].fits()) {
            a[1] = -0.0f;
            BUILDS[i].run(&product);
            assert_true(c == 0 && !signbit(c));
            a[1] = NAN;
            BUILDS[i].run(&product);
            assert_true(isnan(c));
        }
    free(panels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_count_of_rows_and_columns_is_one_chain),
        cmocka_unit_test(a_chain_goes_on_from_block_to_block_of_depth),
        cmocka_unit_test(some_panels_of_a_matrix_are_a_product),
        cmocka_unit_test(zeros_and_nans_belong_to_the_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
