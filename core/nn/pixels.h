/* pixels.h - what the native layers do to rows of numbers, beside products; for sources that are
 * compiled once per instruction set, so everything is static. */
#ifndef PIXELS_H
#define PIXELS_H

#include "core/nn/isa.h"
#include "core/nn/kernels.h"

static inline struct lanes lanes_load_up_to(const float *from, size_t count)
{
    return count >= LANES ? lanes_load(from) : lanes_load_some(from, count);
}

static inline void lanes_store_up_to(float *to, struct lanes x, size_t count)
{
    if (count >= LANES)
        lanes_store(to, x);
    else
        lanes_store_some(to, x, count);
}

/* Whole lanes are written: `to` has room for LANES - 1 numbers more. */
static inline void pixels_copy(const float *from, float *to, size_t count)
{
    for (size_t i = 0; i < count; i += LANES)
        lanes_store(to + i, lanes_load_up_to(from + i, count - i));
}

static inline void pixels_zero(float *to, size_t count)
{
    for (size_t i = 0; i < count; i += LANES)
        lanes_store(to + i, lanes_set(0.0f));
}

/* One pixel as activation(fma(x, scale, shift)). Whole lanes are written, as above. */
static inline void pixels_norm(const struct kernels *kernels, const struct layer_call *call,
                               size_t channels, const float *in, float *out)
{
    const float *scale = call->scale_shift, *shift = scale + channels;
    bool silu = call->activation == ACTIVATION_SILU;
    for (size_t c = 0; c < channels; c += LANES) {
        struct lanes x = lanes_fma(lanes_load_up_to(in + c, channels - c),
                                   lanes_load_up_to(scale + c, channels - c),
                                   lanes_load_up_to(shift + c, channels - c));
        lanes_store(out + c, silu ? lanes_silu(x) : x);
    }
    if (!silu && call->activation != ACTIVATION_NONE)
        kernels->pointwise->activate(call->activation, out, out, channels);
}

/* (sum + bias + residual) / divisor, added from left to right, for a vector with `count` columns
 * that are there. bias and residual: at this vector's first number, or NULL. */
static inline void pixels_finish_lanes(struct lanes sum, const float *bias, const float *residual,
                                       float divisor, float *out, size_t count)
{
    if (bias != NULL)
        sum = lanes_add(sum, lanes_load_up_to(bias, count));
    if (residual != NULL)
        sum = lanes_add(sum, lanes_load_up_to(residual, count));
    if (divisor != 1.0f)
        sum = lanes_divide(sum, lanes_set(divisor));
    lanes_store_up_to(out, sum, count);
}

/* The same for a row; `out` may be `sum`. */
static inline void pixels_finish(const float *sum, const float *bias, const float *residual,
                                 float divisor, float *out, size_t count)
{
    for (size_t i = 0; i < count; i += LANES)
        pixels_finish_lanes(lanes_load_up_to(sum + i, count - i), bias ? bias + i : NULL,
                            residual ? residual + i : NULL, divisor, out + i, count - i);
}

#endif
