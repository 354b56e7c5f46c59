/* golden_tensor.h - what the parts read from safetensors files, and where they run models. */
#ifndef GOLDEN_TENSOR_H
#define GOLDEN_TENSOR_H

#include "core/model/model.h"
#include "core/model/safetensors.h"

MUST_CHECK bool golden_tensors_open(struct safetensors *file, const char *path,
                                    struct error *error);

/* All values, malloc'ed; NULL where there is no such tensor, or it cannot be read as numbers. */
float *golden_tensor_floats(const struct safetensors *file, const char *name);
double *golden_tensor_doubles(const struct safetensors *file, const char *name);

/* Evaluates the places with a gang of two threads. */
MUST_CHECK bool golden_evaluate(const struct model *model, const struct place *places, size_t count,
                                struct error *error);

#endif
