/* npy.h - the header of a NumPy array file, version 1.0, little-endian, C order. */
#ifndef NPY_H
#define NPY_H

#include "core/base/buffer.h"

/* How many bytes of a file say how long its header is. */
#define NPY_START ((size_t)12)

/* 0: it is no file of this kind. */
size_t npy_header_size(const unsigned char start[NPY_START]);

/* `type` is "<f4" or "|u1"; the values follow, the writer's own business. 1 to 6 dimensions. */
void npy_header(struct buffer *out, const char *type, const size_t *shape, size_t dimensions);

#endif
