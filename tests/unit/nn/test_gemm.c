/* Matrix products of every backend against a loop in double. */
#include "tests/support/test.h"

#include "core/base/gang.h"
#include "core/nn/kernels.h"
#include "tests/support/kernel_list.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (96 * 96 + 96 * 700)

struct product {
    struct gemm gemm;
    float a[ROOM], b[ROOM], c[ROOM], bias[ROOM], residual[ROOM];
};

/* Shapes around the edges of tiles and blocks, leading dimensions above them, every addition. */
static struct product *random_product(uint64_t *state)
{
    struct product *p = calloc(1, sizeof *p);
    assert_non_null(p);
    struct gemm *gemm = &p->gemm;
    gemm->rows = numbers_between(state, 1, 40);
    gemm->columns = numbers_between(state, 1, 70);
    gemm->depth = numbers_between(state, 1, numbers_between(state, 1, 4) == 1 ? 600 : 60);
    gemm->b_transposed = numbers_between(state, 0, 1) == 1;
    gemm->accumulates = numbers_between(state, 0, 3) == 0;
    gemm->a_ld = gemm->depth + numbers_between(state, 0, 5);
    gemm->b_ld = (gemm->b_transposed ? gemm->depth : gemm->columns) + numbers_between(state, 0, 5);
    gemm->c_ld = gemm->columns + numbers_between(state, 0, 5);
    gemm->residual_ld = gemm->columns + numbers_between(state, 0, 5);
    gemm->divisor = numbers_between(state, 0, 3) == 0 ? 1.5f : 1.0f;
    gemm->a = p->a;
    gemm->b = p->b;
    gemm->c = p->c;
    if (!gemm->accumulates && numbers_between(state, 0, 1) == 1)
        gemm->bias = p->bias;
    if (!gemm->accumulates && numbers_between(state, 0, 1) == 1)
        gemm->residual = p->residual;
    float *arrays[] = {p->a, p->b, p->c, p->bias, p->residual};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        numbers_fill(arrays[i], ROOM, numbers_next(state));
    return p;
}

static double expected(const struct gemm *gemm, const float *before, size_t row, size_t column)
{
    double sum = gemm->accumulates ? (double)before[row * gemm->c_ld + column] : 0;
    for (size_t k = 0; k < gemm->depth; k++)
        sum += (double)gemm->a[row * gemm->a_ld + k] *
               (double)(gemm->b_transposed ? gemm->b[column * gemm->b_ld + k]
                                           : gemm->b[k * gemm->b_ld + column]);
    if (gemm->bias != NULL)
        sum += (double)gemm->bias[column];
    if (gemm->residual != NULL)
        sum += (double)gemm->residual[row * gemm->residual_ld + column];
    return sum / (double)gemm->divisor;
}

static void every_backend_multiplies_as_a_loop_in_double(void **state)
{
    (void)state;
    const struct backend *backend;
    for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
        if (backend->kernels->gemm == NULL)
            continue;
        uint64_t seed = 1;
        for (int round = 0; round < 40; round++) {
            struct product *p = random_product(&seed);
            float *before = malloc(sizeof p->c);
            assert_non_null(before);
            memcpy(before, p->c, sizeof p->c);
            backend->kernels->gemm(&p->gemm);
            for (size_t row = 0; row < p->gemm.rows; row++)
                for (size_t j = 0; j < p->gemm.columns; j++) {
                    double difference =
                        (double)p->c[row * p->gemm.c_ld + j] - expected(&p->gemm, before, row, j);
                    assert_true(fabs(difference) <= 2e-7 * (double)(p->gemm.depth + 10));
                }
            free(before);
            free(p);
        }
    }
}

static void numbers_beyond_the_columns_are_left_alone(void **state)
{
    (void)state;
    const struct backend *backend;
    for (size_t i = 0; (backend = kernel_list_at(i)) != NULL; i++) {
        if (backend->kernels->gemm == NULL)
            continue;
        uint64_t seed = 2;
        for (int round = 0; round < 20; round++) {
            struct product *p = random_product(&seed);
            float *before = malloc(sizeof p->c);
            assert_non_null(before);
            memcpy(before, p->c, sizeof p->c);
            backend->kernels->gemm(&p->gemm);
            for (size_t at = 0; at < ROOM; at++)
                if (at / p->gemm.c_ld >= p->gemm.rows || at % p->gemm.c_ld >= p->gemm.columns)
                    assert_memory_equal(&p->c[at], &before[at], sizeof(float));
            free(before);
            free(p);
        }
    }
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
        cmocka_unit_test(every_backend_multiplies_as_a_loop_in_double),
        cmocka_unit_test(numbers_beyond_the_columns_are_left_alone),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
