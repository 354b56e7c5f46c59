#include "proto/npy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PREFIX 10 /* magic, version, length of the rest */
#define ALIGN  64

size_t npy_header_size(const unsigned char start[NPY_START])
{
    if (memcmp(start, "\x93NUMPY\x01", 8) != 0)
        return 0;
    return PREFIX + start[8] + (size_t)start[9] * 256;
}

/* NumPy's format.py, version 1.0: a Python dict, blanks and a line end, so that the values start at
 * a multiple of 64. */
void npy_header(struct buffer *out, const char *type, const size_t *shape, size_t dimensions)
{
    char dict[256], block[384] = "\x93NUMPY\x01";
    size_t length, total;

    assert(dimensions >= 1 && dimensions <= 6);
    length = (size_t)snprintf(dict, sizeof dict,
                              "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (size_t i = 0; i < dimensions; i++)
        length += (size_t)snprintf(dict + length, sizeof dict - length, "%s%zu", i == 0 ? "" : ", ",
                                   shape[i]);
    length +=
        (size_t)snprintf(dict + length, sizeof dict - length, "%s), }", dimensions == 1 ? "," : "");
    total = (PREFIX + length + 1 + ALIGN - 1) / ALIGN * ALIGN;
    block[8] = (char)((total - PREFIX) & 0xFF);
    block[9] = (char)((total - PREFIX) >> 8);
    memcpy(block + PREFIX, dict, length);
    memset(block + PREFIX + length, ' ', total - PREFIX - length - 1);
    block[total - 1] = '\n';
    buffer_append(out, block, total);
}
