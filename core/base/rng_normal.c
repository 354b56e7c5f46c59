#include "core/base/rng_normal.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef FMA_BUILD
#define RNG_NORMAL rng_normal_fma
#else
#define RNG_NORMAL rng_normal_baseline
#endif

#define HALF (RNG_BLOCK / 2)

static inline uint32_t bits_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Cephes logf; x > 0 and normal */
static inline float log_of(float x)
{
    const uint32_t bits = bits_of(x);
    const float mantissa = float_of((bits & 0x807fffffu) | 0x3f000000u); /* in [1/2, 1) */
    const int small = mantissa < 0.707106781186547524F;
    const float e = (float)((int32_t)(bits >> 23) - 126 - small);
    const float m = (mantissa - 1) + (small ? mantissa : 0);
    const float z = m * m;
    float y = 7.0376836292E-2F;

    y = fmaf(y, m, -1.1514610310E-1F);
    y = fmaf(y, m, 1.1676998740E-1F);
    y = fmaf(y, m, -1.2420140846E-1F);
    y = fmaf(y, m, 1.4249322787E-1F);
    y = fmaf(y, m, -1.6668057665E-1F);
    y = fmaf(y, m, 2.0000714765E-1F);
    y = fmaf(y, m, -2.4999993993E-1F);
    y = fmaf(y, m, 3.3333331174E-1F);
    y = y * m;
    y = fmaf(y, z, e * -2.12194440E-4F);
    y = fmaf(z, -0.5F, y);
    return fmaf(e, 0.693359375F, m + y);
}

/* Cephes sincosf; x >= 0 */
static inline void sine_cosine(float x, float *sine, float *cosine)
{
    const int32_t j = ((int32_t)(x * 1.27323954473516F) + 1) & ~1;
    const float octant = (float)j;
    const uint32_t sine_sign = ((uint32_t)j & 4) << 29;
    const uint32_t cosine_sign = (~(uint32_t)(j - 2) & 4) << 29;
    const uint32_t straight = ((uint32_t)j >> 1 & 1) - 1; /* all ones unless sin and cos swap */
    float r, z, c, s;

    r = fmaf(octant, -0.78515625F, x);
    r = fmaf(octant, -2.4187564849853515625E-4F, r);
    r = fmaf(octant, -3.77489497744594108E-8F, r);
    z = r * r;
    c = fmaf(2.443315711809948E-5F, z, -1.388731625493765E-3F);
    c = fmaf(c, z, 4.166664568298827E-2F);
    c = c * z;
    c = fmaf(c, z, -(z * 0.5F)) + 1;
    s = fmaf(-1.9515295891E-4F, z, 8.3321608736E-3F);
    s = fmaf(s, z, -1.6666654611E-1F);
    s = s * z;
    s = fmaf(s, r, r);
    *sine = float_of(((bits_of(s) & straight) | (bits_of(c) & ~straight)) ^ sine_sign);
    *cosine = float_of(((bits_of(c) & straight) | (bits_of(s) & ~straight)) ^ cosine_sign);
}

static inline void transform_block(float *values)
{
    float result[RNG_BLOCK];

    for (int j = 0; j < HALF; j++) {
        const float radius = sqrtf(-2 * log_of(1 - values[j]));
        float sine, cosine;

        sine_cosine(6.2831855F * values[j + HALF], &sine, &cosine);
        result[j] = radius * cosine + 0.0F; /* + 0 turns -0 into 0 */
        result[j + HALF] = radius * sine + 0.0F;
    }
    memcpy(values, result, sizeof result);
}

void RNG_NORMAL(float *values, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++)
        transform_block(values + i * RNG_BLOCK);
}
