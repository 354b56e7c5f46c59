/* isa_avx2.h - lanes as two registers of AVX2; see isa.h and isa_plain.h for what each operation
 * means. */
#ifndef ISA_AVX2_H
#define ISA_AVX2_H

#include <immintrin.h>

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

#endif
