/* data.h - what a point network learns: points of a formula, or the rows of a table in a file.
 *
 * Either way a set of points in memory, with a class each where there are classes. A formula's
 * depend on its name and a seed alone, and are so many that what a set of them has by chance does
 * not show. Opened by one owner, then immutable. */
#ifndef TRAIN_DATA_H
#define TRAIN_DATA_H

#include "core/base/buffer.h"
#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/rng.h"

#include <stddef.h>
#include <stdint.h>

#define DATA_DIM_MAX 64

/* A formula: each point is one of an outline, and noise of deviation `jitter` on it. */
struct outline {
    const char *name, *title;
    void (*point)(struct rng *rng, double x[2]);
    double jitter;
    double extent;       /* pictures show +- this much */
    double inner, outer; /* the annulus that a flow to it starts from; 0, 0: N(0, I) */
};

#define DATA_POINTS 262144 /* of a formula */

struct data {
    const char *name; /* as it was asked for; borrowed */
    size_t count, dim;
    float *points;      /* count * dim; owned, as are the next two */
    int32_t *labels;    /* count, or NULL: there are no classes */
    char **class_names; /* class_count */
    size_t class_count;
    char digest[DIGEST_TEXT_SIZE]; /* of a file's bytes; empty of a formula */
    const struct outline *outline; /* of a formula, the first of several; NULL: a file */
};

/* `name` is a formula's or the path of a CSV file (core/train/csv.h) and must outlive `data`.
 * INVALID lists the names; else as csv_read. */
MUST_CHECK bool data_open(struct data *data, const char *name, uint32_t seed, struct error *error);
void data_close(struct data *data);

/* NULL when no formula is called so; of `shapes` the first of eight. */
const struct outline *data_outline(const char *name);

/* What a person calls it. */
const char *data_title(const struct data *data);

/* E[x . x] of the points. */
double data_energy(const struct data *data);

/* The axes of pictures: x0 x1 y0 y1. */
void data_view(const struct data *data, double view[4]);

/* All names of formulas, ", " between. */
void data_names(struct buffer *out);

/* "two-gaussians  Two Gaussians, ...": a line each. */
void data_help(struct buffer *out);

/* --- the formulas: data_outlines.c --- */

extern const struct outline *const data_outlines[]; /* NULL-terminated */
extern const struct outline *const data_shapes[];   /* the eight that the model `shapes` draws */
#define DATA_SHAPES 8

#endif
