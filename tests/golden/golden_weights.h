/* golden_weights.h - weights that are a rule, not a file: written where a case wants them.
 *
 * tests/golden/README.md has the rule: every number follows from the tensor's name and its index,
 * so that a network of any size costs nothing to keep. */
#ifndef GOLDEN_WEIGHTS_H
#define GOLDEN_WEIGHTS_H

#include "core/model/tensor_list.h"

#include <stdbool.h>
#include <stddef.h>

struct golden_weights {
    const struct tensor_list *tensors;
    const char *dtype; /* F32, F64, F16, BF16 */
    bool legacy_names; /* of attention tensors */
    size_t shards;
};

/* diffusion_pytorch_model.safetensors, or its shards and their index, in `directory`. False when
 * something could not be written, or the dtype is unknown. */
bool golden_weights_write(const struct golden_weights *weights, const char *directory);

#endif
