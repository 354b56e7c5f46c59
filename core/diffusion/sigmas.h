/* sigmas.h - the ladders of noise levels that samplers in diffusers step down.
 *
 * sigma = sqrt((1 - alpha_bar) / alpha_bar) of the rounded table. Two families of classes choose
 * timesteps differently; both take Karras' levels (Karras et al. 2022, eq. 5) or geometric ones
 * instead, and then work out the timesteps of these. */
#ifndef SIGMAS_H
#define SIGMAS_H

#include "core/base/error.h"
#include "core/diffusion/schedule.h"

#include <stddef.h>

enum ladder_family {
    LADDER_EULER, /* EulerDiscrete, EulerAncestralDiscrete, HeunDiscrete: fractional timesteps */
    LADDER_DPM,   /* DPMSolverMultistep, UniPCMultistep: whole ones, the range is the table's */
};

struct ladder_request {
    const struct schedule *schedule;
    enum ladder_family family;
    enum spacing spacing;
    size_t n;                    /* 1..T */
    bool karras, exponential;    /* not both */
    bool truncates;              /* DPM: timesteps of Karras' levels, as of geometric ones always */
    bool final_is_sigma_min;     /* the last level is the table's first sigma, not 0 */
    bool final_repeats;          /* UniPC: with Karras or exponential it is the ladder's own last */
    double sigma_min, sigma_max; /* NaN: the range's own; only with karras or exponential */
    double lambda_min_clipped;   /* -INFINITY: none */
};

struct ladder {
    size_t n;           /* as asked, or fewer: lambda_min_clipped */
    double *timestep;   /* n, falling */
    double *sigma;      /* n + 1, falling, the final one included */
    double start_scale; /* of x_T in VE coordinates: Euler's init_noise_sigma */
};

/* Owns two arrays until ladder_finish. INVALID: a grid that leaves the table; NO_MEMORY. */
MUST_CHECK bool ladder_init(struct ladder *ladder, const struct ladder_request *request,
                            struct error *error);
void ladder_finish(struct ladder *ladder);

/* sigma of an alpha_bar; the 2^-24 that stands for 0 in these classes is put in by sigma_at. */
double sigma_of_alpha_bar(double alpha_bar);

/* Of the rounded table at an index, linear between entries: where t is not whole. */
double sigma_at(const struct schedule *schedule, double index);

/* The inverse by ln sigma, kept inside the table, with its fraction. */
double index_of_sigma(const struct schedule *schedule, double sigma);

/* n levels from `max` down to `min`, both included. */
void sigmas_karras(double *sigma, size_t n, double max, double min, double rho);
void sigmas_exponential(double *sigma, size_t n, double max, double min);

#endif
