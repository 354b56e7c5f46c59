/* MT19937 (Matsumoto & Nishimura 1998) and what torch's CPU generator draws with it. */
#include "core/base/rng.h"
#include "core/base/math.h"
#include "core/base/rng_normal.h"

#include <math.h>

#define WORDS  624
#define MIDDLE 397
#define TWO_PI 0x1.921fb54442d18p+2

void rng_seed(struct rng *rng, uint32_t seed)
{
    rng->word[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++) {
        const uint32_t previous = rng->word[i - 1];

        rng->word[i] = 1812433253u * (previous ^ previous >> 30) + i;
    }
    rng->next = WORDS;
    rng->has_normal = false;
    rng->normal = 0;
}

static uint32_t twisted(uint32_t far, uint32_t upper, uint32_t lower)
{
    const uint32_t y = (upper & 0x80000000u) | (lower & 0x7fffffffu);

    return far ^ y >> 1 ^ ((0 - (y & 1)) & 0x9908b0dfu);
}

static void make_words(struct rng *rng)
{
    uint32_t *word = rng->word;
    uint32_t k = 0;

    for (; k < WORDS - MIDDLE; k++)
        word[k] = twisted(word[k + MIDDLE], word[k], word[k + 1]);
    for (; k < WORDS - 1; k++)
        word[k] = twisted(word[k + MIDDLE - WORDS], word[k], word[k + 1]);
    word[k] = twisted(word[MIDDLE - 1], word[k], word[0]);
    rng->next = 0;
}

uint32_t rng_word(struct rng *rng)
{
    uint32_t y;

    if (rng->next == WORDS)
        make_words(rng);
    y = rng->word[rng->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ y >> 18;
}

void rng_rand(struct rng *rng, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(rng_word(rng) & 0xffffffu) * 0x1p-24F;
}

/* 53 bits of two words, in [0,1) */
static double long_uniform(struct rng *rng)
{
    const uint64_t first = rng_word(rng);
    const uint64_t second = rng_word(rng);

    return (double)((first << 32 | second) & 0x1fffffffffffffu) * 0x1p-53;
}

/* Box & Muller 1958 */
static float one_normal(struct rng *rng)
{
    double turn, radius, angle;

    if (rng->has_normal) {
        rng->has_normal = false;
        return (float)rng->normal;
    }
    turn = long_uniform(rng);
    radius = sqrt(-2 * math_log1p(-long_uniform(rng)));
    angle = TWO_PI * turn;
    rng->normal = radius * math_sin(angle);
    rng->has_normal = true;
    return (float)(radius * math_cos(angle));
}

static void transform(float *values, size_t blocks)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        rng_normal_fma(values, blocks);
        return;
    }
#endif
    rng_normal_baseline(values, blocks);
}

void rng_randn(struct rng *rng, float *out, size_t n)
{
    if (n < RNG_BLOCK) {
        for (size_t i = 0; i < n; i++)
            out[i] = one_normal(rng);
        return;
    }
    rng_rand(rng, out, n);
    transform(out, n / RNG_BLOCK);
    if (n % RNG_BLOCK != 0) { /* torch draws the last 16 anew, over finished ones */
        rng_rand(rng, out + n - RNG_BLOCK, RNG_BLOCK);
        transform(out + n - RNG_BLOCK, 1);
    }
}
