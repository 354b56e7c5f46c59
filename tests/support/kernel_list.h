/* kernel_list.h - every set of kernels that this CPU can run, for tests that hold for all. */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include "core/nn/backend.h"

/* Rows of all backends, both compilations; NULL past the end. */
const struct backend *kernel_list_at(size_t index);

#endif
