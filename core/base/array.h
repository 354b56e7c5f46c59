/* array.h - room for one more entry of an array on the heap. */
#ifndef ARRAY_H
#define ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* `array` holds *capacity entries of `size` bytes, `count` of them in use; both change when there
 * is no room for another. False when memory has run out: then nothing changed. */
bool array_grow(void **array, size_t *capacity, size_t count, size_t size);

#endif
