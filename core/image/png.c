#include "core/image/png.h"

#include "core/image/png_chunk.h"
#include "core/image/png_deflate.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define STBIW_ZLIB_COMPRESS png_deflate
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image_write.h>

#define SIDE_MAX    8192
#define TEXT_OFFSET (PNG_SIGNATURE_SIZE + PNG_HEADER_SIZE) /* before the pixels */
#define ZLIB_LEVEL  6
#define STB_VERSION "1.16"

void png_start(void)
{
    stbi_write_png_compression_level = ZLIB_LEVEL;
    stbi_write_force_png_filter = -1; /* the best of five a line */
    stbi__flip_vertically_on_write = 0;
}

const char *png_encoder(void)
{
    return "stb " STB_VERSION " zlib " ZLIB_VERSION;
}

/* iTXt: keyword NUL, compression flag and method 0, no language, no translated keyword, text
 * (PNG specification 11.3.4.5). */
static void append_text(struct buffer *out, const struct png_text *text)
{
    static const char empty[5] = {0};
    const size_t chunk = png_chunk_begin(out, "iTXt");

    buffer_append(out, text->keyword, strlen(text->keyword));
    buffer_append(out, empty, sizeof empty);
    buffer_text(out, text->text);
    png_chunk_end(out, chunk);
}

static bool picture_fits(const struct picture *picture, struct error *error)
{
    if (picture->channels != 1 && picture->channels != 3)
        return error_set(error, ERROR_INVALID, "a PNG has 1 or 3 channels, not %zu",
                         picture->channels);
    if (picture->width < 1 || picture->height < 1 || picture->width > SIDE_MAX ||
        picture->height > SIDE_MAX)
        return error_set(error, ERROR_INVALID, "a PNG has 1..%d pixels a side, not %zux%zu",
                         SIDE_MAX, picture->width, picture->height);
    return true;
}

bool png_encode(const struct picture *picture, const struct png_text *texts, size_t text_count,
                struct buffer *out, struct error *error)
{
    unsigned char *file;
    int size = 0;

    if (!picture_fits(picture, error))
        return false;
    file = stbi_write_png_to_mem(picture->pixels, (int)(picture->width * picture->channels),
                                 (int)picture->width, (int)picture->height, (int)picture->channels,
                                 &size);
    if (file == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a PNG");
    buffer_append(out, file, TEXT_OFFSET);
    for (size_t i = 0; i < text_count; i++)
        append_text(out, &texts[i]);
    buffer_append(out, file + TEXT_OFFSET, (size_t)size - TEXT_OFFSET);
    free(file);
    if (!buffer_ok(out))
        return error_set(error, ERROR_NO_MEMORY, "no memory for a PNG");
    return true;
}
