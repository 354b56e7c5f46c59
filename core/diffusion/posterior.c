#include "core/diffusion/posterior.h"

#include <math.h>

struct posterior posterior_at(const struct schedule *schedule, size_t index)
{
    const double beta = schedule->beta[index];
    const double before = index > 0 ? schedule->alpha_bar[index - 1] : 1.0;
    const double rest = index > 0 ? 1.0 - schedule->alpha_bar[index] : beta;

    return (struct posterior){.c0 = sqrt(before) * (beta / rest),
                              .ct = sqrt(1.0 - beta) * ((1.0 - before) / rest),
                              .variance = beta * ((1.0 - before) / rest)};
}
