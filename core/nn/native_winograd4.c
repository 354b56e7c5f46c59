/* F(4x4, 3x3) at the points 0, 3/4, -3/4, 3/2, -3/2 and infinity. Compiled for several CPUs; see
 * the Makefile. */
#include "core/nn/isa.h"

enum { OUTPUTS = 4, INPUTS = 6 };

/* A^T = D A' E with A' of the points 0, 1, -1, 2, -2: E is in the weights, and D, (3/4)^y along
 * each axis, is applied where the bias is added. */
static const float FACTORS[2 * OUTPUTS - 1] = {
    1.0f, 0.75f, 0.5625f, 0.421875f, 0.31640625f, 0.2373046875f, 0.177978515625f};

static inline void transform_input(const struct lanes d[INPUTS], struct lanes o[INPUTS])
{
    struct lanes c81_64 = lanes_set(81.0f / 64), c45_16 = lanes_set(45.0f / 16);
    o[0] = lanes_fma(c81_64, d[0], lanes_fnma(c45_16, d[2], d[4]));
    o[5] = lanes_fma(c81_64, d[1], lanes_fnma(c45_16, d[3], d[5]));
    struct lanes u = lanes_fnma(lanes_set(9.0f / 4), d[2], d[4]);
    struct lanes t = lanes_fnma(lanes_set(9.0f / 4), d[1], d[3]);
    o[1] = lanes_fma(lanes_set(3.0f / 4), t, u);
    o[2] = lanes_fnma(lanes_set(3.0f / 4), t, u);
    struct lanes p = lanes_fnma(lanes_set(9.0f / 16), d[2], d[4]);
    struct lanes q = lanes_fnma(lanes_set(9.0f / 16), d[1], d[3]);
    o[3] = lanes_fma(lanes_set(3.0f / 2), q, p);
    o[4] = lanes_fnma(lanes_set(3.0f / 2), q, p);
}

static inline void transform_output(const struct lanes m[INPUTS], struct lanes o[OUTPUTS])
{
    struct lanes s1 = lanes_add(m[1], m[2]), d1 = lanes_subtract(m[1], m[2]);
    struct lanes s2 = lanes_add(m[3], m[4]), d2 = lanes_subtract(m[3], m[4]);
    o[0] = lanes_add(lanes_add(m[0], s1), s2);
    o[1] = lanes_fma(lanes_set(2.0f), d2, d1);
    o[2] = lanes_fma(lanes_set(4.0f), s2, s1);
    o[3] = lanes_add(lanes_fma(lanes_set(8.0f), d2, d1), m[5]);
}

#include "core/nn/winograd.h"

static void prepare(const struct kernels *kernels, const struct conv_shape *shape,
                    const float *weights, float *packed)
{
    (void)kernels;
    winograd4_prepare(shape, weights, packed);
}

const struct conv_kernel ISA(native_winograd4) = {
    .weight_floats = winograd4_weight_floats,
    .prepare = prepare,
    .scratch_floats = scratch_floats,
    .parts = parts_of,
    .run = run,
};
