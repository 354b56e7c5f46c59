/* clip.h - keeping a predicted x_0 within what data can be, as the model's config says.
 *
 * clip_sample bounds it; thresholding (Saharia et al. 2022, section 2.3) bounds it by a quantile
 * of the sample itself and divides by that bound. Thresholding wins when both are set. */
#ifndef CLIP_H
#define CLIP_H

#include "core/base/pair.h"
#include "core/diffusion/schedule.h"

/* What a plan does to every x_0. */
struct clip_rule {
    double limit;      /* INFINITY: x_0 is not clipped */
    bool thresholding; /* then `limit` is not read */
    double ratio, maximum;
};

/* x_0 becomes scale * min(max(x_0, -limit), limit); limit is infinite where nothing is clipped. */
struct clip {
    double limit, scale;
};

/* x_0 = conversion of `x` and `output`, `dim` values each; `scratch` has room for as many and is
 * used by thresholding only. */
struct clip clip_for(const struct clip_rule *rule, const struct conversion *conversion,
                     const float *x, const float *output, size_t dim, float *scratch);

/* The value at position ratio * (count - 1) of the sorted values, interpolated linearly, as
 * torch.quantile gives it. The values are reordered; none may be NaN. */
double clip_quantile(float *values, size_t count, double ratio);

/* NaN stays NaN. */
static inline double clip_value(const struct clip *clip, double x_0)
{
    const double above = x_0 < -clip->limit ? -clip->limit : x_0;

    return above > clip->limit ? clip->limit : above;
}

/* The same of two. */
static inline double_pair clip_pair(const struct clip *clip, double_pair x_0)
{
    return pair_smaller(pair_set(clip->limit), pair_larger(pair_set(-clip->limit), x_0));
}

#endif
