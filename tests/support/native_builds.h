/* native_builds.h - the native layers in every build that this CPU runs, and numbers for them. */
#ifndef NATIVE_BUILDS_H
#define NATIVE_BUILDS_H

#include "core/nn/native.h"

#include <stdint.h>

struct native_build {
    bool (*fits)(void);
    const char *name;
    const struct linear_kernel *linear;
    const struct conv_kernel *direct, *conv_out;
    struct kernels kernels;
};

/* NULL past the last of those that fit. */
const struct native_build *native_build_at(size_t index);

/* Memory of exactly the size that is used, so that a sanitizer sees a number read or written
 * beyond it; ends the test if there is none. To be freed. */
float *native_numbers(size_t count, uint64_t *seed);
float *native_nans(size_t count);

#endif
