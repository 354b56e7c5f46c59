#include "core/base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>

size_t arena_rounded(size_t bytes)
{
    return (bytes + (ARENA_ALIGN - 1)) & ~(size_t)(ARENA_ALIGN - 1);
}

bool arena_init(struct arena *arena, size_t size, struct error *error)
{
    void *block;

    *arena = (struct arena){0};
    if (size == 0)
        return true;
    block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    if (block == MAP_FAILED)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a block of %zu bytes", size);
    (void)madvise(block, size, MADV_HUGEPAGE);
    arena->base = block;
    arena->size = size;
    return true;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    const size_t rounded = arena_rounded(bytes);
    unsigned char *piece;

    assert(rounded >= bytes && rounded <= arena->size - arena->used);
    piece = arena->base + arena->used;
    arena->used += rounded;
    return piece;
}

void arena_finish(struct arena *arena)
{
    if (arena->base != NULL)
        (void)munmap(arena->base, arena->size);
    *arena = (struct arena){0};
}
