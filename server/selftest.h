/* selftest.h - reference numbers, run through the engine on the models that ship with the daemon.
 *
 * A row of the report is one number, or the end points of a chain, beside what it must be. The
 * numbers are exact (closed form, quadrature, chains in double) or simulated with N = 400,000. One
 * thread drives it; it owns an engine and a catalog of its own. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "core/engine/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELFTEST_VALUES 4

struct selftest {
    struct catalog catalog;
    struct engine *engine;
    bool is_full; /* N = 100,000 everywhere */
    size_t passed, failed;
};

/* What a request would say. */
struct selftest_run {
    const char *model, *sampler;
    size_t steps;        /* 0: not said */
    const char *options; /* "eta=1,timesteps=22:0", "" for none */
    bool has_label;
    int32_t label;
    float guidance;   /* with a label; 0 stands for 1 */
    uint32_t seed;    /* of row 0; row i has seed + i */
    const float *x_T; /* where the rows begin, or NULL */
    float *frames;    /* room for steps + 1 times x_t and x_0 of every row, or NULL */
};

/* Loads the models of a directory and starts the engine. */
MUST_CHECK bool selftest_open(struct selftest *selftest, const char *models, struct error *error);
void selftest_close(struct selftest *selftest);

/* Runs everything and prints a line a row. */
void selftest_run_all(struct selftest *selftest);

/* --- for the rows --- */

const struct model *selftest_model(const struct selftest *selftest, const char *name,
                                   struct error *error);

/* n rows into x, n * dim floats; evaluations per row into nfe unless it is NULL. */
MUST_CHECK bool selftest_sample(struct selftest *selftest, const struct selftest_run *run, size_t n,
                                float *x, uint32_t *nfe, struct error *error);

/* Evaluations of the model that a row of this run takes; 0: it cannot run. */
size_t selftest_evaluations(struct selftest *selftest, const struct selftest_run *run);

/* How many points a share is taken of. */
size_t selftest_points(const struct selftest *selftest, size_t evaluations);

/* 3 sqrt(p (1 - p) / N) + .002. */
double selftest_share_tolerance(double share, size_t n);

/* Adds to the tolerance of a mean or deviation of the points of one side, a share q of N, what a
 * smaller N than 100,000 costs. */
double selftest_side_tolerance(double tolerance, double share, size_t n);

/* One row of the report: it passes when every value is within the tolerance. */
struct selftest_result {
    const char *id, *what;
    size_t count;
    double value[SELFTEST_VALUES], expected[SELFTEST_VALUES], tolerance;
};
void selftest_report(struct selftest *selftest, const struct selftest_result *result);
void selftest_report_number(struct selftest *selftest, const char *id, const char *what,
                            const double numbers[3]); /* value, expected, tolerance */
void selftest_report_failure(struct selftest *selftest, const char *id, const char *what,
                             const struct error *error);

/* Shares and centres of both sides of x + y = 0. */
struct selftest_sides {
    double share;
    double centre[2], deviation[2]; /* + and - */
};
struct selftest_sides selftest_sides(const float *x, size_t n);

/* Each runs the rows of one kind: selftest_*.c. */
void selftest_tables(struct selftest *selftest);
void selftest_chains(struct selftest *selftest);
void selftest_shares(struct selftest *selftest);
void selftest_rules(struct selftest *selftest);

#endif
