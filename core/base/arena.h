/* arena.h - one block of zeroed memory, handed out in 64-byte aligned pieces and freed at once.
 *
 * For what is sized before it is filled: weights at load, the engine's workspace. The block is
 * advised to use huge pages and takes memory as it is written to: room for a largest batch that
 * never runs costs nothing. Not thread-safe while pieces are taken. */
#ifndef ARENA_H
#define ARENA_H

#include "core/base/error.h"

#include <stddef.h>

#define ARENA_ALIGN 64

struct arena {
    unsigned char *base;
    size_t size, used; /* bytes */
};

/* A size of 0 is an empty arena. Error: NO_MEMORY. */
MUST_CHECK bool arena_init(struct arena *arena, size_t size, struct error *error);

/* `bytes` rounded up to ARENA_ALIGN; the same rounding that sizes should be added up with. */
size_t arena_rounded(size_t bytes);

/* Asserts that the piece fits: sizes were computed before. */
void *arena_take(struct arena *arena, size_t bytes);

void arena_finish(struct arena *arena);

#endif
