/* backend.h - which code does the arithmetic: one row per backend.
 *
 * To add a backend: write kernels_NAME.c and its rows in BACKENDS (backend.c). */
#ifndef BACKEND_H
#define BACKEND_H

#include "core/base/error.h"

#include <stddef.h>

struct kernels; /* core/nn/kernels.h: the table of functions */

struct backend {
    const char *name; /* "avx512", "openblas", ... */
    const struct kernels *kernels;
    /* This CPU can run it. Rows of one name give the same bits; the first that fits is taken. */
    bool (*fits)(void);
    /* Start-up checks, once, before any model is loaded: the right library variant, results
     * against a plain loop, the CPU's features. IO or INVALID, with the sentence that helps. */
    bool (*start)(struct error *error);
    /* The numerics contract as answers name it: "exact-1", "openblas-<core>-<version>". */
    const char *(*contract)(void);
    /* One line for /version and benchmarks: library, core name, compiled variant. */
    const char *(*details)(void);
};

/* For a row's `fits`. */
bool cpu_is_any(void);
bool cpu_has_fma(void);    /* AVX2 and FMA */
bool cpu_has_avx512(void); /* F, BW, DQ and VL, besides */

/* NULL name: the fastest that this machine can run. NULL when there is none of that name. */
const struct backend *backend_find(const char *name);
const struct backend *backend_at(size_t index); /* NULL past the end */

#endif
