/* sizes.h - arithmetic on counts. Static, for sources that are compiled once per instruction set.
 */
#ifndef SIZES_H
#define SIZES_H

#include <stddef.h>

static inline size_t size_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* How many blocks hold `total`; the last one may be smaller. */
static inline size_t size_blocks(size_t total, size_t block)
{
    return (total + block - 1) / block;
}

#endif
