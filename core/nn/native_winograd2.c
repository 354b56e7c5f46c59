/* F(2x2, 3x3) at the points 0, 1, -1 and infinity. Compiled for several CPUs; see the Makefile. */
#include "core/nn/isa.h"

enum { OUTPUTS = 2, INPUTS = 4 };

static const float FACTORS[2 * OUTPUTS - 1] = {1.0f, 1.0f, 1.0f};

static inline void transform_input(const struct lanes d[INPUTS], struct lanes o[INPUTS])
{
    o[0] = lanes_subtract(d[0], d[2]);
    o[1] = lanes_add(d[1], d[2]);
    o[2] = lanes_subtract(d[2], d[1]);
    o[3] = lanes_subtract(d[1], d[3]);
}

static inline void transform_output(const struct lanes m[INPUTS], struct lanes o[OUTPUTS])
{
    o[0] = lanes_add(lanes_add(m[0], m[1]), m[2]);
    o[1] = lanes_subtract(lanes_subtract(m[1], m[2]), m[3]);
}

#include "core/nn/winograd.h"

static void prepare(const struct kernels *kernels, const struct conv_shape *shape,
                    const float *weights, float *packed)
{
    (void)kernels;
    winograd2_prepare(shape, weights, packed);
}

const struct conv_kernel ISA(native_winograd2) = {
    .weight_floats = winograd2_weight_floats,
    .prepare = prepare,
    .scratch_floats = scratch_floats,
    .parts = parts_of,
    .run = run,
};
