#include "tests/support/png_decode.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct chunk {
    const unsigned char *type, *data;
    size_t length;
};

static size_t word(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* The chunk at *at, which moves behind it; false at the end or when it is damaged. */
static bool next_chunk(const unsigned char *file, size_t size, size_t *at, struct chunk *chunk)
{
    if (size < 12 || *at > size - 12)
        return false;
    *chunk = (struct chunk){file + *at + 4, file + *at + 8, word(file + *at)};
    if (chunk->length > size - 12 - *at)
        return false;
    *at += 12 + chunk->length;
    return crc32(0, chunk->type, (uInt)(chunk->length + 4)) == word(file + *at - 4);
}

static unsigned char paeth(int a, int b, int c)
{
    const int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);

    return (unsigned char)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

static bool unfilter(const unsigned char *lines, struct picture *picture)
{
    const size_t step = picture->channels, line = picture->width * step;

    for (size_t y = 0; y < picture->height; y++)
        for (size_t i = 0; i < line; i++) {
            uint8_t *at = picture->pixels + y * line + i;
            const int a = i < step ? 0 : at[-(ptrdiff_t)step];
            const int b = y == 0 ? 0 : at[-(ptrdiff_t)line];
            const int c = i < step || y == 0 ? 0 : at[-(ptrdiff_t)(line + step)];
            const int predicted[] = {0, a, b, (a + b) / 2, paeth(a, b, c)};

            if (lines[y * (line + 1)] > 4)
                return false;
            *at = (uint8_t)(lines[y * (line + 1) + 1 + i] + predicted[lines[y * (line + 1)]]);
        }
    return true;
}

static bool read_pixels(const struct chunk *data, struct picture *picture)
{
    const size_t line = picture->width * picture->channels;
    uLongf size = (uLongf)((line + 1) * picture->height);
    unsigned char *lines = malloc(size);
    bool good;

    picture->pixels = calloc(picture->height, line);
    good = lines != NULL && picture->pixels != NULL &&
           uncompress(lines, &size, data->data, (uLong)data->length) == Z_OK &&
           size == (line + 1) * picture->height && unfilter(lines, picture);
    free(lines);
    if (!good) {
        free(picture->pixels);
        picture->pixels = NULL;
    }
    return good;
}

bool png_decode(const unsigned char *file, size_t size, struct picture *picture)
{
    struct chunk chunk, data = {0};
    size_t at = 8;

    *picture = (struct picture){0};
    if (size < 8 || memcmp(file, "\x89PNG\r\n\x1a\n", 8) != 0)
        return false;
    while (next_chunk(file, size, &at, &chunk)) {
        if (memcmp(chunk.type, "IHDR", 4) == 0) {
            picture->width = word(chunk.data);
            picture->height = word(chunk.data + 4);
            picture->channels = chunk.data[9] == 2 ? 3 : 1;
        } else if (memcmp(chunk.type, "IDAT", 4) == 0) {
            data = chunk;
        } else if (memcmp(chunk.type, "IEND", 4) == 0) {
            return at == size && data.data != NULL && read_pixels(&data, picture);
        }
    }
    return false;
}

char *png_find_text(const unsigned char *file, size_t size, const char *keyword)
{
    const size_t before = strlen(keyword) + 5;
    struct chunk chunk;
    size_t at = 8;

    while (next_chunk(file, size, &at, &chunk))
        if (memcmp(chunk.type, "iTXt", 4) == 0 && chunk.length >= before &&
            strcmp((const char *)chunk.data, keyword) == 0)
            return strndup((const char *)chunk.data + before, chunk.length - before);
    return NULL;
}
