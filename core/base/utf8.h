/* utf8.h - characters as bytes (RFC 3629). */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Writes the character's UTF-8 (1..4 bytes, no NUL) and says how many. */
size_t utf8_put(uint32_t character, char out[4]);

#endif
