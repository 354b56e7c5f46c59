/* plot.h - points as a picture of 512 x 512: a scatter in the plane, a histogram on the line. */
#ifndef PLOT_H
#define PLOT_H

#include "core/base/error.h"
#include "core/image/pixels.h"

#define PLOT_SIZE 512

/* `points` are n points of `dim` coordinates, 2 (scatter) or 1 (histogram); view: x0 x1 y0 y1, the
 * axes. Points outside are left out. `labels` (n, or NULL) chooses the colours; -1 is the plain
 * one. The picture is RGB, malloc'ed, the same bits on every machine. NO_MEMORY. */
MUST_CHECK bool plot_points(const float *points, size_t n, size_t dim, const int32_t *labels,
                            const double view[4], struct picture *picture, struct error *error);

#endif
