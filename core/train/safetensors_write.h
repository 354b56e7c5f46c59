/* safetensors_write.h - a safetensors file as bytes: what core/model/safetensors.h reads. */
#ifndef SAFETENSORS_WRITE_H
#define SAFETENSORS_WRITE_H

#include "core/base/buffer.h"

#include <stddef.h>

#define STORED_NAME_MAX 63

struct stored_tensor {
    char name[STORED_NAME_MAX + 1]; /* letters, digits, dots, underscores */
    const char *dtype;              /* "F32", "F64", "U8" */
    size_t width;                   /* bytes of one value */
    size_t rank, size[2];
    const void *values; /* row-major; borrowed */
};

/* In the order given; the header ends at a multiple of eight bytes. buffer_ok says whether there
 * was memory. */
void safetensors_write(const struct stored_tensor *tensors, size_t count, struct buffer *out);

#endif
