#include "core/image/apng.h"

#include "core/image/png_chunk.h"

#include <assert.h>

struct apng apng_begin(struct buffer *out, size_t frame_count)
{
    assert(frame_count > 0);
    return (struct apng){.out = out, .frame_count = frame_count};
}

/* acTL: the number of frames, and of plays (0 would be for ever). */
static void append_control(struct apng *apng)
{
    const size_t chunk = png_chunk_begin(apng->out, "acTL");

    png_append_word(apng->out, (uint32_t)apng->frame_count);
    png_append_word(apng->out, 1);
    png_chunk_end(apng->out, chunk);
}

/* fcTL: sequence, size, offset, delay as a fraction of a second, dispose none, blend source. */
static void append_frame_control(struct apng *apng, unsigned milliseconds)
{
    const unsigned char end[] = {(unsigned char)(milliseconds >> 8),
                                 (unsigned char)milliseconds,
                                 1000 >> 8,
                                 1000 & 255,
                                 0,
                                 0};
    const size_t chunk = png_chunk_begin(apng->out, "fcTL");

    png_append_word(apng->out, apng->sequence++);
    png_append_word(apng->out, (uint32_t)apng->width);
    png_append_word(apng->out, (uint32_t)apng->height);
    png_append_word(apng->out, 0);
    png_append_word(apng->out, 0);
    buffer_append(apng->out, end, sizeof end);
    png_chunk_end(apng->out, chunk);
}

/* The encoder's file up to its pixels opens ours, with acTL and fcTL put in before IDAT. */
static void append_first(struct apng *apng, const unsigned char *file, size_t pixels_at,
                         size_t pixels_size, unsigned milliseconds)
{
    buffer_append(apng->out, file, pixels_at);
    append_control(apng);
    append_frame_control(apng, milliseconds);
    buffer_append(apng->out, file + pixels_at, pixels_size + PNG_CHUNK_FRAME);
}

static void append_next(struct apng *apng, const unsigned char *pixels, size_t size,
                        unsigned milliseconds)
{
    size_t chunk;

    append_frame_control(apng, milliseconds);
    chunk = png_chunk_begin(apng->out, "fdAT");
    png_append_word(apng->out, apng->sequence++);
    buffer_append(apng->out, pixels, size);
    png_chunk_end(apng->out, chunk);
}

bool apng_frame(struct apng *apng, const struct picture *picture, unsigned milliseconds,
                const struct png_text *texts, size_t text_count, struct error *error)
{
    const bool first = apng->frames == 0;
    struct buffer file = {0};
    size_t pixels_at, pixels_size;

    assert(apng->frames < apng->frame_count && milliseconds < 65536);
    assert(first || (picture->width == apng->width && picture->height == apng->height));
    apng->width = picture->width;
    apng->height = picture->height;
    if (!png_encode(picture, first ? texts : NULL, first ? text_count : 0, &file, error)) {
        buffer_finish(&file);
        return false;
    }
    /* Ours have one IDAT: the last chunk but IEND. */
    pixels_at = PNG_SIGNATURE_SIZE + PNG_HEADER_SIZE;
    while (file.data[pixels_at + 4] != 'I')
        pixels_at += png_word(file.data + pixels_at) + PNG_CHUNK_FRAME;
    pixels_size = png_word(file.data + pixels_at);
    if (first)
        append_first(apng, file.data, pixels_at, pixels_size, milliseconds);
    else
        append_next(apng, file.data + pixels_at + 8, pixels_size, milliseconds);
    apng->frames++;
    buffer_finish(&file);
    return buffer_ok(apng->out) || error_set(error, ERROR_NO_MEMORY, "no memory for an animation");
}

void apng_end(struct apng *apng)
{
    assert(apng->frames == apng->frame_count);
    png_chunk_end(apng->out, png_chunk_begin(apng->out, "IEND"));
}
