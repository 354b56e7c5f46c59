/* pixels.h - from x_0 in [-1,1] to bytes, and from many pictures to one.
 *
 * Pictures are H,W,C bytes without padding. Pure functions, any thread. */
#ifndef PIXELS_H
#define PIXELS_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct picture {
    size_t width, height, channels; /* channels 1 (grey) or 3 (RGB) */
    uint8_t *pixels;                /* height * width * channels; owned by whoever made it */
};

/* byte = round_half_even(255 * clamp(x/2 + 0.5, 0, 1)) in float32, as diffusers does; x is C,H,W,
 * `pixels` H,W,C. */
void pixels_from_x0(const float *x, size_t channels, size_t height, size_t width, uint8_t *pixels);

/* C,H,W floats to H,W,C floats, the order of every array on the wire. */
void pixels_to_hwc(const float *x, size_t channels, size_t height, size_t width, float *out);

/* The other way: x_0 = 2 byte / 255 - 1, C,H,W, in float32; pixels_from_x0 gives the byte back. */
void pixels_to_x0(const uint8_t *pixels, size_t channels, size_t height, size_t width, float *x);

/* H,W,C floats to C,H,W. */
void pixels_to_chw(const float *values, size_t channels, size_t height, size_t width, float *out);

/* A black picture of that size, malloc'ed. NO_MEMORY, INVALID above 8192 a side. */
MUST_CHECK bool picture_make(size_t width, size_t height, size_t channels, struct picture *picture,
                             struct error *error);

/* `part` with its first pixel at (x, y); it must lie inside, with as many channels. */
void picture_put(struct picture *picture, size_t x, size_t y, const struct picture *part);

/* Columns of a grid of n pictures: ceil(sqrt(n)); rows: ceil(n / columns). */
size_t grid_columns(size_t n);
size_t grid_rows(size_t n);

/* n equal pictures, one after the other in `pixels`, into one without gaps; unused cells are 0.
 * The result is malloc'ed. NO_MEMORY, INVALID above 8192 a side. */
MUST_CHECK bool grid_make(const uint8_t *pixels, size_t n, size_t width, size_t height,
                          size_t channels, struct picture *grid, struct error *error);

#endif
