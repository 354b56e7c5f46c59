/* quiver_density.h - the density that a score on a grid belongs to.
 *
 * For the files quiver*.c only. */
#ifndef QUIVER_DENSITY_H
#define QUIVER_DENSITY_H

#include "core/image/quiver.h"

/* ln p at the points, 0 at the highest: of all functions on the grid the one whose differences
 * between neighbours are closest to the mean of their scores times the distance. malloc'ed; NULL:
 * out of memory. */
double *quiver_log_density(const struct quiver_grid *grid, const float *score);

#endif
