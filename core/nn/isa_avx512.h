/* isa_avx512.h - lanes as one register of AVX-512; see isa.h and isa_plain.h for what each
 * operation means. */
#ifndef ISA_AVX512_H
#define ISA_AVX512_H

#include <immintrin.h>

struct lanes {
    __m512 all;
};

static inline __mmask16 lanes_mask(size_t count)
{
    return (__mmask16)((1u << count) - 1u);
}

static inline struct lanes lanes_set(float x)
{
    return (struct lanes){_mm512_set1_ps(x)};
}

static inline struct lanes lanes_load(const float *from)
{
    return (struct lanes){_mm512_loadu_ps(from)};
}

static inline void lanes_store(float *to, struct lanes x)
{
    _mm512_storeu_ps(to, x.all);
}

static inline struct lanes lanes_load_some(const float *from, size_t count)
{
    return (struct lanes){_mm512_maskz_loadu_ps(lanes_mask(count), from)};
}

static inline void lanes_store_some(float *to, struct lanes x, size_t count)
{
    _mm512_mask_storeu_ps(to, lanes_mask(count), x.all);
}

static inline struct lanes lanes_add(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm512_add_ps(a.all, b.all)};
}

static inline struct lanes lanes_subtract(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm512_sub_ps(a.all, b.all)};
}

static inline struct lanes lanes_multiply(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm512_mul_ps(a.all, b.all)};
}

static inline struct lanes lanes_divide(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm512_div_ps(a.all, b.all)};
}

static inline struct lanes lanes_fma(struct lanes a, struct lanes b, struct lanes c)
{
    return (struct lanes){_mm512_fmadd_ps(a.all, b.all, c.all)};
}

static inline struct lanes lanes_fnma(struct lanes a, struct lanes b, struct lanes c)
{
    return (struct lanes){_mm512_fnmadd_ps(a.all, b.all, c.all)};
}

static inline struct lanes lanes_larger(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm512_max_ps(a.all, b.all)};
}

static inline struct lanes lanes_smaller(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm512_min_ps(a.all, b.all)};
}

static inline struct lanes lanes_scale(struct lanes x, struct lanes k)
{
    __m512i shift = _mm512_slli_epi32(_mm512_cvttps_epi32(k.all), 23);
    __m512i bits = _mm512_add_epi32(_mm512_castps_si512(x.all), shift);
    return (struct lanes){_mm512_castsi512_ps(bits)};
}

#endif
