/* allocations.h - how often the program asks for memory.
 *
 * Unit tests are linked with --wrap, so that every call of an allocating function from our own
 * objects is counted, sanitized or not. Libraries are not. Any thread. */
#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

#include <stddef.h>

/* Calls so far. */
size_t allocations_count(void);

#endif
