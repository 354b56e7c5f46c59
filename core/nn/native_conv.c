/* A convolution by the algorithm that its shape asks for. Compiled for several CPUs; see the
 * Makefile. */
#include "core/nn/isa.h"
#include "core/nn/native.h"

static const struct conv_kernel *const ALGORITHMS[] = {
    [CONV_WINOGRAD4] = &ISA(native_winograd4),
    [CONV_WINOGRAD2] = &ISA(native_winograd2),
    [CONV_DIRECT] = &ISA(native_direct),
    [CONV_OUT] = &ISA(native_conv_out),
};

static const struct conv_kernel *algorithm(const struct conv_shape *shape)
{
    return ALGORITHMS[native_conv_algorithm(shape)];
}

static size_t weight_floats(const struct conv_shape *shape)
{
    return algorithm(shape)->weight_floats(shape);
}

static void prepare(const struct kernels *kernels, const struct conv_shape *shape,
                    const float *weights, float *packed)
{
    algorithm(shape)->prepare(kernels, shape, weights, packed);
}

static size_t scratch_floats(const struct conv_shape *shape)
{
    return algorithm(shape)->scratch_floats(shape);
}

static size_t parts(const struct conv_shape *shape)
{
    return algorithm(shape)->parts(shape);
}

static bool leaves_sums(const struct conv_shape *shape)
{
    return native_conv_algorithm(shape) != CONV_OUT;
}

static void run(const struct kernels *kernels, const struct conv_shape *shape,
                const struct layer_call *call, struct parts range, float *scratch)
{
    algorithm(shape)->run(kernels, shape, call, range, scratch);
}

const struct conv_kernel ISA(native_conv) = {
    .weight_floats = weight_floats,
    .prepare = prepare,
    .scratch_floats = scratch_floats,
    .parts = parts,
    .leaves_sums = leaves_sums,
    .run = run,
};
