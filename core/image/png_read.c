#include "core/image/png_read.h"

#include "core/image/png_chunk.h"

#include <ctype.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define COLOUR_GREY 0
#define COLOUR_RGB  2
#define COLOUR_RGBA 6

struct chunk {
    const unsigned char *type, *data;
    size_t length;
};

/* The fields of IHDR, PNG specification 11.2.2. */
static bool check_header(const unsigned char *data, const struct png_size *want,
                         struct error *error)
{
    const size_t width = png_word(data), height = png_word(data + 4);
    const unsigned depth = data[8], colour = data[9], methods = data[10] | data[11];

    if (width != want->width || height != want->height)
        return error_set(error, ERROR_INVALID, "the picture is %zux%zu, not the model's %zux%zu",
                         width, height, want->width, want->height);
    if (depth != 8)
        return error_set(error, ERROR_INVALID, "the picture has %u bits a channel, not 8", depth);
    if (colour != COLOUR_GREY && colour != COLOUR_RGB && colour != COLOUR_RGBA)
        return error_set(error, ERROR_INVALID,
                         "the picture's colour type is %u, not grey (0), RGB (2) or RGBA (6)",
                         colour);
    if (methods != 0 || data[12] > 1)
        return error_set(error, ERROR_INVALID,
                         "the picture's compression, filter or interlace method is unknown");
    return true;
}

bool png_check_start(const unsigned char *file, size_t size, const struct png_size *want,
                     struct error *error)
{
    if (size < PNG_SIGNATURE_SIZE || memcmp(file, PNG_SIGNATURE, PNG_SIGNATURE_SIZE) != 0)
        return error_set(error, ERROR_INVALID, "this is not a PNG file");
    if (size < PNG_START)
        return error_set(error, ERROR_INVALID, "the PNG file ends in its header");
    file += PNG_SIGNATURE_SIZE;
    if (png_word(file) != PNG_HEADER_SIZE - PNG_CHUNK_FRAME || memcmp(file + 4, "IHDR", 4) != 0)
        return error_set(error, ERROR_INVALID, "the PNG file does not begin with IHDR");
    return check_header(file + 8, want, error);
}

/* The chunk at *at, which moves behind it. */
static bool next_chunk(const unsigned char *file, size_t size, size_t *at, struct chunk *chunk,
                       struct error *error)
{
    const size_t left = size - *at;

    if (left < PNG_CHUNK_FRAME)
        return error_set(error, ERROR_INVALID, "the PNG file ends before IEND, at byte %zu", size);
    *chunk = (struct chunk){file + *at + 4, file + *at + 8, png_word(file + *at)};
    if (chunk->length > left - PNG_CHUNK_FRAME)
        return error_set(error, ERROR_INVALID, "the PNG chunk at byte %zu is cut off", *at);
    if (crc32(0, chunk->type, (uInt)(chunk->length + 4)) != png_word(chunk->data + chunk->length))
        return error_set(error, ERROR_INVALID, "the PNG chunk at byte %zu has a wrong CRC", *at);
    *at += PNG_CHUNK_FRAME + chunk->length;
    return true;
}

static bool is_type(const struct chunk *chunk, const char *type)
{
    return memcmp(chunk->type, type, 4) == 0;
}

/* Ancillary chunks have a small first letter (PNG specification 5.4). */
static bool is_ancillary(const struct chunk *chunk)
{
    return islower(chunk->type[0]) != 0;
}

static void append_chunk(struct buffer *out, const struct chunk *chunk)
{
    buffer_append(out, chunk->type - 4, chunk->length + PNG_CHUNK_FRAME);
}

/* Signature, IHDR, the IDATs, IEND: what libpng is shown. `data` is what the IDATs hold. */
static bool copy_critical(const unsigned char *file, size_t size, struct buffer *out,
                          struct buffer *data, struct error *error)
{
    size_t at = PNG_SIGNATURE_SIZE;
    struct chunk chunk;

    buffer_append(out, PNG_SIGNATURE, PNG_SIGNATURE_SIZE);
    if (!next_chunk(file, size, &at, &chunk, error))
        return false;
    append_chunk(out, &chunk);
    do {
        const size_t begin = at;

        if (!next_chunk(file, size, &at, &chunk, error))
            return false;
        if (is_ancillary(&chunk))
            continue;
        if (!is_type(&chunk, "IDAT") && !is_type(&chunk, "IEND"))
            return error_set(error, ERROR_INVALID,
                             "the PNG chunk at byte %zu is none that such a picture has", begin);
        append_chunk(out, &chunk);
        buffer_append(data, chunk.data, chunk.length);
    } while (!is_type(&chunk, "IEND"));
    if (at != size)
        return error_set(error, ERROR_INVALID, "bytes follow the end of the PNG file, at byte %zu",
                         at);
    if (data->size == 0)
        return error_set(error, ERROR_INVALID, "the PNG file holds no pixels");
    return (buffer_ok(out) && buffer_ok(data)) ||
           error_set(error, ERROR_NO_MEMORY, "no memory for a picture");
}

/* libpng would unpack all that is behind the pixels, a thousand times what was sent. Four samples a
 * pixel and the filter bytes of rows, twice as many where they are interlaced, and 8, are the most.
 * What else is wrong with the data, libpng says. */
static bool check_amount(const struct buffer *data, const struct png_size *want,
                         struct error *error)
{
    uLongf room = want->height * (4 * want->width + 2) + 8;
    unsigned char *unpacked = malloc(room);
    int code;

    if (unpacked == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a picture");
    code = uncompress(unpacked, &room, data->data, data->size);
    free(unpacked);
    return code != Z_BUF_ERROR ||
           error_set(error, ERROR_INVALID, "the PNG file holds more than its pixels");
}

/* height * width * 4 bytes, R,G,B,A. Without gamma and profile chunks libpng only copies. */
static bool decode(const struct buffer *file, const struct png_size *want, uint8_t *rgba,
                   struct error *error)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    bool good = png_image_begin_read_from_memory(&image, file->data, file->size) != 0 &&
                image.width == want->width && image.height == want->height;

    image.format = PNG_FORMAT_RGBA;
    good = good && png_image_finish_read(&image, NULL, rgba, 0, NULL) != 0;
    if (!good)
        error_write(error, ERROR_INVALID, "the PNG file cannot be decoded: %s",
                    image.message[0] != '\0' ? image.message : "its header changed");
    png_image_free(&image);
    return good;
}

static bool take_pixels(const uint8_t *rgba, const struct png_size *want, uint8_t *pixels,
                        struct error *error)
{
    const size_t count = want->width * want->height;

    for (size_t i = 0; i < count; i++, rgba += 4) {
        if (rgba[3] != 255)
            return error_set(error, ERROR_INVALID,
                             "the picture is not opaque at x %zu, y %zu: alpha %u", i % want->width,
                             i / want->width, (unsigned)rgba[3]);
        if (want->channels == 1 && (rgba[0] != rgba[1] || rgba[1] != rgba[2]))
            return error_set(error, ERROR_INVALID,
                             "the picture is not grey at x %zu, y %zu: one channel is asked for",
                             i % want->width, i / want->width);
        memcpy(pixels + i * want->channels, rgba, want->channels);
    }
    return true;
}

bool png_read(const unsigned char *file, size_t size, const struct png_size *want, uint8_t *pixels,
              struct error *error)
{
    struct buffer critical = {0}, data = {0};
    uint8_t *rgba = NULL;
    bool good = png_check_start(file, size, want, error) &&
                copy_critical(file, size, &critical, &data, error) &&
                check_amount(&data, want, error);

    if (good) {
        rgba = calloc(want->width * want->height, 4);
        good = rgba != NULL || error_set(error, ERROR_NO_MEMORY, "no memory for a picture");
    }
    good = good && decode(&critical, want, rgba, error) && take_pixels(rgba, want, pixels, error);
    free(rgba);
    buffer_finish(&critical);
    buffer_finish(&data);
    return good;
}
