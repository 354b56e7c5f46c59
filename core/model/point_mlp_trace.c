#include "core/model/point_mlp_trace.h"

#include "core/nn/gradient.h"

#include <string.h>

/* Whole vectors. */
static size_t padded(size_t floats)
{
    return arena_rounded(floats * sizeof(float)) / sizeof(float);
}

static size_t width_of(const struct point_mlp *mlp, size_t index)
{
    return mlp->layers[index].shape.out;
}

/* Where the slopes of a hidden layer begin; those of none: how many there are. */
static size_t slopes_before(const struct point_mlp *mlp, size_t index)
{
    size_t floats = 0;
    for (size_t i = 0; i < index; i++)
        floats += POINT_MLP_TRACED * padded(width_of(mlp, i));
    return floats;
}

size_t point_mlp_trace_bytes(const struct point_mlp *mlp)
{
    return (slopes_before(mlp, mlp->layer_count - 1) +
            (POINT_MLP_TRACED + 1) * padded(mlp->widest)) *
           sizeof(float);
}

struct slopes point_mlp_slopes(const struct point_mlp *mlp, unsigned char *room)
{
    float *floats = (float *)(void *)room;
    struct slopes slopes = {.of_layers = floats};
    slopes.values = floats + slopes_before(mlp, mlp->layer_count - 1);
    slopes.zeros = slopes.values + POINT_MLP_TRACED * padded(mlp->widest);
    memset(slopes.zeros, 0, padded(mlp->widest) * sizeof *floats);
    return slopes;
}

/* A sum's end is made again without its activation: where x comes last it is one chain. */
static void copy_sums(const struct point_mlp *mlp, size_t width, const float *sums,
                      const struct row_end *end, float *row)
{
    struct row_end plain;
    memcpy(row, sums, width * sizeof *row);
    memset(row + width, 0, (padded(width) - width) * sizeof *row);
    if (end == NULL)
        return;
    plain = *end;
    plain.activation = ACTIVATION_NONE;
    mlp->kernels->pointwise->finish_rows(&plain, row, 1, width);
}

void point_mlp_keep(const struct point_mlp *mlp, size_t index, size_t rows, const float *sums,
                    const struct row_end *end, const struct slopes *slopes)
{
    size_t width = width_of(mlp, index), ld = padded(width);
    for (size_t i = 0; i < rows; i++) {
        struct row_end here = end == NULL ? (struct row_end){.depth = 0} : *end;
        if (here.depth > 0)
            here.x += i * here.depth;
        copy_sums(mlp, width, sums + i * width, end == NULL ? NULL : &here,
                  slopes->values + i * ld);
    }
    gradient_kernels_find()->activate(
        &(struct activation_rows){.activation = mlp->activation,
                                  .rows = rows,
                                  .columns = width,
                                  .ld = ld,
                                  .bias = slopes->zeros,
                                  .values = slopes->values,
                                  .slope = slopes->of_layers + slopes_before(mlp, index)});
}

/* --- tangents --------------------------------------------------------------------------------- */

/* Some of the tangents, which are counted over the places and, for each, over the coordinates. */
struct tangents {
    const struct point_mlp *mlp;
    const struct slopes *slopes;
    size_t first, count, rows; /* rows: of the product */
};

static size_t place_of(const struct tangents *tangents, size_t row)
{
    return (tangents->first + row) / tangents->mlp->dim;
}

static size_t coordinate_of(const struct tangents *tangents, size_t row)
{
    return (tangents->first + row) % tangents->mlp->dim;
}

/* The first layer's weights of x, a row a tangent: known, or a product with unit vectors. */
static void begin_rows(const struct tangents *tangents, float *in, float *out)
{
    const struct point_mlp *mlp = tangents->mlp;
    size_t width = width_of(mlp, 0), depth = mlp->layers[0].shape.in;
    if (point_mlp_sums_known(mlp)) {
        for (size_t i = 0; i < tangents->count; i++)
            memcpy(out + i * width,
                   point_mlp_floats(mlp, mlp->x_weights) + coordinate_of(tangents, i) * width,
                   width * sizeof *out);
        return;
    }
    memset(in, 0, tangents->rows * depth * sizeof *in);
    for (size_t i = 0; i < tangents->count; i++)
        in[i * depth + coordinate_of(tangents, i)] = 1.0f;
    point_mlp_product(mlp, 0, tangents->rows, NULL, in, out);
}

static void bend(const struct tangents *tangents, size_t index, float *rows)
{
    size_t width = width_of(tangents->mlp, index), ld = padded(width);
    const float *slopes = tangents->slopes->of_layers + slopes_before(tangents->mlp, index);
    for (size_t i = 0; i < tangents->count; i++) {
        const float *restrict slope = slopes + place_of(tangents, i) * ld;
        float *restrict row = rows + i * width;
        for (size_t j = 0; j < width; j++)
            row[j] *= slope[j];
    }
}

/* Through all layers; the last ones' derivatives by all coordinates. */
static const float *run(const struct tangents *tangents, float *const matrices[2])
{
    const struct point_mlp *mlp = tangents->mlp;
    float *in = matrices[0], *out = matrices[1];
    begin_rows(tangents, in, out);
    for (size_t i = 1; i < mlp->layer_count; i++) {
        float *swap = in;
        in = out;
        out = swap;
        bend(tangents, i - 1, in);
        memset(in + tangents->count * mlp->layers[i].shape.in, 0,
               (tangents->rows - tangents->count) * mlp->layers[i].shape.in * sizeof *in);
        point_mlp_product(mlp, i, tangents->rows, NULL, in, out);
    }
    return out;
}

void point_mlp_trace(const struct point_mlp *mlp, const struct place *places, size_t count,
                     const struct slopes *slopes, float *const matrices[2])
{
    size_t all = count * mlp->dim, most = mlp->any_rows ? POINT_MLP_ROWS_MAX : POINT_MLP_TILE;
    for (size_t i = 0; i < count; i++)
        if (places[i].divergence != NULL)
            *places[i].divergence = 0.0;
    for (size_t first = 0; first < all; first += most) {
        struct tangents tangents = {.mlp = mlp, .slopes = slopes, .first = first};
        tangents.count = all - first < most ? all - first : most;
        tangents.rows = mlp->any_rows ? tangents.count : most;
        const float *rows = run(&tangents, matrices);
        for (size_t i = 0; i < tangents.count; i++) {
            double *sum = places[place_of(&tangents, i)].divergence;
            if (sum != NULL)
                *sum += (double)rows[i * mlp->dim + coordinate_of(&tangents, i)];
        }
    }
}
