/* log and log1p. x = 2^k z with z in [0.6875, 1.375); one of 128 pieces gives 1/c, short enough
 * that z/c - 1 is exact, and log(x) = k log(2) + log(c) + log1p(z/c - 1) (Tang 1990,
 * "Table-driven implementation of the logarithm function"). The pieces on both sides of 1 have
 * c = 1, so results near 0 lose nothing. The polynomial is a Chebyshev fit, computed with 70
 * digits. */
#include "core/base/math.h"
#include "core/base/math_bits.h"

#include <float.h>
#include <math.h>

#define LOG2_HIGH 0x1.62e42fefa38p-1 /* multiples of 2^-42: exact when multiplied by k */
#define LOG2_LOW  0x1.ef35793c7673p-45
#define FIRST     0x3fe6000000000000u /* bits of 0.6875 */

/* 1/c and log(c) = high + low, high a multiple of 2^-42 */
static const struct piece {
    double inverse, high, low;
} PIECES[128] = {
    {0x1.735p+0, -0x1.7cca97da6ap-2, -0x1.09d33783e0abep-45},
    {0x1.713p+0, -0x1.76ea0c82cep-2, 0x1.31d34adcba5afp-45},
    {0x1.6f2p+0, -0x1.712d738158p-2, 0x1.28bc59ccb77cfp-44},
    {0x1.6d2p+0, -0x1.6b9574b0f9p-2, 0x1.bb3b19067651bp-44},
    {0x1.6b1p+0, -0x1.65c878c015p-2, -0x1.50cca79dc42f9p-44},
    {0x1.691p+0, -0x1.6020689b1cp-2, -0x1.d347838cc10bbp-44},
    {0x1.672p+0, -0x1.5a9ded96bcp-2, -0x1.93f1fd89e8db8p-44},
    {0x1.652p+0, -0x1.54e5f19e5cp-2, 0x1.0e00629cd84fep-45},
    {0x1.633p+0, -0x1.4f53de9d25p-2, 0x1.39fd65665a68p-44},
    {0x1.615p+0, -0x1.49e85f23bcp-2, 0x1.9b66e37d49964p-48},
    {0x1.5f6p+0, -0x1.4446dddb97p-2, -0x1.d79e34224b4e7p-44},
    {0x1.5d8p+0, -0x1.3ecc460ef6p-2, 0x1.6028627c1300fp-47},
    {0x1.5bbp+0, -0x1.3979434698p-2, 0x1.8d1b871970265p-44},
    {0x1.59dp+0, -0x1.33efc101dcp-2, 0x1.07ffd6637ea32p-44},
    {0x1.58p+0, -0x1.2e8e2bae12p-2, 0x1.67b1e99b72bd8p-45},
    {0x1.564p+0, -0x1.29552f81ffp-2, -0x1.48d301771c408p-44},
    {0x1.547p+0, -0x1.23e5398b93p-2, -0x1.d074ccc4002f3p-46},
    {0x1.52bp+0, -0x1.1e9e367889p-2, -0x1.f45475b87c132p-46},
    {0x1.50fp+0, -0x1.195033b44p-2, 0x1.59a399987c26cp-44},
    {0x1.4f4p+0, -0x1.142bfeb9ap-2, -0x1.1ce6185b58a9ep-44},
    {0x1.4d8p+0, -0x1.0ed005f658p-2, 0x1.2dc75285aa803p-45},
    {0x1.4bdp+0, -0x1.099e371c0cp-2, 0x1.bf067c9a1364fp-45},
    {0x1.4a2p+0, -0x1.0465a08155p-2, 0x1.905f0ad83878ep-52},
    {0x1.488p+0, -0x1.feb0233e6p-3, -0x1.f316e32d5e8c7p-45},
    {0x1.46ep+0, -0x1.f488311d1cp-3, 0x1.6da82c5068606p-44},
    {0x1.454p+0, -0x1.ea5349e23ap-3, -0x1.81b934c73ccb5p-44},
    {0x1.43ap+0, -0x1.e0114c5332p-3, 0x1.a0452642f2ab1p-45},
    {0x1.421p+0, -0x1.d627d7c1b2p-3, -0x1.b4d5f1682ff42p-44},
    {0x1.408p+0, -0x1.cc320c0176p-3, -0x1.409039a653794p-45},
    {0x1.3efp+0, -0x1.c22fca3188p-3, -0x1.f7402b102f75ap-45},
    {0x1.3d6p+0, -0x1.b820f2fc7ep-3, -0x1.42177bcc3821ep-45},
    {0x1.3bdp+0, -0x1.ae05669628p-3, -0x1.04a6c261e6d84p-44},
    {0x1.3a5p+0, -0x1.a4454820d2p-3, 0x1.818c4e19fd59dp-45},
    {0x1.38dp+0, -0x1.9a7938d20ap-3, 0x1.ae29c8a9cad23p-45},
    {0x1.375p+0, -0x1.90a11b46bap-3, 0x1.2a7fbfb22aae9p-45},
    {0x1.35ep+0, -0x1.8726935acap-3, -0x1.8c4bb263232fbp-44},
    {0x1.346p+0, -0x1.7d36832b9p-3, 0x1.e3a5d33dd3948p-44},
    {0x1.32fp+0, -0x1.73a4d01722p-3, -0x1.cb735fe0d962dp-44},
    {0x1.318p+0, -0x1.6a079d0f7ap-3, -0x1.5a3f8448d14f5p-44},
    {0x1.302p+0, -0x1.60ca8fe886p-3, 0x1.d42dd78059ebp-45},
    {0x1.2ebp+0, -0x1.57168c4bp-3, 0x1.e344b9edbf6bap-44},
    {0x1.2d5p+0, -0x1.4dc378969cp-3, 0x1.c7d9499121b9ep-44},
    {0x1.2bfp+0, -0x1.446579dc22p-3, -0x1.eec7ab57b84cbp-46},
    {0x1.2a9p+0, -0x1.3afc766c1ep-3, -0x1.07ed40b96054ap-46},
    {0x1.293p+0, -0x1.3188543c0ap-3, 0x1.d7b571ffd764cp-45},
    {0x1.27ep+0, -0x1.2877bbc0b6p-3, -0x1.74be8dfa16db8p-44},
    {0x1.269p+0, -0x1.1f5cd21a0ep-3, 0x1.b1eeb2a223b26p-45},
    {0x1.254p+0, -0x1.16377fb124p-3, -0x1.91e1abf41763ep-47},
    {0x1.23fp+0, -0x1.0d07ac9dccp-3, 0x1.84277be226907p-46},
    {0x1.22ap+0, -0x1.03cd40a51ap-3, -0x1.81a979c146707p-44},
    {0x1.215p+0, -0x1.f510466fd8p-4, -0x1.7edcad73afef5p-49},
    {0x1.201p+0, -0x1.e353fec9a4p-4, 0x1.967061111e4c3p-44},
    {0x1.1edp+0, -0x1.d183f87ea8p-4, 0x1.9075cabddfdafp-45},
    {0x1.1d9p+0, -0x1.bfa007672cp-4, 0x1.5dd5d1688744dp-44},
    {0x1.1c5p+0, -0x1.ada7fec6acp-4, -0x1.002406975f137p-45},
    {0x1.1b1p+0, -0x1.9b9bb14948p-4, -0x1.166c649a10c4p-44},
    {0x1.19ep+0, -0x1.8a6377a914p-4, -0x1.c28bb5a46418ap-44},
    {0x1.18bp+0, -0x1.7918a1bf98p-4, -0x1.d6223a1e81c6bp-48},
    {0x1.178p+0, -0x1.67bb0726ecp-4, -0x1.f724b69ef5912p-49},
    {0x1.165p+0, -0x1.564a7ef514p-4, -0x1.8899517cbf107p-47},
    {0x1.152p+0, -0x1.44c6dfb9b8p-4, 0x1.3f34507cbbd76p-45},
    {0x1.13fp+0, -0x1.332fff7bdp-4, -0x1.f18282a4f49d9p-44},
    {0x1.12dp+0, -0x1.22743457a8p-4, -0x1.c8dad082bae7ap-44},
    {0x1.11ap+0, -0x1.10b75afd68p-4, 0x1.f39e8ccf1a6e1p-44},
    {0x1.108p+0, -0x1.ffae9119b8p-5, -0x1.303374262c554p-45},
    {0x1.0f6p+0, -0x1.ddcaadb47p-5, 0x1.0e4f7b2a48432p-45},
    {0x1.0e4p+0, -0x1.bbc2bfc45p-5, 0x1.7d18691417dafp-46},
    {0x1.0d2p+0, -0x1.99967a4f28p-5, -0x1.8e432ed72ea8ap-44},
    {0x1.0c1p+0, -0x1.792e93e518p-5, -0x1.9ec95df21faaap-45},
    {0x1.0afp+0, -0x1.56bac43ed8p-5, 0x1.98572080b9238p-51},
    {0x1.09ep+0, -0x1.360ebf5d8p-5, -0x1.bb2b2503a5a59p-44},
    {0x1.08dp+0, -0x1.15413ca0e8p-5, 0x1.ab0d8e960e22fp-46},
    {0x1.07cp+0, -0x1.e8a3ee30dp-6, 0x1.1a9fa3de539p-45},
    {0x1.06bp+0, -0x1.a68151fb6p-6, 0x1.fdb02101da82ap-45},
    {0x1.05ap+0, -0x1.641a17627p-6, -0x1.adec6522ee537p-47},
    {0x1.049p+0, -0x1.216daf6d9p-6, -0x1.90ccf06b60fd4p-45},
    {0x1.039p+0, -0x1.c4db352e6p-7, -0x1.a8e3079346769p-44},
    {0x1.028p+0, -0x1.3e7295d26p-7, 0x1.609c1ff29a114p-45},
    {0x1.018p+0, -0x1.7ee11ebd8p-8, -0x1.749d3c2d23a07p-47},
    {0x1p+0, 0x0p+0, 0x0p+0},
    {0x1p+0, 0x0p+0, 0x0p+0},
    {0x1.fa2p-1, 0x1.7a2c82e22p-7, -0x1.a736e8e4ab98bp-44},
    {0x1.f64p-1, 0x1.3b024b78cp-6, 0x1.59a5e23a02f83p-44},
    {0x1.f26p-1, 0x1.b9e8027e2p-6, -0x1.b9c9bb4f4fcfcp-44},
    {0x1.eeap-1, 0x1.1ad398c6dp-5, -0x1.53c3692e2dde5p-44},
    {0x1.eaep-1, 0x1.592bbc152p-5, 0x1.5c8f0d4e58c9fp-45},
    {0x1.e74p-1, 0x1.95e430f8dp-5, -0x1.ba22cf76874ddp-45},
    {0x1.e3ap-1, 0x1.d310ba2048p-5, -0x1.52f56484a2ce1p-44},
    {0x1.e02p-1, 0x1.0748836298p-4, -0x1.bf52a3dd04986p-44},
    {0x1.dcap-1, 0x1.254062f0a8p-4, 0x1.416fe50bf3c56p-44},
    {0x1.d92p-1, 0x1.4370ce02b8p-4, -0x1.0c1308315b2dp-47},
    {0x1.d5cp-1, 0x1.60c38ba798p-4, 0x1.45cb10ebb04a5p-44},
    {0x1.d28p-1, 0x1.7d33687c28p-4, 0x1.3c88c3e706706p-44},
    {0x1.cf2p-1, 0x1.9af124d64cp-4, 0x1.897585039dcc9p-46},
    {0x1.cbep-1, 0x1.b7c9832f58p-4, 0x1.a026b11277c2dp-52},
    {0x1.c8cp-1, 0x1.d3b73f37ep-4, 0x1.f9a8099ed2804p-44},
    {0x1.c58p-1, 0x1.f0f70cdd98p-4, 0x1.2e31f6c272c1ep-44},
    {0x1.c26p-1, 0x1.06a4d1d26cp-3, 0x1.7964dd105c4b2p-45},
    {0x1.bf6p-1, 0x1.1454d89538p-3, -0x1.7c74877e09501p-44},
    {0x1.bc4p-1, 0x1.22aff2ddbep-3, -0x1.a3c2a6b06962p-45},
    {0x1.b96p-1, 0x1.2ffbf29a66p-3, 0x1.16e4b9de5d43bp-45},
    {0x1.b66p-1, 0x1.3df3ab135p-3, 0x1.7da75b0836142p-45},
    {0x1.b38p-1, 0x1.4b6d6fefe2p-3, 0x1.522ecf56e7952p-46},
    {0x1.b0ap-1, 0x1.58fe0e4c62p-3, 0x1.d5bdfddc3fdafp-44},
    {0x1.adcp-1, 0x1.66a5d42a3ap-3, 0x1.a68933aa00298p-44},
    {0x1.abp-1, 0x1.73cb9074fep-3, -0x1.d66a90d0005a6p-44},
    {0x1.a82p-1, 0x1.81a18b422p-3, 0x1.4d345155726adp-45},
    {0x1.a58p-1, 0x1.8e588ebac2p-3, 0x1.b7d5cab2d114p-44},
    {0x1.a2cp-1, 0x1.9bc062f27p-3, -0x1.e2c9f9fd864adp-46},
    {0x1.a02p-1, 0x1.a8a14ffee6p-3, 0x1.af5f2ba95e8bbp-45},
    {0x1.9d8p-1, 0x1.b5971a213ap-3, 0x1.9b50e83aa91dfp-44},
    {0x1.9aep-1, 0x1.c2a2056106p-3, -0x1.b027c66fb405bp-45},
    {0x1.986p-1, 0x1.cf21d5ecbap-3, 0x1.4c9ba732fcff7p-44},
    {0x1.95cp-1, 0x1.dc56cae452p-3, 0x1.eb37aa24e1817p-44},
    {0x1.934p-1, 0x1.e8ff2622bap-3, 0x1.78e13d33981e5p-44},
    {0x1.90ep-1, 0x1.f518262c38p-3, 0x1.04217142ba112p-48},
    {0x1.8e6p-1, 0x1.00f40470c7p-2, 0x1.921a5f3a45f05p-45},
    {0x1.8cp-1, 0x1.07138604d6p-2, -0x1.e76324e912b17p-44},
    {0x1.89ap-1, 0x1.0d3c7586cdp-2, 0x1.790b213085e6p-44},
    {0x1.874p-1, 0x1.136ef02e83p-2, -0x1.bd05830e5825p-44},
    {0x1.85p-1, 0x1.1956d3b9bcp-2, 0x1.7d2f73ad1aa14p-45},
    {0x1.82ap-1, 0x1.1f9c39f74cp-2, 0x1.55d515541d5d7p-44},
    {0x1.806p-1, 0x1.2596410df9p-2, 0x1.8e7c177a43938p-44},
    {0x1.7e2p-1, 0x1.2b9943b06cp-2, -0x1.450053120cc49p-45},
    {0x1.7bep-1, 0x1.31a55d07a8p-2, 0x1.642a204b4eee8p-44},
    {0x1.79cp-1, 0x1.3763e64645p-2, 0x1.18b1f291dcb56p-44},
    {0x1.77ap-1, 0x1.3d2abb3b3bp-2, 0x1.37bbee1a39cd8p-44},
    {0x1.756p-1, 0x1.4351b33744p-2, -0x1.474d03d2d95b8p-46},
};

/* log(x) = high + log1p(r + r_low) + low */
struct reduced {
    double high, low, r, r_low;
};

static inline struct reduced reduce(double x)
{
    const uint64_t offset = bits_of(x) - FIRST;
    const struct piece *piece = &PIECES[(offset >> 45) % 128];
    const int64_t k = (int64_t)offset >> 52;
    const uint64_t z = bits_of(x) - (offset & 0xfff0000000000000u);
    const double upper = double_of(z & 0xffffffff00000000u);
    const double a = upper * piece->inverse - 1;
    const double b = (double_of(z) - upper) * piece->inverse;
    const double r = a + b;

    return (struct reduced){(double)k * LOG2_HIGH + piece->high, (double)k * LOG2_LOW + piece->low,
                            r, (a - r) + b};
}

/* (log1p(r) - r + r^2/2) / r^3 for |r| <= 2^-7 */
static inline double log1p_series(double r)
{
    const double r2 = r * r;
    const double low = 0x1.5555555555564p-2 + r * -0x1.000000000000dp-2;
    const double middle = 0x1.999999919973cp-3 + r * -0x1.5555554e21ff7p-3;
    const double high = 0x1.24979e8d8acaep-3 + r * -0x1.0004ccdecd0bbp-3;

    return low + r2 * (middle + r2 * high);
}

static inline double log_sum(struct reduced reduced)
{
    const double r = reduced.r;
    const double sum = reduced.high + r;
    const double rest = ((reduced.high - sum) + r) + (reduced.low + reduced.r_low);

    return sum + (rest + r * r * (r * log1p_series(r) - 0.5));
}

/* log(x + carry), for a carry below the last place of x */
static double log_of_sum(double x, double carry)
{
    const uint64_t offset = bits_of(x) - FIRST;
    const uint64_t k = (uint64_t)((int64_t)offset >> 52);
    const double scaled = carry * double_of((1023 - k) << 52);
    const double extra = scaled * PIECES[(offset >> 45) % 128].inverse;
    struct reduced reduced = reduce(x);
    const double r = reduced.r + extra;

    reduced.r_low += (reduced.r - r) + extra;
    reduced.r = r;
    return log_sum(reduced);
}

double math_log(double x)
{
    if (x >= DBL_MIN && x <= DBL_MAX)
        return log_sum(reduce(x));
    if (x >= 0)
        return x > 1 ? x : -(double)INFINITY;
    return isnan(x) ? x : (double)NAN;
}

double math_log1p(double x)
{
    const double sum = 1 + x;
    const double part = sum - 1;

    if (x > -1 && x <= DBL_MAX)
        return log_of_sum(sum, (1 - (sum - part)) + (x - part)); /* 2Sum: Knuth, TAOCP 4.2.2 */
    if (x >= -1)
        return x > 0 ? x : -(double)INFINITY;
    return isnan(x) ? x : (double)NAN;
}

void math_log_parts(double x, double *high, double *low)
{
    const struct reduced reduced = reduce(x);
    const double r = reduced.r;
    const double upper = upper_half(r);
    const double square = -0.5 * upper * upper; /* exact */
    const double square_rest = -0.5 * (r - upper) * (r + upper) - r * reduced.r_low;
    const double first = reduced.high + r;
    const double second = first + square;
    const double rest = (((reduced.high - first) + r) + ((first - second) + square)) +
                        (reduced.low + reduced.r_low) + square_rest + r * r * r * log1p_series(r);

    *high = second + rest;
    *low = (second - *high) + rest;
}
