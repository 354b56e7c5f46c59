/* safetensors.h - a strict reader of safetensors files: every check of the format's own reader
 * (safetensors/src/tensor.rs), and tighter limits.
 *
 * The header is checked whole before anything is read; tensors are then read into the caller's
 * memory, never mapped. One owner, one thread. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

#define SAFETENSORS_RANK_MAX   8
#define SAFETENSORS_HEADER_MAX (16u << 20)
#define SAFETENSORS_NAME_MAX   512

struct tensor {
    char *name;        /* decoded UTF-8; owned by the file */
    const char *dtype; /* static: "F32", "BF16", "U8", … */
    unsigned bits;     /* of one value */
    size_t rank;
    uint64_t shape[SAFETENSORS_RANK_MAX];
    uint64_t count;      /* product of shape */
    uint64_t begin, end; /* bytes in the data part */
};

struct safetensors {
    int descriptor; /* owned; -1 when closed */
    char *name;     /* for messages; owned */
    uint64_t data_offset, file_size;
    size_t count;
    struct tensor *tensors;  /* in the order of the header; owned */
    struct tensor **by_name; /* sorted; owned */
};

/* `descriptor` is taken over (closed on failure too) and must be a regular file. `name` is for
 * messages. BAD_MODEL names the file, the tensor and the rule. */
MUST_CHECK bool safetensors_open(struct safetensors *file, int descriptor, const char *name,
                                 struct error *error);
void safetensors_close(struct safetensors *file);

/* NULL when there is none. */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);

/* All values, widened or rounded once to the type asked for: F64 F32 F16 BF16 for the first two.
 * Raw bytes for the third. The caller's room holds tensor->count values (count * bits / 8 bytes).
 * IO when the file has shrunk. Does not look for NaN. */
MUST_CHECK bool safetensors_read_float(const struct safetensors *file, const struct tensor *tensor,
                                       float *out, struct error *error);
MUST_CHECK bool safetensors_read_double(const struct safetensors *file, const struct tensor *tensor,
                                        double *out, struct error *error);
MUST_CHECK bool safetensors_read_raw(const struct safetensors *file, const struct tensor *tensor,
                                     void *out, struct error *error);

#endif
