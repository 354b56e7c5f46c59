#include "tests/support/test.h"

#include "core/base/gang.h"
#include "core/base/math.h"
#include "core/base/math_angle.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define POINTS 20000

static uint64_t random_state;

/* xorshift64 (Marsaglia 2003), in [0,1) */
static double uniform(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(random_state >> 11) * 0x1p-53;
}

/* The distance in units of the last place of `want`, rounded to double. A result below the least
 * normal number may be zero. */
static double distance_in_ulps(double got, long double want)
{
    const double rounded = (double)want;
    int exponent;

    if (isnan(rounded))
        return isnan(got) ? 0 : HUGE_VAL;
    if (fabsl(want) < (long double)DBL_MIN)
        return fabs(got) <= DBL_MIN ? 0 : HUGE_VAL;
    if (isinf(rounded))
        return got == rounded ? 0 : HUGE_VAL;
    (void)frexp(rounded, &exponent);
    return (double)(fabsl((long double)got - want) / ldexpl(1, exponent - DBL_MANT_DIG));
}

struct range {
    const char *name;
    double (*ours)(double x);
    long double (*exact)(long double x);
    double low, high;
    bool logarithmic; /* |x| from e^low to e^high, both signs where the function has them */
    bool negative;
};

static const struct range RANGES[] = {
    {"exp", math_exp, expl, -720, 720, false, false},
    {"exp", math_exp, expl, -2, 2, false, false},
    {"exp", math_exp, expl, -45, 6, true, true},
    {"expm1", math_expm1, expm1l, -1, 1, false, false},
    {"expm1", math_expm1, expm1l, -45, 720, false, false},
    {"expm1", math_expm1, expm1l, -700, 5, true, true},
    {"log", math_log, logl, -708, 709, true, false},
    {"log", math_log, logl, 0.5, 2, false, false},
    {"log", math_log, logl, 0.98, 1.02, false, false},
    {"log", math_log, logl, 0.9999, 1.0001, false, false},
    {"log1p", math_log1p, log1pl, -1, 1, false, false},
    {"log1p", math_log1p, log1pl, -0.02, 0.02, false, false},
    {"log1p", math_log1p, log1pl, -700, -0.1, true, true},
    {"log1p", math_log1p, log1pl, -1, 709, true, false},
    {"sin", math_sin, sinl, -4, 4, false, false},
    {"sin", math_sin, sinl, -0x1p20, 0x1p20, false, false},
    {"sin", math_sin, sinl, -0x1p30, 0x1p30, false, false},
    {"sin", math_sin, sinl, -700, 20, true, true},
    {"cos", math_cos, cosl, -4, 4, false, false},
    {"cos", math_cos, cosl, -0x1p20, 0x1p20, false, false},
    {"cos", math_cos, cosl, -0x1p30, 0x1p30, false, false},
    {"cos", math_cos, cosl, -700, 20, true, true},
    {"tanh", math_tanh, tanhl, -1, 1, false, false},
    {"tanh", math_tanh, tanhl, -700, 4, true, true},
};

static double point_of(const struct range *range)
{
    const double x = range->low + (range->high - range->low) * uniform();

    if (!range->logarithmic)
        return x;
    return range->negative && uniform() < 0.5 ? -math_exp(x) : math_exp(x);
}

static void check_range(const struct range *range)
{
    double worst = 0;
    double where = 0;

    for (int i = 0; i < POINTS; i++) {
        const double x = point_of(range);
        const double distance = distance_in_ulps(range->ours(x), range->exact((long double)x));

        if (distance > worst) {
            worst = distance;
            where = x;
        }
    }
    print_message("%-5s on [%g, %g]%s: at most %.3f ulp\n", range->name, range->low, range->high,
                  range->logarithmic ? " (logarithms)" : "", worst);
    if (worst > 1)
        fail_msg("%s(%a) is off by %g ulp", range->name, where, worst);
}

static void every_function_is_within_one_ulp(void **state)
{
    (void)state;
    random_state = 1;
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++)
        check_range(&RANGES[i]);
}

/* Doubles next to multiples of pi/2, where nearly all digits of the angle cancel. What is wanted
 * was computed with 300 bits. */
static void multiples_of_half_pi_lose_nothing(void **state)
{
    static const struct {
        double x, sine, cosine;
    } hard[] = {
        {0x1.6c6cbc45dc8dep+5, 1, -0x1.6d61b58c99c43p-61},
        {0x1.6c6cbc45dc8dep+10, 0x1.6d61b58c99c43p-56, 1},
        {0x1.39c6fd67805a7p+18, -1, -0x1.988efe18ff83fp-55},
        {0x1.39c6fd67805a7p+19, 0x1.988efe18ff83fp-54, -1},
        {0x1.93c05c9ed3cbcp+18, 1, -0x1.065d73720c4f9p-52},
        {0x1.dd37756b1f980p+28, -0x1.27d0601dabc96p-48, 1},
        {0x1.78475e436aa51p+26, 1, 0x1.18da7973e70c2p-46},
        {0x1.a90f4c923db50p+28, 1, 0x1.19967732b5ea0p-46},
    };

    (void)state;
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
        const double x = hard[i].x;

        assert_true(math_sin(x) == hard[i].sine);
        assert_true(math_cos(x) == hard[i].cosine);
        assert_true(math_sin(-x) == -hard[i].sine);
    }
}

static void powers_are_within_one_ulp(void **state)
{
    static const double widths[] = {1400, 2, 0.02};
    double worst = 0;

    (void)state;
    random_state = 2;
    for (int i = 0; i < 3 * POINTS; i++) {
        const double x = math_exp(widths[i % 3] * (uniform() - 0.5));
        const double y = (2 * uniform() - 1) * 740 / math_log(x);

        worst = fmax(worst, distance_in_ulps(math_pow(x, y), powl((long double)x, (long double)y)));
    }
    print_message("pow: at most %.3f ulp\n", worst);
    assert_true(worst <= 1);
}

static void erf_is_within_1e_15(void **state)
{
    double worst = 0;

    (void)state;
    for (int i = -POINTS; i <= POINTS; i++) {
        const double x = 7.0 * i / POINTS;

        worst = fmax(worst, fabs((double)((long double)math_erf(x) - erfl((long double)x))));
    }
    print_message("erf: at most %g\n", worst);
    assert_true(worst <= 1e-15);
}

static void acos_is_within_1e_15(void **state)
{
    double worst = 0;

    (void)state;
    for (int i = -POINTS; i <= POINTS; i++) {
        /* Dense at both ends, where the angle turns as a root does. */
        const double x = math_sin(1.5707963267948966 * (double)i / POINTS);

        worst = fmax(worst, fabs((double)((long double)math_acos(x) - acosl((long double)x))));
    }
    print_message("acos: at most %g\n", worst);
    assert_true(worst <= 1e-15);
}

/* Down to the least normal number; where libm has no digits left by the asymptotic series. */
static void erfc_and_erfcx_are_within_1e_15_of_their_value(void **state)
{
    double worst = 0, worst_scaled = 0;

    (void)state;
    for (int i = -POINTS; i <= 4 * POINTS; i++) {
        const long double x = (long double)(6.5 * i / POINTS), exact = erfcl(x);

        worst = fmax(worst, fabs((double)(((long double)math_erfc((double)x) - exact) / exact)));
        worst_scaled =
            fmax(worst_scaled,
                 fabs((double)((long double)math_erfcx((double)x) / (expl(x * x) * exact) - 1)));
    }
    print_message("erfc: at most %g, erfcx: at most %g\n", worst, worst_scaled);
    assert_true(worst <= 1e-15);
    assert_true(worst_scaled <= 1e-15);
    for (int power = 4; power < 300; power++) {
        const double y = pow(10.0, power), pi = acos(-1.0);

        assert_true(fabs(math_erfcx(y) * y * sqrt(pi) * (1 + 0.5 / y / y) - 1) < 2e-15);
    }
}

struct special {
    double got, want;
};

static void special_values_are_what_analysis_says(void **state)
{
    const double inf = (double)INFINITY;
    const double nan_value = (double)NAN;
    const struct special specials[] = {
        {math_exp(0), 1},
        {math_exp(inf), inf},
        {math_exp(-inf), 0},
        {math_exp(0x1.62e42fefa39efp+9), 0x1.fffffffffff2ap+1023},
        {math_exp(709.79), inf},
        {math_exp(-708.4), 0},
        {math_exp(1e300), inf},
        {math_exp(-1e300), 0},
        {math_expm1(inf), inf},
        {math_expm1(-inf), -1},
        {math_expm1(0), 0},
        {math_expm1(710), inf},
        {math_log(1), 0},
        {math_log(0), -inf},
        {math_log(inf), inf},
        {math_log(-1), nan_value},
        {math_log(0x1p-1060), -inf},
        {math_log1p(0), 0},
        {math_log1p(-1), -inf},
        {math_log1p(-2), nan_value},
        {math_log1p(inf), inf},
        {math_log1p(1e-300), 1e-300},
        {math_sin(0), 0},
        {math_sin(inf), nan_value},
        {math_cos(0), 1},
        {math_cos(-inf), nan_value},
        {math_pow(2, 10), 1024},
        {math_pow(2, -1022), DBL_MIN},
        {math_pow(2, -1023), 0},
        {math_pow(2, 1024), inf},
        {math_pow(10, -2), 0.01},
        {math_pow(0, 2), 0},
        {math_pow(0, 0), 1},
        {math_pow(0, -1), inf},
        {math_pow(1, inf), 1},
        {math_pow(7, 0), 1},
        {math_pow(0.5, inf), 0},
        {math_pow(0.5, -inf), inf},
        {math_pow(inf, 0.5), inf},
        {math_pow(inf, -0.5), 0},
        {math_pow(-1, 2), nan_value},
        {math_erf(0), 0},
        {math_erf(inf), 1},
        {math_erf(-inf), -1},
        {math_erfc(inf), 0},
        {math_erfc(-inf), 2},
        {math_erfc(30), 0},
        {math_erfc(-30), 2},
        {math_erfcx(inf), 0},
        {math_erfcx(-inf), inf},
        {math_tanh(0), 0},
        {math_tanh(inf), 1},
        {math_tanh(-25), -1},
        {math_acos(1), 0},
        {math_acos(-1), 0x1.921fb54442d18p+1},
        {math_acos(0), 0x1.921fb54442d18p+0},
        {math_acos(1.0000001), nan_value},
    };

    (void)state;
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
        const struct special special = specials[i];

        if (isnan(special.want) ? !isnan(special.got) : special.got != special.want)
            fail_msg("special value %zu is %a, not %a", i, special.got, special.want);
    }
}

static void nan_in_gives_nan_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++)
        assert_true(isnan(RANGES[i].ours((double)NAN)));
    assert_true(isnan(math_erf((double)NAN)));
    assert_true(isnan(math_acos((double)NAN)));
    assert_true(isnan(math_erfc((double)NAN)));
    assert_true(isnan(math_erfcx((double)NAN)));
    assert_true(isnan(math_pow((double)NAN, 1)));
    assert_true(isnan(math_pow(2, (double)NAN)));
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* Easy ones, and one in their midst that is next to a multiple of pi/2, too large, or no number. */
static void many_angles_at_once_are_each_by_itself(void **state)
{
    enum { MANY = 37 };
    const double middles[] = {1,     0x1.921fb54442d18p+0, 0x1.921fb54442d18p+20,
                              1e300, (double)INFINITY,     (double)NAN};
    double x[MANY], sine[MANY], cosine[MANY];

    (void)state;
    for (size_t k = 0; k < sizeof middles / sizeof *middles; k++) {
        for (size_t i = 0; i < MANY; i++)
            x[i] = 0.37 * (double)i * (double)i - 200;
        x[3] = 0;
        x[11] = middles[k];
        math_sin_cos(x, sine, cosine, MANY);
        for (size_t i = 0; i < MANY; i++) {
            assert_true(same(sine[i], math_sin(x[i])));
            assert_true(same(cosine[i], math_cos(x[i])));
        }
    }
}

static void the_two_builds_of_many_angles_agree(void **state)
{
    enum { MANY = 1021 };
    static double x[MANY], sine[2][MANY], cosine[2][MANY];

    (void)state;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        skip();
    for (size_t i = 0; i < MANY; i++)
        x[i] = ((double)i - 500) * 1.618;
    assert_true(math_sin_cos_baseline(x, sine[0], cosine[0], MANY));
    assert_true(math_sin_cos_fma(x, sine[1], cosine[1], MANY));
    assert_memory_equal(sine[0], sine[1], sizeof sine[0]);
    assert_memory_equal(cosine[0], cosine[1], sizeof cosine[0]);
}

static void angles_beyond_the_promise_stay_on_the_circle(void **state)
{
    double x = 0x1p30;

    (void)state;
    for (int i = 0; i < 500; i++) {
        assert_true(fabs(math_sin(x)) <= 1);
        assert_true(fabs(math_sin(x) * math_sin(x) + math_cos(x) * math_cos(x) - 1) < 1e-15);
        x *= 3.7;
    }
}

/* FNV-1a over the bits of many results */
static uint64_t hash_of_results(void)
{
    uint64_t hash = 0xcbf29ce484222325u;

    random_state = 3;
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++) {
        for (int k = 0; k < 1000; k++) {
            const double value = RANGES[i].ours(point_of(&RANGES[i]));
            uint64_t bits;

            memcpy(&bits, &value, sizeof bits);
            hash = (hash ^ bits) * 0x100000001b3u;
        }
    }
    return hash;
}

static void the_bits_are_the_same_with_every_compiler_and_float_mode(void **state)
{
    const uint64_t expected = 0x68bdd07cd45ebe76u;

    (void)state;
    assert_int_equal(hash_of_results(), expected);
    gang_float_mode();
    assert_int_equal(hash_of_results(), expected);
}

static void one_number_that_is_none_is_seen_anywhere(void **state)
{
    const float wrong[] = {NAN, -NAN, INFINITY, -INFINITY};
    float values[67];

    (void)state;
    for (size_t i = 0; i < 67; i++)
        values[i] = i % 2 == 0 ? FLT_MAX : -0.0f;
    assert_true(math_all_finite(values, 67));
    assert_true(math_all_finite(values, 0));
    for (size_t i = 0; i < 67; i++) {
        const float kept = values[i];

        values[i] = wrong[i % 4];
        assert_false(math_all_finite(values, 67));
        values[i] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_is_within_one_ulp),
        cmocka_unit_test(multiples_of_half_pi_lose_nothing),
        cmocka_unit_test(powers_are_within_one_ulp),
        cmocka_unit_test(erf_is_within_1e_15),
        cmocka_unit_test(acos_is_within_1e_15),
        cmocka_unit_test(erfc_and_erfcx_are_within_1e_15_of_their_value),
        cmocka_unit_test(special_values_are_what_analysis_says),
        cmocka_unit_test(nan_in_gives_nan_out),
        cmocka_unit_test(many_angles_at_once_are_each_by_itself),
        cmocka_unit_test(the_two_builds_of_many_angles_agree),
        cmocka_unit_test(angles_beyond_the_promise_stay_on_the_circle),
        cmocka_unit_test(the_bits_are_the_same_with_every_compiler_and_float_mode),
        cmocka_unit_test(every_function_is_within_one_ulp), /* denormals are flushed now */
        cmocka_unit_test(powers_are_within_one_ulp),
        cmocka_unit_test(one_number_that_is_none_is_seen_anywhere),
    };

    return cmocka_run_group_tests_name("math", tests, NULL, NULL);
}
