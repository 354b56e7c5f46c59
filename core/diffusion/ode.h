/* ode.h - the ordinary differential equation that a process flows by, and Runge-Kutta steps of it.
 *
 *   dx/dt = alpha' x_0 + sigma' epsilon
 *
 * at x = alpha x_0 + sigma epsilon: the probability flow of a diffusion (Song et al. 2021, eq. 13),
 * the velocity of a flow. An entry of the plan is one evaluation, that is one stage; row->x is then
 * the point that the next stage asks at, and what the stages before it said is in row->state. */
#ifndef ODE_H
#define ODE_H

#include "core/diffusion/steps.h"

#define ODE_STAGES_MAX 4

/* Explicit, and each stage starts from the one before it only: k_s = u(x + point[s] h k_{s-1}), at
 * the same fraction of h in time; x' = x + h sum weight[s] k_s. */
struct ode_method {
    size_t stages;
    double point[ODE_STAGES_MAX], weight[ODE_STAGES_MAX];
};

extern const struct ode_method ode_euler, ode_heun, ode_rk4;

/* plan->steps steps, from time(plan, i) to time(plan, i + 1) each. */
struct ode_path {
    double (*time)(const struct plan *plan, size_t i);
    const struct ode_method *method, *last; /* of all steps, of the last one */
};

/* dx/dt from x and the raw output at time t. */
struct linear ode_velocity(const struct process *process, double t);

/* The same, where the level of t and what the output says there are at hand. */
struct linear ode_velocity_at(const struct process *process, double t, struct level level,
                              const struct conversion *conversion);

/* INVALID where the model knows no velocity: a head that lacks x_0 or noise there, no noise where
 * it comes by a root, an exact model whose data have no density without noise. */
MUST_CHECK bool ode_check_time(const struct plan *plan, double t, struct error *error);

/* Allocates and fills the steps, state_floats and evaluations. INVALID, NO_MEMORY. */
MUST_CHECK bool ode_plan(struct plan *plan, const struct ode_path *path, struct error *error);

/* What an entry says: dx/dt from x and the output, and what a slope there counts in the way of the
 * whole step, length included. */
struct linear ode_step_velocity(const struct plan_step *step);
double ode_step_weight(const struct plan_step *step);

/* The same of a single step; to the data it goes to time 0. */
MUST_CHECK bool ode_plan_step(struct plan *plan, const struct ode_method *method,
                              const struct step_times *times, struct error *error);

/* Makes the entry one whole step by itself: x' = x + length * slope. */
void ode_fill_only(struct plan_step *step, struct linear slope, double length);

/* An advance, with steps_begin as its begin. */
enum advance ode_advance(struct row *row, const struct plan *plan, const float *output);

#endif
