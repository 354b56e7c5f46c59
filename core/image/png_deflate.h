/* png_deflate.h - zlib in the place of stb_image_write's own deflate, which is larger and no
 * faster.
 *
 * Any thread. */
#ifndef PNG_DEFLATE_H
#define PNG_DEFLATE_H

/* As stb calls it: a zlib stream of `size` bytes, malloc'ed (stb frees it), or NULL. */
unsigned char *png_deflate(unsigned char *data, int size, int *out_size, int quality);

#endif
