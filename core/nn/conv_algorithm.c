#include "core/nn/native.h"

/* Fewer channels than this fill no lanes: such layers are products of windows or of taps. */
enum { CHANNELS_MIN = 16, WINOGRAD4_MIN = 11, WINOGRAD2_MIN = 3 };

enum conv_algorithm native_conv_algorithm(const struct conv_shape *shape)
{
    size_t height = shape->out_height, width = shape->out_width;
    size_t side = height < width ? height : width;
    if (shape->stride != 1)
        return CONV_DIRECT;
    if (shape->out_channels < CHANNELS_MIN)
        return CONV_OUT;
    if (shape->in_channels < CHANNELS_MIN || side < WINOGRAD2_MIN)
        return CONV_DIRECT;
    return side >= WINOGRAD4_MIN ? CONV_WINOGRAD4 : CONV_WINOGRAD2;
}
