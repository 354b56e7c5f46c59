#include "core/image/quiver_density.h"

#include <stdlib.h>

/* Conjugate gradients on the normal equations: those of the grid's Laplacian, with nothing flowing
 * over its rim. They take a few times its sides. */
#define ROUNDS(grid) (4 * ((grid)->size[0] + (grid)->size[1]))
#define ENOUGH       1e-20 /* of the squared residual */

struct solver {
    const struct quiver_grid *grid;
    size_t count;
    double *f, *residual, *direction, *image;
};

/* sum += D'D f. */
static void laplace(const struct quiver_grid *grid, const double *f, double *sum)
{
    const size_t width = grid->size[0], height = grid->size[1];

    for (size_t i = 0; i < width * height; i++)
        sum[i] = 0.0;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            const size_t i = y * width + x;

            if (x + 1 < width) {
                sum[i] += f[i] - f[i + 1];
                sum[i + 1] += f[i + 1] - f[i];
            }
            if (y + 1 < height) {
                sum[i] += f[i] - f[i + width];
                sum[i + width] += f[i + width] - f[i];
            }
        }
}

static double spacing(const struct quiver_grid *grid, size_t axis)
{
    return grid->size[axis] > 1
               ? (grid->to[axis] - grid->from[axis]) / (double)(grid->size[axis] - 1)
               : 0.0;
}

/* D' of the differences that the score asks for. */
static void wanted(const struct quiver_grid *grid, const float *score, double *sum)
{
    const size_t width = grid->size[0], height = grid->size[1], strides[2] = {1, width};

    for (size_t i = 0; i < width * height; i++)
        sum[i] = 0.0;
    for (size_t axis = 0; axis < 2; axis++)
        for (size_t y = 0; y + (axis == 1) < height; y++)
            for (size_t x = 0; x + (axis == 0) < width; x++) {
                const size_t i = y * width + x, next = i + strides[axis];
                const double mean =
                    ((double)score[2 * i + axis] + (double)score[2 * next + axis]) / 2.0;

                sum[i] -= mean * spacing(grid, axis);
                sum[next] += mean * spacing(grid, axis);
            }
}

static double product(const double *a, const double *b, size_t count)
{
    double sum = 0.0;

    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static void solve(const struct solver *solver)
{
    const size_t count = solver->count;
    double *r = solver->residual, *d = solver->direction;
    double norm = product(r, r, count);
    const double enough = norm * ENOUGH;

    for (size_t i = 0; i < count; i++) {
        solver->f[i] = 0.0;
        d[i] = r[i];
    }
    for (size_t round = 0; round < ROUNDS(solver->grid) && norm > enough; round++) {
        double by, next;

        laplace(solver->grid, d, solver->image);
        by = norm / product(d, solver->image, count);
        for (size_t i = 0; i < count; i++) {
            solver->f[i] += by * d[i];
            r[i] -= by * solver->image[i];
        }
        next = product(r, r, count);
        for (size_t i = 0; i < count; i++)
            d[i] = r[i] + next / norm * d[i];
        norm = next;
    }
}

static void lower_to_zero(double *f, size_t count)
{
    double highest = f[0];

    for (size_t i = 1; i < count; i++)
        highest = f[i] > highest ? f[i] : highest;
    for (size_t i = 0; i < count; i++)
        f[i] -= highest;
}

double *quiver_log_density(const struct quiver_grid *grid, const float *score)
{
    const size_t count = grid->size[0] * grid->size[1];
    double *rooms = calloc(3 * count, sizeof *rooms), *f = malloc(count * sizeof *f);
    const struct solver solver = {grid, count, f, rooms, rooms + count, rooms + 2 * count};

    if (rooms != NULL && f != NULL) {
        wanted(grid, score, solver.residual);
        solve(&solver);
        lower_to_zero(f, count);
    } else {
        free(f);
        f = NULL;
    }
    free(rooms);
    return f;
}
