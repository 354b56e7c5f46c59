/* isa.h - sixteen floats side by side, for sources that are compiled once per instruction set.
 *
 * Each build names its functions with ISA(), so that none is linked into another build, and
 * everything here is static. An operation means the same in each lane of each build: the bits
 * agree whatever the width of the CPU's vectors. */
#ifndef ISA_H
#define ISA_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0, "float arithmetic must be float");

enum { LANES = 16 };

/* A count, rounded up to whole lanes. */
static inline size_t lanes_whole(size_t count)
{
    return (count + LANES - 1) / LANES * LANES;
}

/* A call would pass lanes through memory. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

#if defined(AVX512_BUILD)
#define ISA(name) name##_avx512
#include "core/nn/isa_avx512.h"
#elif defined(AVX2_BUILD)
#define ISA(name) name##_avx2
#include "core/nn/isa_avx2.h"
#elif defined(FMA_BUILD)
#define ISA(name) name##_fma
#include "core/nn/isa_plain.h"
#else
#define ISA(name) name##_baseline
#include "core/nn/isa_plain.h"
#endif

/* e^x for x in [-87, 87], where the result is normal: at most 1.28 ulp. Cephes expf's polynomial.
 * Adding 1.5 * 2^23 rounds to an integer, half to even. */
ALWAYS_INLINE struct lanes lanes_exponential(struct lanes x)
{
    struct lanes magic = lanes_set(0x1.8p23f);
    struct lanes k =
        lanes_subtract(lanes_add(lanes_multiply(x, lanes_set(0x1.715476p+0f)), magic), magic);
    struct lanes r = lanes_fnma(k, lanes_set(0x1.62e4p-1f), x);
    r = lanes_fnma(k, lanes_set(0x1.7f7d1cp-20f), r);
    struct lanes p = lanes_set(0x1.a0d2cep-13f);
    p = lanes_fma(p, r, lanes_set(0x1.6e879cp-10f));
    p = lanes_fma(p, r, lanes_set(0x1.11121p-7f));
    p = lanes_fma(p, r, lanes_set(0x1.555382p-5f));
    p = lanes_fma(p, r, lanes_set(0x1.555554p-3f));
    p = lanes_fma(p, r, lanes_set(0x1p-1f));
    struct lanes y = lanes_fma(lanes_multiply(p, r), r, lanes_add(r, lanes_set(1.0f)));
    return lanes_scale(y, k);
}

/* x / (1 + e^-x); a NaN stays one. At most 3.1 ulp. */
ALWAYS_INLINE struct lanes lanes_silu(struct lanes x)
{
    struct lanes low = lanes_set(-87.0f);
    struct lanes t = lanes_smaller(lanes_larger(x, low), lanes_set(87.0f));
    struct lanes e = lanes_exponential(lanes_subtract(lanes_set(0.0f), t));
    return lanes_divide(lanes_larger(low, x), lanes_add(lanes_set(1.0f), e));
}

#endif
