/* Compiled for several CPUs; see the Makefile.
 *
 * Reverse mode's share of a layer. The outer product keeps a tile of c in registers while the rows
 * of a and b stream by, as panel_product.c does; here a is read along its rows. */
#include "core/nn/gradient.h"

#include "core/nn/isa.h"
#include "core/nn/sizes.h"

/* --- outer product ---------------------------------------------------------------------------- */

#if defined(AVX512_BUILD)
enum { TILE_ROWS = 11, TILE_VECTORS = 2 }; /* 22 of 32 registers */
#else
enum { TILE_ROWS = 3, TILE_VECTORS = 2 }; /* 12 of 16 */
#endif

/* `down` and `vectors` are constants wherever this is expanded; `last` columns of the last vector
 * are c's. */
ALWAYS_INLINE void outer_tile(const struct outer_product *product, float *c, const size_t down,
                              const size_t vectors, size_t last)
{
    struct lanes sum[TILE_ROWS][TILE_VECTORS];
    const float *a = product->a, *b = product->b;
#pragma GCC unroll 11
    for (size_t i = 0; i < down; i++)
#pragma GCC unroll 2
        for (size_t v = 0; v < vectors; v++) {
            const float *from = c + i * product->c_ld + v * LANES;
            sum[i][v] = v + 1 < vectors ? lanes_load(from) : lanes_load_some(from, last);
        }
    for (size_t r = 0; r < product->rows; r++, a += product->a_ld, b += product->b_ld) {
        struct lanes row[TILE_VECTORS];
#pragma GCC unroll 2
        for (size_t v = 0; v < vectors; v++)
            row[v] = lanes_load(b + v * LANES);
#pragma GCC unroll 11
        for (size_t i = 0; i < down; i++) {
            struct lanes number = lanes_set(a[i]);
#pragma GCC unroll 2
            for (size_t v = 0; v < vectors; v++)
                sum[i][v] = lanes_fma(number, row[v], sum[i][v]);
        }
    }
#pragma GCC unroll 11
    for (size_t i = 0; i < down; i++)
#pragma GCC unroll 2
        for (size_t v = 0; v < vectors; v++) {
            float *to = c + i * product->c_ld + v * LANES;
            if (v + 1 < vectors)
                lanes_store(to, sum[i][v]);
            else
                lanes_store_some(to, sum[i][v], last);
        }
}

#define FEW_ROWS(X) X(1) X(2) X(3)
#if defined(AVX512_BUILD)
#define TILE_HEIGHTS(X) FEW_ROWS(X) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#else
#define TILE_HEIGHTS FEW_ROWS
#endif

#define DEFINE_TILE(down)                                                                          \
    static void outer_##down(const struct outer_product *product, float *c, size_t vectors,        \
                             size_t last)                                                          \
    {                                                                                              \
        if (vectors == TILE_VECTORS)                                                               \
            outer_tile(product, c, down, TILE_VECTORS, last);                                      \
        else                                                                                       \
            outer_tile(product, c, down, 1, last);                                                 \
    }
TILE_HEIGHTS(DEFINE_TILE)
#undef DEFINE_TILE

#define TILE_ENTRY(down) [down] = outer_##down,
static void (*const OUTER[])(const struct outer_product *, float *, size_t,
                             size_t) = {TILE_HEIGHTS(TILE_ENTRY)};
#undef TILE_ENTRY

/* The columns of b that fill a tile stay in the first cache while those of a pass. */
static void outer(const struct outer_product *product)
{
    const size_t widest = (size_t)TILE_VECTORS * LANES;
    for (size_t column = 0; column < product->across; column += widest) {
        size_t width = size_smaller(product->across - column, widest);
        size_t vectors = size_blocks(width, LANES), last = width - (vectors - 1) * LANES;
        struct outer_product tile = *product;
        tile.b += column;
        size_t groups = size_blocks(product->down, TILE_ROWS), row = 0;
        for (; groups > 0; groups--) {
            size_t down = size_blocks(product->down - row, groups);
            tile.a = product->a + row;
            OUTER[down](&tile, product->c + row * product->c_ld + column, vectors, last);
            row += down;
        }
    }
}

/* --- activations ------------------------------------------------------------------------------ */

/* f, f' and f'' of some numbers. */
struct curve {
    struct lanes value, slope, curvature;
};

ALWAYS_INLINE struct lanes one_minus(struct lanes x)
{
    return lanes_subtract(lanes_set(1.0f), x);
}

/* e^x, x taken to be within what lanes_exponential allows. */
ALWAYS_INLINE struct lanes exponential(struct lanes x)
{
    return lanes_exponential(lanes_smaller(lanes_larger(x, lanes_set(-87.0f)), lanes_set(87.0f)));
}

/* 1 where x is above 0, else 0; something between for x below 2^-100. */
ALWAYS_INLINE struct lanes above_zero(struct lanes x)
{
    return lanes_smaller(lanes_larger(lanes_multiply(x, lanes_set(0x1p100f)), lanes_set(0.0f)),
                         lanes_set(1.0f));
}

/* With s = 1 / (1 + e^-x): f = x s, f' = s + f (1 - s), f'' = s (1 - s) (2 + x (1 - 2 s)). */
ALWAYS_INLINE struct curve curve_silu(struct lanes x)
{
    struct lanes one = lanes_set(1.0f);
    struct lanes e = exponential(lanes_subtract(lanes_set(0.0f), x));
    struct lanes s = lanes_divide(one, lanes_add(one, e)), rest = one_minus(s);
    struct lanes value = lanes_multiply(x, s);
    return (struct curve){
        .value = value,
        .slope = lanes_fma(value, rest, s),
        .curvature = lanes_multiply(lanes_multiply(s, rest),
                                    lanes_fma(x, lanes_subtract(rest, s), lanes_set(2.0f)))};
}

/* Phi(x) x, its normal distribution by Abramowitz & Stegun 7.1.26: within 8e-8. */
ALWAYS_INLINE struct curve curve_gelu(struct lanes x)
{
    struct lanes zero = lanes_set(0.0f), away = lanes_larger(x, lanes_subtract(zero, x));
    struct lanes bell = exponential(lanes_multiply(lanes_multiply(x, x), lanes_set(-0.5f)));
    struct lanes t =
        lanes_divide(lanes_set(1.0f), lanes_fma(away, lanes_set(0.23164189f), lanes_set(1.0f)));
    struct lanes tail = lanes_set(0.530702714f);
    tail = lanes_fma(tail, t, lanes_set(-0.726576013f));
    tail = lanes_fma(tail, t, lanes_set(0.710706871f));
    tail = lanes_fma(tail, t, lanes_set(-0.142248368f));
    tail = lanes_fma(tail, t, lanes_set(0.127414796f));
    tail = lanes_multiply(lanes_multiply(tail, t), bell); /* Phi(-|x|) */
    struct lanes above = above_zero(x);
    struct lanes phi = lanes_fma(lanes_fma(above, lanes_set(-2.0f), lanes_set(1.0f)), tail, above);
    struct lanes density = lanes_multiply(bell, lanes_set(0.398942280f));
    return (struct curve){.value = lanes_multiply(x, phi),
                          .slope = lanes_fma(x, density, phi),
                          .curvature = lanes_multiply(density, lanes_fnma(x, x, lanes_set(2.0f)))};
}

ALWAYS_INLINE struct curve curve_relu(struct lanes x)
{
    struct lanes zero = lanes_set(0.0f);
    return (struct curve){lanes_larger(zero, x), above_zero(x), zero};
}

ALWAYS_INLINE struct curve curve_elu(struct lanes x)
{
    struct lanes zero = lanes_set(0.0f), e = exponential(lanes_smaller(x, zero));
    return (struct curve){.value =
                              lanes_add(lanes_larger(x, zero), lanes_subtract(e, lanes_set(1.0f))),
                          .slope = e,
                          .curvature = lanes_multiply(e, one_minus(above_zero(x)))};
}

/* 1 - 2 / (1 + e^2x): the absolute error is that of a float. */
ALWAYS_INLINE struct curve curve_tanh(struct lanes x)
{
    struct lanes one = lanes_set(1.0f), two = lanes_set(2.0f);
    struct lanes value =
        lanes_subtract(one, lanes_divide(two, lanes_add(one, exponential(lanes_add(x, x)))));
    struct lanes slope = lanes_fnma(value, value, one);
    return (struct curve){value, slope,
                          lanes_multiply(lanes_multiply(value, slope), lanes_set(-2.0f))};
}

/* The curvature is written only where there are directions: then loops over points are left as
 * they are for training that has none. */
#define ACTIVATE_ROWS(name)                                                                        \
    static void activate_##name(const struct activation_rows *rows)                                \
    {                                                                                              \
        for (size_t i = 0; i < rows->rows; i++) {                                                  \
            size_t first = i * rows->ld;                                                           \
            for (size_t j = 0; j < rows->columns; j += LANES) {                                    \
                float *values = rows->values + first + j;                                          \
                struct curve curve =                                                               \
                    curve_##name(lanes_add(lanes_load(values), lanes_load(rows->bias + j)));       \
                lanes_store(values, curve.value);                                                  \
                lanes_store(rows->slope + first + j, curve.slope);                                 \
                if (rows->directions > 0)                                                          \
                    lanes_store(rows->curvature + first + j, curve.curvature);                     \
            }                                                                                      \
        }                                                                                          \
    }
ACTIVATE_ROWS(silu)
ACTIVATE_ROWS(gelu)
ACTIVATE_ROWS(relu)
ACTIVATE_ROWS(elu)
ACTIVATE_ROWS(tanh)
#undef ACTIVATE_ROWS

/* Directions: f' times their sums, which are kept. */
static void activate_directions(const struct activation_rows *rows)
{
    size_t block = rows->rows * rows->ld;
    for (size_t d = 0; d < rows->directions; d++) {
        float *values = rows->values + (1 + d) * block, *sums = rows->sums + d * block;
        for (size_t i = 0; i < block; i++) {
            sums[i] = values[i];
            values[i] *= rows->slope[i];
        }
    }
}

static void activate(const struct activation_rows *rows)
{
    static void (*const ACTIVATE[])(const struct activation_rows *) = {
        [ACTIVATION_SILU] = activate_silu, [ACTIVATION_GELU] = activate_gelu,
        [ACTIVATION_RELU] = activate_relu, [ACTIVATION_ELU] = activate_elu,
        [ACTIVATION_TANH] = activate_tanh,
    };
    ACTIVATE[rows->activation](rows);
    activate_directions(rows);
}

/* --- the way back ----------------------------------------------------------------------------- */

/* f'' times the sum over directions of their sum and what is with respect to their value, added to
 * `to`; those become with respect to their sums. */
ALWAYS_INLINE struct lanes through_directions(const struct slope_rows *rows, size_t place,
                                              struct lanes here, struct lanes to)
{
    size_t block = rows->rows * rows->ld;
    struct lanes total = lanes_set(0.0f);
    for (size_t d = 0; d < rows->directions; d++) {
        float *along = rows->values + (1 + d) * block + place;
        struct lanes back = lanes_load(along);
        total = lanes_fma(lanes_load(rows->sums + d * block + place), back, total);
        lanes_store(along, lanes_multiply(back, here));
    }
    return lanes_fma(lanes_load(rows->curvature + place), total, to);
}

/* Columns stay in one register while the rows pass: their sum is the bias's gradient. */
static void slope(const struct slope_rows *rows)
{
    for (size_t j = 0; j < rows->columns; j += LANES) {
        struct lanes sum = lanes_load(rows->bias_gradient + j);
        for (size_t i = 0; i < rows->rows; i++) {
            size_t place = i * rows->ld + j;
            struct lanes here = lanes_load(rows->slope + place);
            struct lanes back = lanes_multiply(lanes_load(rows->values + place), here);
            if (rows->directions > 0)
                back = through_directions(rows, place, here, back);
            lanes_store(rows->values + place, back);
            sum = lanes_add(sum, back);
        }
        lanes_store(rows->bias_gradient + j, sum);
    }
}

/* --- Adam ------------------------------------------------------------------------------------- */

static void adam(const struct adam_step *step, size_t count)
{
    const float *restrict gradient = step->gradient;
    float *restrict weights = step->weights, *restrict average = step->average;
    float *restrict first = step->first, *restrict second = step->second;
    const struct adam_step by = *step;
    for (size_t i = 0; i < count; i++) {
        float g = gradient[i];
        first[i] += by.first_rest * (g - first[i]);
        second[i] = by.second_decay * second[i] + by.second_rest * (g * g);
        weights[i] -= by.step * first[i] / (sqrtf(second[i]) * by.root_scale + by.epsilon);
        average[i] += by.blend * (weights[i] - average[i]);
    }
}

const struct gradient_kernels ISA(gradient_kernels) = {
    .product = ISA(panel_product),
    .outer = outer,
    .activate = activate,
    .slope = slope,
    .adam = adam,
};
