/* isa_avx512.h - lanes as one register of AVX-512; see isa.h and isa_plain.h for what each
 * operation means. */
#ifndef ISA_AVX512_H
#define ISA_AVX512_H

#include "core/nn/isa_x86.h"

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

static inline struct lanes lanes_join(struct lanes a, struct lanes b, size_t count)
{
    return (struct lanes){_mm512_mask_blend_ps(lanes_mask(count), b.all, a.all)};
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

static inline float lanes_sum(struct lanes x)
{
    return eight_sum(
        _mm256_add_ps(_mm512_castps512_ps256(x.all), _mm512_extractf32x8_ps(x.all, 1)));
}

static inline float lanes_largest(struct lanes x)
{
    return eight_largest(
        _mm256_max_ps(_mm512_castps512_ps256(x.all), _mm512_extractf32x8_ps(x.all, 1)));
}

/* Rows 0, 4, 8 and 12, four floats each. */
static inline __m512 lanes_four_rows(const float *from, size_t ld)
{
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(from));
    x = _mm512_insertf32x4(x, _mm_loadu_ps(from + 4 * ld), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps(from + 8 * ld), 2);
    return _mm512_insertf32x4(x, _mm_loadu_ps(from + 12 * ld), 3);
}

static inline void lanes_columns(const float *from, size_t ld, struct lanes column[4])
{
    __m512 a = lanes_four_rows(from, ld), b = lanes_four_rows(from + ld, ld);
    __m512 c = lanes_four_rows(from + 2 * ld, ld), d = lanes_four_rows(from + 3 * ld, ld);
    __m512d ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
    __m512d cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
    column[0].all = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
    column[1].all = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
    ab = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
    cd = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
    column[2].all = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
    column[3].all = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
}

#endif
