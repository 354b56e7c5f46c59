/* rk45.h - Dormand & Prince's Runge-Kutta pair 5(4) on one vector, its step control that of scipy's
 * solve_ivp on that vector alone, in double.
 *
 * A state machine: whoever holds it evaluates dx/dt at rk45_time and rk45_point, writes it over
 * rk45_slope, and calls rk45_advance. No memory of its own, nothing allocated. */
#ifndef RK45_H
#define RK45_H

#include <stdbool.h>
#include <stddef.h>

struct rk45_rule {
    double start, end; /* either may be the larger */
    double rtol, atol;
    size_t evaluations_max;
    size_t dim;
};

/* What a row is reckoned with before it has run, evaluations_max at most: measured, within a factor
 * of two of the mean of the slowest shipped models at tolerances from 1e-2 to 1e-12. */
size_t rk45_evaluations_due(const struct rk45_rule *rule);

/* What goes on from one evaluation to the next. */
enum {
    RK45_TIME,     /* of the last accepted point */
    RK45_LENGTH,   /* of the step that is tried */
    RK45_TARGET,   /* its end */
    RK45_REJECTED, /* 1: a longer one was tried from here */
    RK45_NUMBERS
};

/* Vectors of `dim` in `values`: the last accepted point and seven slopes. */
#define RK45_VECTORS 8

struct rk45 {
    const struct rk45_rule *rule;
    double *values; /* RK45_VECTORS * dim */
    double *number; /* RK45_NUMBERS */
    size_t stage, evaluations;
};

enum rk45_outcome {
    RK45_EVALUATE,
    RK45_DONE,         /* the solution is rk45_solution */
    RK45_NOT_CONVERGED /* evaluations_max does not allow another step, or steps get too short */
};

/* The point at the start is in rk45_solution; the first evaluation is asked for there. */
void rk45_begin(struct rk45 *solver);
enum rk45_outcome rk45_advance(struct rk45 *solver);

/* An integral along the way that has no say in the steps: of the same weights as the solution's,
 * but beside the vector. */
struct rk45_side {
    double value; /* up to the last accepted point */
    double slope; /* at the point that is asked at: to be written before rk45_side_add */
    double first, sum;
};

/* Before rk45_advance. */
void rk45_side_add(const struct rk45 *solver, struct rk45_side *side);

/* The evaluation that is awaited is the last of a step: after rk45_advance it was accepted or not,
 * and rk45_side_end is told how far RK45_TIME went, 0 if it was not. */
bool rk45_ends_step(const struct rk45 *solver);
void rk45_side_end(struct rk45_side *side, double length);

double rk45_time(const struct rk45 *solver);
const double *rk45_point(const struct rk45 *solver);
double *rk45_slope(struct rk45 *solver); /* may be where rk45_point is: write i after reading i */
double *rk45_solution(struct rk45 *solver);

#endif
