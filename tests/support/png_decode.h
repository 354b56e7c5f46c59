/* png_decode.h - reads our own PNG files again, by the specification and zlib, for tests. */
#ifndef PNG_DECODE_H
#define PNG_DECODE_H

#include "core/image/pixels.h"

/* Every chunk's CRC is checked; 8 bit, grey or RGB, not interlaced. False for anything else.
 * picture->pixels is malloc'ed. */
bool png_decode(const unsigned char *file, size_t size, struct picture *picture);

/* The text of the iTXt chunk with that keyword, malloc'ed, or NULL. */
char *png_find_text(const unsigned char *file, size_t size, const char *keyword);

#endif
