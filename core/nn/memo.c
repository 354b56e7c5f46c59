/* A table with open addressing, of slots that go from empty to taken to ready, once. Rows lie in
 * the order in which they came, wherever their slots are: pages without rows take no memory. */
#include "core/nn/memo.h"

#include "core/base/arena.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_BYTES = 32 << 20, SLOTS_MAX = 4096, PROBES = 8 };

enum state { EMPTY, TAKEN, READY };

struct slot {
    _Atomic int state;
    int32_t label;
    uint64_t time; /* the bits of a double */
    size_t row;    /* its number */
};

struct memo {
    size_t floats, ld, slots; /* slots: a power of two */
    atomic_size_t stored;     /* rows, at most one a slot */
    struct arena arena;
    float *rows;
    struct slot table[];
};

static size_t slots_for(size_t row_bytes)
{
    size_t slots = 1;
    while (slots < SLOTS_MAX && 2 * slots * row_bytes <= ROOM_BYTES)
        slots *= 2;
    return slots;
}

bool memo_create(size_t floats, struct memo **memo, struct error *error)
{
    size_t row_bytes = arena_rounded(floats * sizeof(float)), slots = slots_for(row_bytes);
    struct memo *made = calloc(1, sizeof *made + slots * sizeof *made->table);
    if (made == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for remembered rows");
    made->floats = floats;
    made->ld = row_bytes / sizeof(float);
    made->slots = slots;
    if (!arena_init(&made->arena, slots * row_bytes, error)) {
        free(made);
        return false;
    }
    made->rows = arena_take(&made->arena, slots * row_bytes);
    *memo = made;
    return true;
}

void memo_destroy(struct memo *memo)
{
    if (memo == NULL)
        return;
    arena_finish(&memo->arena);
    free(memo);
}

static uint64_t bits_of(double time)
{
    uint64_t bits;
    memcpy(&bits, &time, sizeof bits);
    return bits;
}

/* splitmix64's finalizer (Steele, Lea & Flood 2014). */
static size_t first_slot(const struct memo *memo, uint64_t time, int32_t label)
{
    uint64_t z = time + 0x9e3779b97f4a7c15u * ((uint64_t)(uint32_t)label + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (size_t)(z ^ (z >> 31)) & (memo->slots - 1);
}

const float *memo_find(const struct memo *memo, double time, int32_t label)
{
    uint64_t bits = bits_of(time);
    size_t first = first_slot(memo, bits, label);
    for (size_t i = 0; i < PROBES; i++) {
        const struct slot *slot = &memo->table[(first + i) & (memo->slots - 1)];
        int state = atomic_load_explicit(&slot->state, memory_order_acquire);
        if (state == EMPTY)
            return NULL;
        if (state == READY && slot->time == bits && slot->label == label)
            return memo->rows + slot->row * memo->ld;
    }
    return NULL;
}

void memo_store(struct memo *memo, double time, int32_t label, const float *row)
{
    if (memo_find(memo, time, label) != NULL)
        return;
    uint64_t bits = bits_of(time);
    size_t first = first_slot(memo, bits, label);
    for (size_t i = 0; i < PROBES; i++) {
        struct slot *slot = &memo->table[(first + i) & (memo->slots - 1)];
        int expected = EMPTY;
        if (!atomic_compare_exchange_strong(&slot->state, &expected, TAKEN))
            continue;
        slot->time = bits;
        slot->label = label;
        slot->row = atomic_fetch_add_explicit(&memo->stored, 1, memory_order_relaxed);
        memcpy(memo->rows + slot->row * memo->ld, row, memo->floats * sizeof *row);
        atomic_store_explicit(&slot->state, READY, memory_order_release);
        return;
    }
}
