/* numbers.h - made-up numbers for tests: the same for the same seed, on any machine. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* The next of a row of 64-bit numbers (splitmix64). */
uint64_t numbers_next(uint64_t *state);

/* Uniform in [-1, 1), 24 bits each. */
void numbers_fill(float *out, size_t count, uint64_t seed);

/* In minimum..maximum, both included. */
size_t numbers_between(uint64_t *state, size_t minimum, size_t maximum);

#endif
