/* plot_axes.h - the sheet that points are drawn on: a box with light lines and numbers around it.
 *
 * For the files plot*.c only. Pure functions, any thread; double arithmetic without libm, so the
 * same bits on every machine. */
#ifndef PLOT_AXES_H
#define PLOT_AXES_H

#include "core/image/plot.h"

/* The inside of the box, in pixels of the picture. */
#define PLOT_LEFT 46
#define PLOT_TOP  14
#define PLOT_SIDE 452

struct colour {
    uint8_t red, green, blue;
};

void plot_put(struct picture *picture, long x, long y, struct colour colour);

/* White, lines and numbers at round values of the axes, x0 x1 y0 y1. */
void plot_axes(struct picture *picture, const double view[4]);

/* The frame, after the points. */
void plot_frame(struct picture *picture);

#endif
