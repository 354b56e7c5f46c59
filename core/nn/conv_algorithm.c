#include "core/nn/native.h"

/* Fewer channels than these fill no lanes: such layers are products of windows or of taps. The
 * larger tiles need fewer products and more weights. On maps of few tiles that pays where the
 * weights stay in the caches: FEW_WEIGHTS pairs of channels are 2.4 MB. */
enum { CHANNELS_MIN = 16, WINOGRAD4_MIN = 11, WINOGRAD4_FEW_MIN = 7, WINOGRAD2_MIN = 3 };
enum { FEW_WEIGHTS = 128 * 128 };

enum conv_algorithm native_conv_algorithm(const struct conv_shape *shape)
{
    size_t height = shape->out_height, width = shape->out_width;
    size_t side = height < width ? height : width;
    if (shape->stride != 1)
        return CONV_DIRECT;
    if (shape->out_channels < CHANNELS_MIN)
        return CONV_OUT;
    if (shape->in_channels < CHANNELS_MIN || side < WINOGRAD2_MIN || shape->pad != 1)
        return CONV_DIRECT;
    bool few = shape->in_channels * shape->out_channels <= FEW_WEIGHTS;
    return side >= (few ? WINOGRAD4_FEW_MIN : WINOGRAD4_MIN) ? CONV_WINOGRAD4 : CONV_WINOGRAD2;
}
