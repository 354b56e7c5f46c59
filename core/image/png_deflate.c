#include "core/image/png_deflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

unsigned char *png_deflate(unsigned char *data, int size, int *out_size, int quality)
{
    uLongf length = compressBound((uLong)size);
    unsigned char *out = malloc(length);

    if (out == NULL)
        return NULL;
    if (compress2(out, &length, data, (uLong)size, quality) != Z_OK || length > INT32_MAX) {
        free(out);
        return NULL;
    }
    *out_size = (int)length;
    return out;
}
