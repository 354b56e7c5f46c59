/* The filter against its definition: zeros put in, padding, a correlation with 4 x 4 weights, every
 * second number kept, in double. */
#include "tests/support/test.h"

#include "core/nn/fir.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <string.h>

enum { FLOATS_MAX = 64 * 64 * 40, OUT_MAX = 4 * FLOATS_MAX };

static float in[FLOATS_MAX], out[OUT_MAX], again[OUT_MAX];

/* A number of the map that is filtered: `up` puts a zero behind every number. */
static double padded(const struct fir *fir, ptrdiff_t y, ptrdiff_t x, size_t c)
{
    ptrdiff_t step = fir->up ? 2 : 1;
    ptrdiff_t height = (ptrdiff_t)fir->height * step, width = (ptrdiff_t)fir->width * step;
    if (y < 0 || x < 0 || y >= height || x >= width || y % step != 0 || x % step != 0)
        return 0;
    return (double)fir->in[((size_t)(y / step) * fir->width + (size_t)(x / step)) * fir->in_ld + c];
}

/* diffusers' upfirdn2d: pad (2,1) and weights over 16 for twice the size, (1,1) and over 64 for
 * half. */
static double expected(const struct fir *fir, size_t y, size_t x, size_t c)
{
    static const double K[] = {1, 3, 3, 1};
    ptrdiff_t step = fir->up ? 1 : 2, pad = fir->up ? 2 : 1;
    double sum = 0;
    for (ptrdiff_t a = 0; a < 4; a++)
        for (ptrdiff_t b = 0; b < 4; b++)
            sum += K[a] * K[b] *
                   padded(fir, (ptrdiff_t)y * step + a - pad, (ptrdiff_t)x * step + b - pad, c);
    return sum / (fir->up ? 16 : 64);
}

static size_t sampled(const struct fir *fir, size_t size)
{
    return fir->up ? 2 * size : size / 2;
}

static void run(const struct fir *fir)
{
    for (size_t part = fir_parts(fir); part > 0; part--)
        fir_run(fir, part - 1);
}

static void check(const struct fir *fir)
{
    size_t height = sampled(fir, fir->height), width = sampled(fir, fir->width);
    for (size_t i = 0; i < OUT_MAX; i++)
        out[i] = NAN;
    run(fir);
    for (size_t p = 0; p < height * width; p++)
        for (size_t c = 0; c < fir->out_ld; c++) {
            double y = (double)out[p * fir->out_ld + c];
            if (c < fir->channels)
                assert_true(fabs(y - expected(fir, p / width, p % width, c)) <= 1e-6);
            else
                assert_true(isnan(y)); /* another map's channels */
        }
}

static const struct fir SHAPES[] = {
    {2, 2, 3, false, in, out, 3, 3},     {2, 6, 1, false, in, out, 4, 2},
    {8, 4, 17, false, in, out, 20, 33},  {64, 64, 40, false, in, out, 40, 40},
    {16, 2, 3, false, in, out, 3, 3},    {1, 1, 3, true, in, out, 3, 3},
    {1, 5, 2, true, in, out, 3, 7},      {4, 3, 33, true, in, out, 33, 34},
    {32, 32, 40, true, in, out, 40, 40}, {32, 64, 20, true, in, out, 20, 20},
};

static void both_ways_are_as_defined(void **state)
{
    (void)state;
    numbers_fill(in, FLOATS_MAX, 1);
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        check(&SHAPES[i]);
}

static void large_maps_are_cut_and_small_ones_are_not(void **state)
{
    (void)state;
    struct fir large = {.height = 64, .width = 64, .channels = 40};
    struct fir flat = {.height = 2, .width = 1 << 16, .channels = 8};
    assert_int_equal(fir_parts(&SHAPES[0]), 1);
    assert_true(fir_parts(&large) > 1);
    assert_int_equal(fir_parts(&flat), 1); /* one row cannot be cut */
}

/* Inside the map; at its edge zeros are mixed in. */
static void a_flat_map_stays_flat(void **state)
{
    (void)state;
    struct fir up = {8, 8, 3, true, in, out, 3, 3}, down = up;
    down.up = false;
    for (size_t i = 0; i < 8 * 8 * 3; i++)
        in[i] = 0.7f;
    run(&up);
    for (size_t y = 1; y < 15; y++)
        for (size_t x = 1; x < 15; x++)
            assert_true(fabsf(out[(y * 16 + x) * 3] - 0.7f) <= 1e-6f);
    assert_true(fabsf(out[0] - 0.7f * 0.5625f) <= 1e-6f);
    run(&down);
    for (size_t y = 1; y < 3; y++)
        for (size_t x = 1; x < 3; x++)
            assert_true(fabsf(out[(y * 4 + x) * 3] - 0.7f) <= 1e-6f);
    assert_true(fabsf(out[0] - 0.7f * 0.765625f) <= 1e-6f);
}

static void bits_do_not_depend_on_what_is_beside(void **state)
{
    (void)state;
    numbers_fill(in, FLOATS_MAX, 2);
    struct fir narrow = {16, 16, 5, true, in, out, 5, 5};
    run(&narrow);
    static float wide_in[16 * 16 * 9];
    for (size_t p = 0; p < 16 * 16; p++)
        memcpy(wide_in + p * 9, in + p * 5, 5 * sizeof *in);
    struct fir wide = {16, 16, 9, true, wide_in, again, 9, 9};
    run(&wide);
    for (size_t p = 0; p < 32 * 32; p++)
        assert_memory_equal(out + p * 5, again + p * 9, 5 * sizeof *out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_are_as_defined),
        cmocka_unit_test(large_maps_are_cut_and_small_ones_are_not),
        cmocka_unit_test(a_flat_map_stays_flat),
        cmocka_unit_test(bits_do_not_depend_on_what_is_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
