#include "tests/support/native_builds.h"

#include "core/nn/backend.h"
#include "core/nn/pointwise.h"
#include "tests/support/numbers.h"

#include <math.h>
#include <stdlib.h>

#define BUILD(build, fits)                                                                         \
    {                                                                                              \
        fits, #build, &native_linear_##build, &native_direct_##build, &native_conv_out_##build,    \
        {                                                                                          \
            .pointwise = &pointwise_##build                                                        \
        }                                                                                          \
    }

const struct native_build *native_build_at(size_t index)
{
    enum { COUNT = 4 };
    static const struct native_build ALL[COUNT] = {
        BUILD(baseline, cpu_is_any),
        BUILD(fma, cpu_has_fma),
        BUILD(avx2, cpu_has_fma),
        BUILD(avx512, cpu_has_avx512),
    };

    return index < COUNT && ALL[index].fits() ? &ALL[index] : NULL;
}

static float *memory(size_t count)
{
    float *out = malloc(count * sizeof *out);
    if (out == NULL)
        abort();
    return out;
}

float *native_numbers(size_t count, uint64_t *seed)
{
    float *out = memory(count);
    numbers_fill(out, count, numbers_next(seed));
    return out;
}

float *native_nans(size_t count)
{
    float *out = memory(count);
    for (size_t i = 0; i < count; i++)
        out[i] = NAN;
    return out;
}
