#include "core/image/pixels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 8192

/* A value that is not a number is black: answers hold none, but a cast of one would be undefined.
 */
static uint8_t pixel(float x)
{
    float y = x / 2.0f + 0.5f;

    if (!(y > 0.0f))
        return 0;
    return (uint8_t)rintf(255.0f * (y < 1.0f ? y : 1.0f));
}

void pixels_from_x0(const float *x, size_t channels, size_t height, size_t width, uint8_t *pixels)
{
    const size_t plane = height * width;

    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < channels; c++)
            pixels[i * channels + c] = pixel(x[c * plane + i]);
}

void pixels_to_hwc(const float *x, size_t channels, size_t height, size_t width, float *out)
{
    const size_t plane = height * width;

    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < channels; c++)
            out[i * channels + c] = x[c * plane + i];
}

void pixels_to_x0(const uint8_t *pixels, size_t channels, size_t height, size_t width, float *x)
{
    const size_t plane = height * width;

    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < channels; c++)
            x[c * plane + i] = 2.0f * ((float)pixels[i * channels + c] / 255.0f) - 1.0f;
}

void pixels_to_chw(const float *values, size_t channels, size_t height, size_t width, float *out)
{
    const size_t plane = height * width;

    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < channels; c++)
            out[c * plane + i] = values[i * channels + c];
}

size_t grid_columns(size_t n)
{
    size_t columns = 0;

    while (columns * columns < n)
        columns++;
    return columns;
}

size_t grid_rows(size_t n)
{
    const size_t columns = grid_columns(n);

    return columns == 0 ? 0 : (n + columns - 1) / columns;
}

bool picture_make(size_t width, size_t height, size_t channels, struct picture *picture,
                  struct error *error)
{
    *picture = (struct picture){width, height, channels, NULL};
    if (width > SIDE_MAX || height > SIDE_MAX)
        return error_set(error, ERROR_INVALID, "a picture of %zux%zu is above %d a side", width,
                         height, SIDE_MAX);
    assert(width > 0 && height > 0 && channels > 0);
    picture->pixels = calloc(height, width * channels);
    if (picture->pixels == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a picture of %zux%zu", width,
                         height);
    return true;
}

void picture_put(struct picture *picture, size_t x, size_t y, const struct picture *part)
{
    const size_t line = part->width * part->channels;

    assert(part->channels == picture->channels);
    assert(x + part->width <= picture->width && y + part->height <= picture->height);
    for (size_t i = 0; i < part->height; i++)
        memcpy(picture->pixels + ((y + i) * picture->width + x) * picture->channels,
               part->pixels + i * line, line);
}

bool grid_make(const uint8_t *pixels, size_t n, size_t width, size_t height, size_t channels,
               struct picture *grid, struct error *error)
{
    const size_t columns = grid_columns(n), line = width * channels;

    *grid = (struct picture){0};
    if (n == 0 || columns > SIDE_MAX)
        return error_set(error, ERROR_INVALID, "a grid of %zu pictures is above %d a side", n,
                         SIDE_MAX);
    if (!picture_make(columns * width, grid_rows(n) * height, channels, grid, error))
        return false;
    for (size_t i = 0; i < n; i++)
        for (size_t y = 0; y < height; y++) {
            size_t row = i / columns * height + y, column = i % columns * width;

            memcpy(grid->pixels + (row * grid->width + column) * channels,
                   pixels + (i * height + y) * line, line);
        }
    return true;
}
