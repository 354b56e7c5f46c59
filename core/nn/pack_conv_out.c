/* Weights of a 3x3 convolution as the panels of a matrix [in_channels][9 out_channels], whose
 * column tap * out_channels + channel has taps from left to right and top to bottom. */
#include "core/nn/native.h"
#include "core/nn/panel.h"

#include <string.h>

enum { TAPS = 9 };

size_t conv_out_weight_floats(const struct conv_shape *shape)
{
    return panel_floats(TAPS * shape->out_channels, shape->in_channels);
}

void conv_out_prepare(const struct conv_shape *shape, const float *weights, float *packed)
{
    size_t in = shape->in_channels, out = shape->out_channels;
    memset(packed, 0, conv_out_weight_floats(shape) * sizeof *packed);
    for (size_t o = 0; o < out; o++)
        for (size_t c = 0; c < in; c++)
            for (size_t tap = 0; tap < TAPS; tap++)
                packed[panel_place(TAPS * out, in, c, tap * out + o)] =
                    weights[(o * in + c) * TAPS + tap];
}
