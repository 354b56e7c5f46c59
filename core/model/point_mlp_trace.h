/* point_mlp_trace.h - tr(d output / d x) of a point network, by forward mode: one tangent for each
 * coordinate of x goes through the layers beside the slopes that the activations had.
 *
 * The same products as the network's own: no row of one depends on the others, so a trace depends
 * on its place alone. */
#ifndef POINT_MLP_TRACE_H
#define POINT_MLP_TRACE_H

#include "core/model/model.h"
#include "core/model/point_mlp_inside.h"

/* Places at a time whose slopes are kept. */
enum { POINT_MLP_TRACED = 32 };

/* In the worker's room: each hidden layer's slopes as rows that are whole vectors. */
struct slopes {
    float *of_layers, *values, *zeros;
};

size_t point_mlp_trace_bytes(const struct point_mlp *mlp);

/* The parts of that room. */
struct slopes point_mlp_slopes(const struct point_mlp *mlp, unsigned char *room);

/* Of `rows` rows whose sums in hidden layer `index` are to be ended by `end` (its activation is not
 * looked at), or are whole: NULL. */
void point_mlp_keep(const struct point_mlp *mlp, size_t index, size_t rows, const float *sums,
                    const struct row_end *end, const struct slopes *slopes);

/* Fills the divergence of the places that want it, at most POINT_MLP_TRACED. Two matrices of
 * POINT_MLP_ROWS_MAX rows, POINT_MLP_TILE where products have that shape, are scratch. */
void point_mlp_trace(const struct point_mlp *mlp, const struct place *places, size_t count,
                     const struct slopes *slopes, float *const matrices[2]);

#endif
