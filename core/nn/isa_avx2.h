/* isa_avx2.h - lanes as two registers of AVX2; see isa.h and isa_plain.h for what each operation
 * means. */
#ifndef ISA_AVX2_H
#define ISA_AVX2_H

#include "core/nn/isa_x86.h"

struct lanes {
    __m256 low, high;
};

static inline struct lanes lanes_set(float x)
{
    return (struct lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

static inline struct lanes lanes_load(const float *from)
{
    return (struct lanes){_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
}

static inline void lanes_store(float *to, struct lanes x)
{
    _mm256_storeu_ps(to, x.low);
    _mm256_storeu_ps(to + 8, x.high);
}

/* Ones where 8 lanes from `first` on lie below `count`. */
static inline __m256i lanes_mask(size_t count, int first)
{
    __m256i number =
        _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), number);
}

static inline struct lanes lanes_load_some(const float *from, size_t count)
{
    return (struct lanes){_mm256_maskload_ps(from, lanes_mask(count, 0)),
                          _mm256_maskload_ps(from + 8, lanes_mask(count, 8))};
}

static inline void lanes_store_some(float *to, struct lanes x, size_t count)
{
    _mm256_maskstore_ps(to, lanes_mask(count, 0), x.low);
    _mm256_maskstore_ps(to + 8, lanes_mask(count, 8), x.high);
}

static inline struct lanes lanes_join(struct lanes a, struct lanes b, size_t count)
{
    __m256 low = _mm256_castsi256_ps(lanes_mask(count, 0));
    __m256 high = _mm256_castsi256_ps(lanes_mask(count, 8));
    return (struct lanes){_mm256_blendv_ps(b.low, a.low, low),
                          _mm256_blendv_ps(b.high, a.high, high)};
}

static inline struct lanes lanes_add(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}

static inline struct lanes lanes_subtract(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}

static inline struct lanes lanes_multiply(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}

static inline struct lanes lanes_divide(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}

static inline struct lanes lanes_larger(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}

static inline struct lanes lanes_smaller(struct lanes a, struct lanes b)
{
    return (struct lanes){_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}

static inline struct lanes lanes_fma(struct lanes a, struct lanes b, struct lanes c)
{
    return (struct lanes){_mm256_fmadd_ps(a.low, b.low, c.low),
                          _mm256_fmadd_ps(a.high, b.high, c.high)};
}

static inline struct lanes lanes_fnma(struct lanes a, struct lanes b, struct lanes c)
{
    return (struct lanes){_mm256_fnmadd_ps(a.low, b.low, c.low),
                          _mm256_fnmadd_ps(a.high, b.high, c.high)};
}

static inline __m256 lanes_scale_half(__m256 x, __m256 k)
{
    __m256i shift = _mm256_slli_epi32(_mm256_cvttps_epi32(k), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), shift));
}

static inline struct lanes lanes_scale(struct lanes x, struct lanes k)
{
    return (struct lanes){lanes_scale_half(x.low, k.low), lanes_scale_half(x.high, k.high)};
}

static inline float lanes_sum(struct lanes x)
{
    return eight_sum(_mm256_add_ps(x.low, x.high));
}

static inline float lanes_largest(struct lanes x)
{
    return eight_largest(_mm256_max_ps(x.low, x.high));
}

/* Rows 0 and 4, four floats each. */
static inline __m256 lanes_two_rows(const float *from, size_t ld)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from)),
                                _mm_loadu_ps(from + 4 * ld), 1);
}

static inline void lanes_half_columns(const float *from, size_t ld, __m256 column[4])
{
    __m256 a = lanes_two_rows(from, ld), b = lanes_two_rows(from + ld, ld);
    __m256 c = lanes_two_rows(from + 2 * ld, ld), d = lanes_two_rows(from + 3 * ld, ld);
    __m256d ab = _mm256_castps_pd(_mm256_unpacklo_ps(a, b));
    __m256d cd = _mm256_castps_pd(_mm256_unpacklo_ps(c, d));
    column[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd));
    column[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd));
    ab = _mm256_castps_pd(_mm256_unpackhi_ps(a, b));
    cd = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
    column[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd));
    column[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd));
}

static inline void lanes_columns(const float *from, size_t ld, struct lanes column[4])
{
    __m256 low[4], high[4];
    lanes_half_columns(from, ld, low);
    lanes_half_columns(from + 8 * ld, ld, high);
    for (size_t c = 0; c < 4; c++)
        column[c] = (struct lanes){low[c], high[c]};
}

#endif
