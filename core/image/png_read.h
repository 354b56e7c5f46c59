/* png_read.h - a PNG file that a client sent, as the pixels of one known size.
 *
 * Nothing is decoded before the file is known to be what was asked for: signature, the exact width
 * and height, 8 bit, grey, RGB or RGBA, chunk lengths and CRCs. Ancillary chunks are dropped
 * unread, so no compressed text or colour profile reaches libpng. Faults are sentences for the
 * client. Any thread. */
#ifndef PNG_READ_H
#define PNG_READ_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

/* What the pixels must be. Channels 1 (grey) or 3 (RGB): a grey file serves both; a coloured one
 * serves grey only where red, green and blue are equal; alpha must be opaque everywhere. */
struct png_size {
    size_t width, height, channels;
};

/* Signature and IHDR alone: the first PNG_START bytes, or fewer when the file is shorter. INVALID.
 */
#define PNG_START 33
MUST_CHECK bool png_check_start(const unsigned char *file, size_t size, const struct png_size *want,
                                struct error *error);

/* Fills height * width * channels bytes, H,W,C. INVALID, NO_MEMORY. */
MUST_CHECK bool png_read(const unsigned char *file, size_t size, const struct png_size *want,
                         uint8_t *pixels, struct error *error);

#endif
