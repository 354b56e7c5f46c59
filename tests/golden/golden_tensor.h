/* golden_tensor.h - what the parts read from safetensors files, and where they run models. */
#ifndef GOLDEN_TENSOR_H
#define GOLDEN_TENSOR_H

#include "core/base/arena.h"
#include "core/model/model.h"
#include "core/model/safetensors.h"

MUST_CHECK bool golden_tensors_open(struct safetensors *file, const char *path,
                                    struct error *error);

/* All values, malloc'ed; NULL where there is no such tensor, or it cannot be read as numbers. */
float *golden_tensor_floats(const struct safetensors *file, const char *name);
double *golden_tensor_doubles(const struct safetensors *file, const char *name);

/* Two threads and the room that one model needs on them. Zeroed = closed. */
struct golden_team {
    const struct model *model;
    struct gang *gang;
    struct arena arena;
};

MUST_CHECK bool golden_team_start(struct golden_team *team, const struct model *model,
                                  struct error *error);
void golden_team_evaluate(struct golden_team *team, const struct place *places, size_t count);
void golden_team_stop(struct golden_team *team);

/* The index-th backend that the options ask for and this machine can run; NULL past the end. */
const struct backend *golden_backend(const char *name, size_t index);

#endif
