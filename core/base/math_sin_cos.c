#include "core/base/math_angle.h"

#ifdef FMA_BUILD
#define MATH_SIN_COS math_sin_cos_fma
#else
#define MATH_SIN_COS math_sin_cos_baseline
#endif

bool MATH_SIN_COS(const double *restrict x, double *restrict sine, double *restrict cosine,
                  size_t count)
{
    uint64_t hard = 0;

    for (size_t i = 0; i < count; i++) {
        const struct angle angle = angle_fast(x[i]);
        const struct sides sides = angle_sides(angle);

        hard |= angle_is_hard(x[i], angle);
        sine[i] = angle_sine(sides, angle.quadrant);
        cosine[i] = angle_sine(sides, angle.quadrant + 1);
    }
    return hard == 0;
}
