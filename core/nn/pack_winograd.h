/* pack_winograd.h - where the transformed weights of Winograd convolutions are.
 *
 * Output channels are taken WINOGRAD_COLUMNS at a time, the last ones fewer: for each such group,
 * all taps one after the other, each a matrix [in][group] in panels (panel.h). This is the order in
 * which they are read, whoever takes which groups. */
#ifndef PACK_WINOGRAD_H
#define PACK_WINOGRAD_H

#include <stddef.h>

enum { WINOGRAD_COLUMNS = 64 };

/* From the group whose first channel is `channel` to that. */
static inline size_t winograd_group_offset(size_t channel, size_t in_channels, size_t taps)
{
    return channel * in_channels * taps;
}

#endif
