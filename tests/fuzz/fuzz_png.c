/* Whatever the file: pixels, or a sentence. Build with clang: -fsanitize=fuzzer,address,undefined;
 * run on tests/fuzz/corpus/png. Chunk CRCs are put right half of the time, or nothing would ever be
 * decoded. */
#include "core/image/png_chunk.h"
#include "core/image/png_read.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void repair(unsigned char *file, size_t size)
{
    for (size_t at = PNG_SIGNATURE_SIZE; size >= PNG_CHUNK_FRAME && at <= size - PNG_CHUNK_FRAME;) {
        const size_t length = png_word(file + at);
        uint32_t sum;

        if (length > size - PNG_CHUNK_FRAME - at)
            return;
        sum = (uint32_t)crc32(0, file + at + 4, (uInt)(length + 4));
        for (unsigned i = 0; i < 4; i++)
            file[at + 8 + length + i] = (unsigned char)(sum >> (24 - 8 * i));
        at += length + PNG_CHUNK_FRAME;
    }
}

static void try(const unsigned char *file, size_t size, const struct png_size *want)
{
    uint8_t pixels[16 * 16 * 3];
    struct error error = {.code = ERROR_NONE};

    if (!png_read(file, size, want, pixels, &error) &&
        (error.code != ERROR_INVALID || error.text[0] == '\0'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct png_size coloured = {16, 16, 3}, grey = {16, 16, 1};
    unsigned char *file = malloc(size + 1);

    if (file == NULL)
        return 0;
    if (size > 0)
        memcpy(file, data, size);
    try(file, size, &coloured);
    repair(file, size);
    try(file, size, &coloured);
    try(file, size, &grey);
    free(file);
    return 0;
}
