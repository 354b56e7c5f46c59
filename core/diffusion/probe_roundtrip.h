/* probe_roundtrip.h - from data to noise by an encoder, and back by the sampler that it inverts:
 * ddim_inverse and DDIM with eta 0, pf_ode_inverse and pf_ode, on the same grid.
 *
 * A row begins with conditioning->x_T, that is x_0. Its x ends as x_T, and its NFE is the
 * encoder's, as if there had been no way back. */
#ifndef PROBE_ROUNDTRIP_H
#define PROBE_ROUNDTRIP_H

#include "core/diffusion/sampler.h"

/* request->figures of a row. */
enum roundtrip_figure {
    ROUNDTRIP_ERROR, /* mean over the values of (decoded - x_0)^2 */
    ROUNDTRIP_NFE,   /* of the encoder; 0 while the row is on its way there */
    ROUNDTRIP_FIGURES
};

/* `encode` names an encoder. NULL with INVALID: what plan_create refuses of either way. NO_MEMORY.
 */
struct plan *roundtrip_plan(const struct plan_request *encode, struct error *error);

#endif
