/* base64.h - strict base64 (RFC 4648, section 4): the one text that stands for these bytes, or
 * nothing. No blanks, no line ends, exact padding, no bits beside the bytes. Any thread. */
#ifndef BASE64_H
#define BASE64_H

#include "core/base/error.h"

#include <stddef.h>

/* Bytes that a text of this length may hold at most. */
size_t base64_room(size_t length);

/* `out` has base64_room(length) bytes. INVALID names the character, counted from 0. */
MUST_CHECK bool base64_decode(const char *text, size_t length, unsigned char *out, size_t *size,
                              struct error *error);

#endif
