/* Embeddings as torch computes them (diffusers' GaussianFourierProjection). */
#include "tests/support/test.h"

#include "core/nn/embedding.h"

#include <math.h>

static const float FREQUENCIES[] = {0.5f, -1.25f, 3.0f, -17.0f, 40.0f};

struct known {
    double time;
    double values[10]; /* sines, then cosines */
};

static const struct known KNOWN[] = {
    {0.01,
     {-0.945911884, -0.999175489, 0.916473091, 0.97178334, -0.963435888, -0.324423701, 0.0405995622,
      0.400096327, -0.235875219, 0.267939031}},
    {1, {0, 0, 0, 0, 0, 1, 1, 1, 1, 1}},
    {348,
     {-0.447814167, -0.917121112, -0.348222017, -0.0788337216, 0.525759578, 0.894126654,
      -0.398608714, -0.937412083, -0.996887803, 0.850633204}},
};

static void fourier_embeddings_are_those_of_torch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        float out[10];
        embedding_fourier(FREQUENCIES, 5, KNOWN[i].time, out);
        for (size_t k = 0; k < 10; k++)
            assert_true(fabs((double)out[k] - KNOWN[i].values[k]) <= 2e-7);
    }
}

/* So that a sample at time 0 is answered as not finite. */
static void a_fourier_embedding_of_time_zero_is_not_a_number(void **state)
{
    (void)state;
    float out[10];
    embedding_fourier(FREQUENCIES, 5, 0, out);
    for (size_t k = 0; k < 10; k++)
        assert_true(isnan(out[k]));
}

static void frequencies_fall_from_one_to_a_ten_thousandth(void **state)
{
    (void)state;
    float f[8];
    embedding_frequencies(8, 1, f);
    assert_true(f[0] == 1.0f);
    assert_true(fabs((double)f[7] - 1e-4) <= 1e-10);
    for (size_t k = 1; k < 8; k++)
        assert_true(fabs((double)f[k] - pow(1e-4, (double)k / 7)) <= 1e-6 * (double)f[k]);
}

static void an_angle_of_zero_has_sine_zero_and_cosine_one_in_either_order(void **state)
{
    (void)state;
    const float f[] = {1.0f, 0.5f};
    float out[4];
    embedding_sinusoidal(f, 2, 0, false, out);
    assert_true(out[0] == 0 && out[1] == 0 && out[2] == 1.0f && out[3] == 1.0f);
    embedding_sinusoidal(f, 2, 0, true, out);
    assert_true(out[0] == 1.0f && out[1] == 1.0f && out[2] == 0 && out[3] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fourier_embeddings_are_those_of_torch),
        cmocka_unit_test(a_fourier_embedding_of_time_zero_is_not_a_number),
        cmocka_unit_test(frequencies_fall_from_one_to_a_ten_thousandth),
        cmocka_unit_test(an_angle_of_zero_has_sine_zero_and_cosine_one_in_either_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
