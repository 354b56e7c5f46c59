/* group.h - one sample's call out of a group's. Static, for sources that are compiled once per
 * instruction set. */
#ifndef GROUP_H
#define GROUP_H

#include "core/nn/kernels.h"

static inline struct channel_sums group_sums(const struct channel_sums *group, size_t floats)
{
    struct channel_sums sums = *group;
    if (sums.at != NULL)
        sums.at += floats * sizeof(float) / sizeof(double);
    return sums;
}

static inline struct layer_call group_layer(const struct layer_call *group, size_t sample)
{
    struct layer_call call = *group;
    size_t offset = sample * group->stride;
    call.samples = 1;
    call.in += offset;
    call.out += offset;
    if (call.residual != NULL)
        call.residual += offset;
    if (call.scale_shift != NULL)
        call.scale_shift += offset;
    call.sums = group_sums(&call.sums, offset);
    if (call.bias != NULL)
        call.bias += sample * group->bias_stride;
    return call;
}

static inline struct attention_call group_attention(const struct attention_call *group,
                                                    size_t sample)
{
    struct attention_call call = *group;
    size_t offset = sample * group->stride;
    call.samples = 1;
    call.q += offset;
    call.k += offset;
    call.v += offset;
    call.out += offset;
    if (call.residual != NULL)
        call.residual += offset;
    call.sums = group_sums(&call.sums, offset);
    return call;
}

#endif
