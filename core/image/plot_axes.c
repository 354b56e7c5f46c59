#include "core/image/plot_axes.h"

#include <stdio.h>
#include <string.h>

#define TICKS_WANTED 8
#define GLYPH_WIDTH  5
#define GLYPH_HEIGHT 7
#define ADVANCE      6
#define GAP          6 /* between the box and its numbers */

static const struct colour LINE = {238, 240, 243}, ZERO_LINE = {214, 219, 226},
                           FRAME = {150, 158, 170}, INK = {84, 92, 105};

/* What "%g" writes numbers with; five bits a line, the highest is the left one. */
static const struct glyph {
    char character;
    uint8_t lines[GLYPH_HEIGHT];
} GLYPHS[] = {
    {'0', {0x0E, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E}},
    {'1', {0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E}},
    {'2', {0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F}},
    {'3', {0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E}},
    {'4', {0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02}},
    {'5', {0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E}},
    {'6', {0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E}},
    {'7', {0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},
    {'8', {0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E}},
    {'9', {0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C}},
    {'-', {0x00, 0x00, 0x00, 0x0E, 0x00, 0x00, 0x00}},
    {'+', {0x00, 0x04, 0x04, 0x1F, 0x04, 0x04, 0x00}},
    {'.', {0x00, 0x00, 0x00, 0x00, 0x00, 0x0C, 0x0C}},
    {'e', {0x00, 0x00, 0x0E, 0x11, 0x1F, 0x10, 0x0E}},
};

void plot_put(struct picture *picture, long x, long y, struct colour colour)
{
    uint8_t *pixel;

    if (x < 0 || y < 0 || x >= (long)picture->width || y >= (long)picture->height)
        return;
    pixel = picture->pixels + ((size_t)y * picture->width + (size_t)x) * 3;
    pixel[0] = colour.red;
    pixel[1] = colour.green;
    pixel[2] = colour.blue;
}

static void put_glyph(struct picture *picture, long x, long y, const struct glyph *glyph)
{
    for (int line = 0; line < GLYPH_HEIGHT; line++)
        for (int column = 0; column < GLYPH_WIDTH; column++)
            if ((glyph->lines[line] >> (GLYPH_WIDTH - 1 - column) & 1) != 0)
                plot_put(picture, x + column, y + line, INK);
}

static void put_text(struct picture *picture, long x, long y, const char *text)
{
    for (; *text != '\0'; text++, x += ADVANCE)
        for (size_t i = 0; i < sizeof GLYPHS / sizeof GLYPHS[0]; i++)
            if (GLYPHS[i].character == *text)
                put_glyph(picture, x, y, &GLYPHS[i]);
}

/* 1, 2 or 5 times a power of ten, so that about TICKS_WANTED fit. */
static double tick_step(double span)
{
    static const double FACTORS[] = {1.0, 2.0, 5.0};
    double power = 1.0;

    while (power * TICKS_WANTED > span)
        power /= 10.0;
    while (power * 10.0 * TICKS_WANTED <= span)
        power *= 10.0;
    for (size_t i = 0; i < 3; i++)
        if (FACTORS[i] * power * TICKS_WANTED >= span)
            return FACTORS[i] * power;
    return 10.0 * power;
}

static void column_tick(struct picture *picture, long at, double value)
{
    char text[32];
    const int length = snprintf(text, sizeof text, "%.6g", value);

    for (long y = PLOT_TOP; y < PLOT_TOP + PLOT_SIDE; y++)
        plot_put(picture, PLOT_LEFT + at, y, value == 0.0 ? ZERO_LINE : LINE);
    put_text(picture, PLOT_LEFT + at - length * ADVANCE / 2 + (value < 0.0 ? -2 : 1),
             PLOT_TOP + PLOT_SIDE + GAP + 1, text);
}

static void line_tick(struct picture *picture, long at, double value)
{
    char text[32];
    const int length = snprintf(text, sizeof text, "%.6g", value);

    for (long x = PLOT_LEFT; x < PLOT_LEFT + PLOT_SIDE; x++)
        plot_put(picture, x, PLOT_TOP + at, value == 0.0 ? ZERO_LINE : LINE);
    put_text(picture, PLOT_LEFT - GAP - length * ADVANCE, PLOT_TOP + at - GLYPH_HEIGHT / 2, text);
}

/* Every round value of low..high; `down` when values grow upwards in the picture. */
static void ticks(struct picture *picture, double low, double high, bool down,
                  void (*tick)(struct picture *picture, long at, double value))
{
    const double step = tick_step(high - low);

    for (long i = (long)(low / step) - 1; (double)i * step <= high + step * 1e-9; i++) {
        const double value = (double)i * step, share = (value - low) / (high - low);

        if (share > -1e-9)
            tick(picture, (long)((down ? 1.0 - share : share) * (PLOT_SIDE - 1) + 0.5), value);
    }
}

void plot_axes(struct picture *picture, const double view[4])
{
    memset(picture->pixels, 255, picture->width * picture->height * 3);
    ticks(picture, view[0], view[1], false, column_tick);
    ticks(picture, view[2], view[3], true, line_tick);
}

void plot_frame(struct picture *picture)
{
    for (long i = -1; i <= PLOT_SIDE; i++) {
        plot_put(picture, PLOT_LEFT + i, PLOT_TOP - 1, FRAME);
        plot_put(picture, PLOT_LEFT + i, PLOT_TOP + PLOT_SIDE, FRAME);
        plot_put(picture, PLOT_LEFT - 1, PLOT_TOP + i, FRAME);
        plot_put(picture, PLOT_LEFT + PLOT_SIDE, PLOT_TOP + i, FRAME);
    }
}
