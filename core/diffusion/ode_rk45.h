/* ode_rk45.h - rows that go by the ODE of a process (ode.h) in steps of their own: RK45.
 *
 * The plan has one entry: the first evaluation, and as its coefficients what rows must know. A row
 * keeps the solver's vectors in row->state, in double, and in row->number what goes on from one
 * evaluation to the next: the solver's numbers, then what the time under way says of x's way, for
 * it is a time of this row alone. Integrals along the way may be values of the vector, too, behind
 * x: they have their say in the length of a step, where sides (rk45.h) have none. */
#ifndef ODE_RK45_H
#define ODE_RK45_H

#include "core/diffusion/ode.h"
#include "core/diffusion/rk45.h"

/* row->number: dx/dt = BY_X * input + BY_OUTPUT * o at time ASKED; POINTS have been asked at. */
enum { ODE_ASKED = RK45_NUMBERS, ODE_ROW_BY_X, ODE_ROW_BY_OUTPUT, ODE_POINTS, ODE_NUMBERS };

struct ode_rk45_path {
    double start, end;
    size_t points_max;
    size_t integrals;
};

/* Tolerances are the plan's rtol and atol. Allocates and fills the entry, state_floats, evaluations
 * and what goes with them. INVALID, NO_MEMORY. */
MUST_CHECK bool ode_rk45_plan(struct plan *plan, const struct ode_rk45_path *path,
                              struct error *error);

void ode_rk45_begin(struct row *row, const struct plan *plan);

/* Of the point that was asked at. */
struct ode_rates {
    const double *integrals; /* as many as the plan has */
    struct rk45_side *sides; /* integrals beside the vector, their slopes written */
    size_t side_count;
};

/* `rates` may be NULL where there are none. */
enum advance ode_rk45_advance(struct row *row, const struct plan *plan, const float *output,
                              const struct ode_rates *rates);

/* dx/dt at the point that is asked at. */
struct linear ode_rk45_velocity(const struct row *row);

/* Of a row that is done. */
double ode_rk45_integral(const struct row *row, const struct plan *plan, size_t integral);

#endif
