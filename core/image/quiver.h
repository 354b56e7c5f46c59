/* quiver.h - a field of vectors over a grid in the plane, as a picture of 512 x 512: arrows on a
 * ground that is darker where there is more of what the field says.
 *
 * Pure functions, any thread; the same bits on every machine. */
#ifndef QUIVER_H
#define QUIVER_H

#include "core/base/error.h"
#include "core/image/pixels.h"

/* size[0] points a line, the first at from[0]; size[1] lines, the first at from[1]. */
struct quiver_grid {
    double from[2], to[2]; /* from < to, unless the size is 1 */
    size_t size[2];
};

void quiver_point(const struct quiver_grid *grid, size_t index, float point[2]);

struct quiver {
    struct quiver_grid grid;
    const float *vectors; /* of each point, line by line; finite */
    /* The field is grad ln p, or says it: likewise, and the ground is the density p whose logarithm
     * has that gradient (least squares). NULL: the ground is how long the vectors are. */
    const float *score;
    bool reaches; /* vectors are points to which arrows go; else the longest arrow fills a cell of
                     the grid, and lengths go with the root */
};

/* Points a line, and lines, that are drawn: finer arrows run into one another, and the density is
 * made in a time that goes with the number of points times a side. */
#define QUIVER_SIDE_MAX 128

/* What a picture takes while it is drawn, about. */
#define QUIVER_BYTES 4194304

/* view: x0 x1 y0 y1, the axes. What lies outside is left out. The picture is RGB, malloc'ed.
 * NO_MEMORY. */
MUST_CHECK bool quiver_draw(const struct quiver *quiver, const double view[4],
                            struct picture *picture, struct error *error);

#endif
