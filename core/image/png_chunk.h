/* png_chunk.h - chunks of a PNG file as they are written (PNG specification, 5.3).
 *
 * For the files of this folder only. Any thread. */
#ifndef PNG_CHUNK_H
#define PNG_CHUNK_H

#include "core/base/buffer.h"

#include <stdint.h>

#define PNG_SIGNATURE_SIZE 8
#define PNG_HEADER_SIZE    25 /* IHDR with its length, type and CRC */
#define PNG_CHUNK_FRAME    12 /* bytes of a chunk beside its data */

extern const unsigned char PNG_SIGNATURE[PNG_SIGNATURE_SIZE];

/* Opens a chunk: its data is what is appended until png_chunk_end, which is given the offset
 * returned here and writes the length and the CRC. */
size_t png_chunk_begin(struct buffer *out, const char *type);
void png_chunk_end(struct buffer *out, size_t begin);

/* Big-endian. */
void png_append_word(struct buffer *out, uint32_t value);
uint32_t png_word(const unsigned char *bytes);

#endif
