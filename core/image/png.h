/* png.h - a picture as a PNG file (stb_image_write, zlib as its deflate), with text inside. */
#ifndef PNG_H
#define PNG_H

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/image/pixels.h"

struct png_text {
    const char *keyword; /* 1..79 Latin-1 characters */
    const char *text;    /* UTF-8; written as an uncompressed iTXt chunk */
};

/* Sets stb's globals; once, before any thread encodes. */
void png_start(void);

/* Appends the file to `out`. Bytes depend on the pixels, the texts and the zlib version only.
 * INVALID (sides above 8192, other channels), NO_MEMORY. Any thread. */
MUST_CHECK bool png_encode(const struct picture *picture, const struct png_text *texts,
                           size_t text_count, struct buffer *out, struct error *error);

/* Name and version of the encoder, for caches: "stb 1.16 zlib 1.2.13". */
const char *png_encoder(void);

#endif
