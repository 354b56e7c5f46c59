/* Weights of a 3x3 convolution as the panels of a matrix [9 in_channels][out_channels], whose row
 * tap * in_channels + channel has taps from left to right and top to bottom. */
#include "core/nn/native.h"
#include "core/nn/panel.h"

#include <string.h>

enum { TAPS = 9 };

size_t direct_weight_floats(const struct conv_shape *shape)
{
    return panel_floats(shape->out_channels, TAPS * shape->in_channels);
}

void direct_prepare(const struct conv_shape *shape, const float *weights, float *packed)
{
    size_t in = shape->in_channels, out = shape->out_channels;
    memset(packed, 0, direct_weight_floats(shape) * sizeof *packed);
    for (size_t o = 0; o < out; o++)
        for (size_t c = 0; c < in; c++)
            for (size_t tap = 0; tap < TAPS; tap++)
                packed[panel_place(out, TAPS * in, tap * in + c, o)] =
                    weights[(o * in + c) * TAPS + tap];
}
