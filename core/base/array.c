#include "core/base/array.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64

bool array_grow(void **array, size_t *capacity, size_t count, size_t size)
{
    const size_t more = *capacity == 0 ? FIRST_CAPACITY : 2 * *capacity;
    void *larger;

    if (count < *capacity)
        return true;
    larger = reallocarray(*array, more, size);
    if (larger == NULL)
        return false;
    *array = larger;
    *capacity = more;
    return true;
}
