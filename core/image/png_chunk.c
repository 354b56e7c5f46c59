#include "core/image/png_chunk.h"

#include <zlib.h>

const unsigned char PNG_SIGNATURE[PNG_SIGNATURE_SIZE] = {0x89, 'P',  'N',  'G',
                                                         '\r', '\n', 0x1A, '\n'};

static void write_word(unsigned char *bytes, uint32_t value)
{
    bytes[0] = (unsigned char)(value >> 24);
    bytes[1] = (unsigned char)(value >> 16);
    bytes[2] = (unsigned char)(value >> 8);
    bytes[3] = (unsigned char)value;
}

uint32_t png_word(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void png_append_word(struct buffer *out, uint32_t value)
{
    unsigned char bytes[4];

    write_word(bytes, value);
    buffer_append(out, bytes, sizeof bytes);
}

size_t png_chunk_begin(struct buffer *out, const char *type)
{
    const size_t begin = out->size;

    png_append_word(out, 0);
    buffer_text(out, type);
    return begin;
}

/* The length counts the data alone; the CRC is over type and data. */
void png_chunk_end(struct buffer *out, size_t begin)
{
    size_t length;

    if (!buffer_ok(out))
        return;
    length = out->size - begin - 8;
    write_word(out->data + begin, (uint32_t)length);
    png_append_word(out, (uint32_t)crc32(0, out->data + begin + 4, (uInt)(length + 4)));
}
