#include "tests/bench/probe.h"

#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Chains that neither grow nor shrink, from a start that compilers cannot look through: a chain of
 * constants would be folded. */
#define FACTOR 0.999999f
#define TERM   1e-6f
static volatile float start = 2.5f;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static float run_avx512(size_t rounds)
{
    __m512 chains[PROBE_CHAINS];
    const __m512 factor = _mm512_set1_ps(FACTOR), term = _mm512_set1_ps(TERM);

    for (size_t i = 0; i < PROBE_CHAINS; i++)
        chains[i] = _mm512_set1_ps(start + (float)i);
    for (size_t round = 0; round < rounds; round++)
#pragma GCC unroll 16
        for (size_t i = 0; i < PROBE_CHAINS; i++)
            chains[i] = _mm512_fmadd_ps(chains[i], factor, term);
    for (size_t i = 1; i < PROBE_CHAINS; i++)
        chains[0] = _mm512_add_ps(chains[0], chains[i]);
    return _mm512_reduce_add_ps(chains[0]);
}

/* Of sixteen registers, eight hold chains: as many as two units of a latency of four want. */
__attribute__((target("avx2,fma"))) static float run_avx2(size_t rounds)
{
    enum { HELD = 8 };
    __m256 chains[HELD];
    const __m256 factor = _mm256_set1_ps(FACTOR), term = _mm256_set1_ps(TERM);
    float numbers[8], sum = 0.0f;

    for (size_t i = 0; i < HELD; i++)
        chains[i] = _mm256_set1_ps(start + (float)i);
    for (size_t round = 0; round < rounds * (PROBE_CHAINS / HELD); round++)
#pragma GCC unroll 8
        for (size_t i = 0; i < HELD; i++)
            chains[i] = _mm256_fmadd_ps(chains[i], factor, term);
    for (size_t i = 1; i < HELD; i++)
        chains[0] = _mm256_add_ps(chains[0], chains[i]);
    _mm256_storeu_ps(numbers, chains[0]);
    for (size_t i = 0; i < 8; i++)
        sum += numbers[i];
    return sum;
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

static float run_scalar(size_t rounds)
{
    float chains[PROBE_CHAINS], sum = 0.0f;

    for (size_t i = 0; i < PROBE_CHAINS; i++)
        chains[i] = start + (float)i;
    for (size_t round = 0; round < rounds; round++)
#pragma GCC unroll 16
        for (size_t i = 0; i < PROBE_CHAINS; i++)
            chains[i] = chains[i] * FACTOR + TERM;
    for (size_t i = 0; i < PROBE_CHAINS; i++)
        sum += chains[i];
    return sum;
}

static bool has_any(void)
{
    return true;
}

static const struct probe PROBES[] = {
#if defined(__x86_64__)
    {.name = "AVX-512", .fits = has_avx512, .run = run_avx512, .lanes = 16},
    {.name = "AVX2", .fits = has_avx2, .run = run_avx2, .lanes = 8},
#endif
    {.name = "scalar", .fits = has_any, .run = run_scalar, .lanes = 1},
};

const struct probe *probe_at(size_t index)
{
    for (size_t i = 0; i < sizeof PROBES / sizeof PROBES[0]; i++)
        if (PROBES[i].fits() && index-- == 0)
            return &PROBES[i];
    return NULL;
}

static double thread_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double probe_gflops(const struct probe *probe)
{
    enum { RUNS = 5, ROUNDS = 200000 };
    const double flops = 2.0 * ROUNDS * PROBE_CHAINS * (double)probe->lanes;
    double best = 0.0;

    for (size_t i = 0; i < RUNS; i++) {
        const double before = thread_seconds();

        start = 2.5f + 0.0f * probe->run(ROUNDS); /* so that the work is not thought away */
        const double gflops = flops / (thread_seconds() - before) / 1e9;
        best = gflops > best ? gflops : best;
    }
    return best;
}
