/* isa_plain.h - lanes in plain C; see isa.h. */
#ifndef ISA_PLAIN_H
#define ISA_PLAIN_H

struct lanes {
    float lane[LANES];
};

#define EACH_LANE for (size_t i = 0; i < LANES; i++)

static inline struct lanes lanes_set(float x)
{
    struct lanes out;
    EACH_LANE out.lane[i] = x;
    return out;
}

static inline struct lanes lanes_load(const float *from)
{
    struct lanes out;
    memcpy(out.lane, from, sizeof out.lane);
    return out;
}

static inline void lanes_store(float *to, struct lanes x)
{
    memcpy(to, x.lane, sizeof x.lane);
}

/* The first `count` lanes, at most LANES; zeros behind them. */
static inline struct lanes lanes_load_some(const float *from, size_t count)
{
    struct lanes out = lanes_set(0.0f);
    for (size_t i = 0; i < count; i++)
        out.lane[i] = from[i];
    return out;
}

static inline void lanes_store_some(float *to, struct lanes x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = x.lane[i];
}

static inline struct lanes lanes_add(struct lanes a, struct lanes b)
{
    EACH_LANE a.lane[i] = a.lane[i] + b.lane[i];
    return a;
}

static inline struct lanes lanes_subtract(struct lanes a, struct lanes b)
{
    EACH_LANE a.lane[i] = a.lane[i] - b.lane[i];
    return a;
}

static inline struct lanes lanes_multiply(struct lanes a, struct lanes b)
{
    EACH_LANE a.lane[i] = a.lane[i] * b.lane[i];
    return a;
}

static inline struct lanes lanes_divide(struct lanes a, struct lanes b)
{
    EACH_LANE a.lane[i] = a.lane[i] / b.lane[i];
    return a;
}

/* a b + c, rounded once. */
static inline struct lanes lanes_fma(struct lanes a, struct lanes b, struct lanes c)
{
    EACH_LANE a.lane[i] = fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return a;
}

/* c - a b, rounded once. */
static inline struct lanes lanes_fnma(struct lanes a, struct lanes b, struct lanes c)
{
    EACH_LANE a.lane[i] = fmaf(-a.lane[i], b.lane[i], c.lane[i]);
    return a;
}

/* a > b ? a : b, so b where one is a NaN. */
static inline struct lanes lanes_larger(struct lanes a, struct lanes b)
{
    EACH_LANE a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}

/* a < b ? a : b. */
static inline struct lanes lanes_smaller(struct lanes a, struct lanes b)
{
    EACH_LANE a.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}

/* x 2^k for whole k, where the result is normal. */
static inline struct lanes lanes_scale(struct lanes x, struct lanes k)
{
    EACH_LANE
    {
        int32_t bits;
        memcpy(&bits, &x.lane[i], sizeof bits);
        bits += (int32_t)k.lane[i] * (1 << 23);
        memcpy(&x.lane[i], &bits, sizeof bits);
    }
    return x;
}

/* Folded: lane i with i + 8, then 4, 2, 1. */
static inline float lanes_sum(struct lanes x)
{
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            x.lane[i] += x.lane[i + half];
    return x.lane[0];
}

/* Folded alike. */
static inline float lanes_largest(struct lanes x)
{
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            x.lane[i] = x.lane[i] > x.lane[i + half] ? x.lane[i] : x.lane[i + half];
    return x.lane[0];
}

/* The first four columns of sixteen rows, each `ld` floats after the one before it. */
static inline void lanes_columns(const float *from, size_t ld, struct lanes column[4])
{
    for (size_t c = 0; c < 4; c++)
        EACH_LANE column[c].lane[i] = from[i * ld + c];
}

#undef EACH_LANE

#endif
