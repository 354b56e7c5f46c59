#include "tests/support/numbers.h"

uint64_t numbers_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void numbers_fill(float *out, size_t count, uint64_t seed)
{
    uint64_t state = seed;

    for (size_t i = 0; i < count; i++)
        out[i] = (float)((double)(numbers_next(&state) >> 40) * 0x1p-23 - 1.0);
}

size_t numbers_between(uint64_t *state, size_t minimum, size_t maximum)
{
    return minimum + (size_t)(numbers_next(state) % (maximum - minimum + 1));
}
