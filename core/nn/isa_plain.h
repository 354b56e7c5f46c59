/* isa_plain.h - lanes in plain C, with the vectors of gcc and clang; see isa.h. Compilers make of
 * them what the CPU has. */
#ifndef ISA_PLAIN_H
#define ISA_PLAIN_H

/* The statement for each p: written out, not a loop, so that compilers keep lanes in registers. */
#define PART(number, statement)                                                                    \
    {                                                                                              \
        enum { p = number };                                                                       \
        statement                                                                                  \
    }
#if defined(FMA_BUILD)
enum { WIDTH = 8 };
#define EACH_PART(statement) PART(0, statement) PART(1, statement)
#else
enum { WIDTH = 4 };
#define EACH_PART(statement)                                                                       \
    PART(0, statement) PART(1, statement) PART(2, statement) PART(3, statement)
#endif

typedef float lane_floats __attribute__((vector_size(WIDTH * sizeof(float))));
typedef int32_t lane_integers __attribute__((vector_size(WIDTH * sizeof(int32_t))));
typedef uint32_t lane_bits __attribute__((vector_size(WIDTH * sizeof(uint32_t))));

struct lanes {
    lane_floats part[LANES / WIDTH];
};

ALWAYS_INLINE lane_floats part_set(float x)
{
    lane_floats out = {0};
    for (size_t i = 0; i < WIDTH; i++)
        out[i] = x;
    return out;
}

ALWAYS_INLINE struct lanes lanes_set(float x)
{
    struct lanes out;
    EACH_PART(out.part[p] = part_set(x);)
    return out;
}

ALWAYS_INLINE struct lanes lanes_load(const float *from)
{
    struct lanes out;
    EACH_PART(memcpy(&out.part[p], from + p * WIDTH, sizeof out.part[p]);)
    return out;
}

ALWAYS_INLINE void lanes_store(float *to, struct lanes x)
{
    EACH_PART(memcpy(to + p * WIDTH, &x.part[p], sizeof x.part[p]);)
}

/* The first `count` lanes, at most LANES; zeros behind them. */
ALWAYS_INLINE struct lanes lanes_load_some(const float *from, size_t count)
{
    float all[LANES] = {0};
    for (size_t i = 0; i < count; i++)
        all[i] = from[i];
    return lanes_load(all);
}

ALWAYS_INLINE void lanes_store_some(float *to, struct lanes x, size_t count)
{
    float all[LANES];
    lanes_store(all, x);
    for (size_t i = 0; i < count; i++)
        to[i] = all[i];
}

/* The first `count` lanes of a, behind them those of b. */
ALWAYS_INLINE struct lanes lanes_join(struct lanes a, struct lanes b, size_t count)
{
    float all[LANES];
    lanes_store(all, b);
    lanes_store_some(all, a, count);
    return lanes_load(all);
}

ALWAYS_INLINE struct lanes lanes_add(struct lanes a, struct lanes b)
{
    EACH_PART(a.part[p] = a.part[p] + b.part[p];)
    return a;
}

ALWAYS_INLINE struct lanes lanes_subtract(struct lanes a, struct lanes b)
{
    EACH_PART(a.part[p] = a.part[p] - b.part[p];)
    return a;
}

ALWAYS_INLINE struct lanes lanes_multiply(struct lanes a, struct lanes b)
{
    EACH_PART(a.part[p] = a.part[p] * b.part[p];)
    return a;
}

ALWAYS_INLINE struct lanes lanes_divide(struct lanes a, struct lanes b)
{
    EACH_PART(a.part[p] = a.part[p] / b.part[p];)
    return a;
}

ALWAYS_INLINE lane_floats part_fma(lane_floats a, lane_floats b, lane_floats c)
{
    for (size_t i = 0; i < WIDTH; i++)
        c[i] = fmaf(a[i], b[i], c[i]);
    return c;
}

/* a b + c, rounded once. */
ALWAYS_INLINE struct lanes lanes_fma(struct lanes a, struct lanes b, struct lanes c)
{
    EACH_PART(c.part[p] = part_fma(a.part[p], b.part[p], c.part[p]);)
    return c;
}

/* c - a b, rounded once. */
ALWAYS_INLINE struct lanes lanes_fnma(struct lanes a, struct lanes b, struct lanes c)
{
    EACH_PART(a.part[p] = -a.part[p];)
    return lanes_fma(a, b, c);
}

/* Where the condition's bits are ones a, else b. */
ALWAYS_INLINE lane_floats choose(lane_integers condition, lane_floats a, lane_floats b)
{
    return (lane_floats)((condition & (lane_integers)a) | (~condition & (lane_integers)b));
}

/* a > b ? a : b, so b where one is a NaN. */
ALWAYS_INLINE struct lanes lanes_larger(struct lanes a, struct lanes b)
{
    EACH_PART(a.part[p] = choose(a.part[p] > b.part[p], a.part[p], b.part[p]);)
    return a;
}

/* a < b ? a : b. */
ALWAYS_INLINE struct lanes lanes_smaller(struct lanes a, struct lanes b)
{
    EACH_PART(a.part[p] = choose(a.part[p] < b.part[p], a.part[p], b.part[p]);)
    return a;
}

ALWAYS_INLINE lane_floats part_scale(lane_floats x, lane_floats k)
{
    lane_integers whole = __builtin_convertvector(k, lane_integers);
    return (lane_floats)((lane_bits)x + ((lane_bits)whole << 23));
}

/* x 2^k for whole k, where the result is normal; a NaN stays one. */
ALWAYS_INLINE struct lanes lanes_scale(struct lanes x, struct lanes k)
{
    EACH_PART(x.part[p] = part_scale(x.part[p], k.part[p]);)
    return x;
}

/* Folded: lane i with i + 8, then 4, 2, 1. */
ALWAYS_INLINE float lanes_sum(struct lanes x)
{
    float lane[LANES];
    lanes_store(lane, x);
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

/* Folded alike. */
ALWAYS_INLINE float lanes_largest(struct lanes x)
{
    float lane[LANES];
    lanes_store(lane, x);
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
    return lane[0];
}

/* The first four columns of sixteen rows, each `ld` lane_floats after the one before it. */
ALWAYS_INLINE void lanes_columns(const float *from, size_t ld, struct lanes column[4])
{
    for (size_t c = 0; c < 4; c++) {
        float lane[LANES];
        for (size_t i = 0; i < LANES; i++)
            lane[i] = from[i * ld + c];
        column[c] = lanes_load(lane);
    }
}

#undef EACH_PART
#undef PART

#endif
