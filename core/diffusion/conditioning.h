/* conditioning.h - rows that begin from something else than a draw, and pictures of which a part is
 * kept: SDEdit (Meng et al. 2022) and the replacement of the known region in every step (Song et
 * al. 2021, Lugmayr et al. 2022 without resampling).
 *
 * For any sampler whose plan has one entry an evaluation. Pure functions of a row and its plan, as
 * samplers are: any worker, nothing allocated. */
#ifndef CONDITIONING_H
#define CONDITIONING_H

#include "core/diffusion/sampler.h"

#include <stdint.h>

/* What a request gives its rows beside their seeds; read-only while they run. Order C,H,W. */
struct conditioning {
    const float *x_T;     /* n * dim: where each row begins, in the sampler's own coordinates */
    const float *noise;   /* n * dim: for probes, in place of the noise that they would draw */
    const float *picture; /* dim: an x_0 that all rows begin from or keep a part of */
    const uint8_t *known; /* dim: 1 where the picture is kept; NULL: nowhere */
};

/* For plan_create: of all whole steps of the finished plan the last trunc(n strength) are kept, in
 * double as diffusers counts; INVALID when that is none, or when this sampler or process takes no
 * picture. A sampler whose grid itself depends on what is kept has set from_picture before. */
MUST_CHECK bool conditioning_plan(struct plan *plan, struct error *error);

/* What row `index` has instead of its first draw, or NULL: for row.given. */
const float *conditioning_given(const struct conditioning *conditioning, const struct plan *plan,
                                size_t index);

/* A whole step was made, all noise of it drawn: known values are put back, noised to the level of
 * the next evaluation by one more draw, or themselves once the row is done. */
void conditioning_keep(const struct conditioning *conditioning, struct row *row,
                       const struct plan *plan, bool done);

/* For samplers that draw their own x_T and for steps_begin: x from row->given. False: there is
 * none, and x is to be drawn. Either way the row begins at plan->first. */
bool row_begin_given(struct row *row, const struct plan *plan);

#endif
