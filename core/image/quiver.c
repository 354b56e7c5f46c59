#include "core/image/quiver.h"

#include "core/base/math.h"
#include "core/image/plot_axes.h"
#include "core/image/quiver_density.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static const struct colour GROUND = {38, 99, 196}, INK = {24, 33, 54};

#define GROUND_COVER 0.62 /* of the paper, at most */
#define INK_COVER    0.88
#define SHAFT        0.55 /* half its width, in pixels */
#define HEAD_SHARE   0.4  /* of an arrow */
#define HEAD_MIN     2.6
#define HEAD_MAX     7.0
#define HEAD_WIDTH   0.42                          /* half of it, per length */
#define REACH        (HEAD_MAX * HEAD_WIDTH + 2.0) /* further aside an arrow covers nothing */
#define FLAT         0.01 /* what an arrow that lies flat rises by, per length */
#define LONG_SHAFT   0.5  /* of the ink of an arrow that may cross many others */
#define DOT          0.7  /* radius of an arrow without length */
#define CELL_SHARE   0.92 /* of a cell of the grid, that the longest arrow takes */

void quiver_point(const struct quiver_grid *grid, size_t index, float point[2])
{
    const size_t width = grid->size[0];
    size_t at[2];

    assert(width > 0 && index / width < grid->size[1]);
    at[0] = index % width;
    at[1] = index / width;
    for (size_t axis = 0; axis < 2; axis++) {
        const double last = (double)(grid->size[axis] - 1);
        const double share = last > 0.0 ? (double)at[axis] / last : 0.0;

        point[axis] = (float)(grid->from[axis] + share * (grid->to[axis] - grid->from[axis]));
    }
}

/* A point of the plane in pixels of the box, right and down. */
static void to_pixels(const double view[4], double x, double y, double at[2])
{
    at[0] = (x - view[0]) / (view[1] - view[0]) * (PLOT_SIDE - 1);
    at[1] = (view[3] - y) / (view[3] - view[2]) * (PLOT_SIDE - 1);
}

static uint8_t blend(uint8_t paper, uint8_t ink, double cover)
{
    return (uint8_t)((double)paper + ((double)ink - (double)paper) * cover + 0.5);
}

static void cover_pixel(struct picture *picture, size_t x, size_t y, struct colour colour,
                        double cover)
{
    uint8_t *pixel =
        picture->pixels + ((PLOT_TOP + y) * picture->width + (size_t)PLOT_LEFT + x) * 3;

    pixel[0] = blend(pixel[0], colour.red, cover);
    pixel[1] = blend(pixel[1], colour.green, cover);
    pixel[2] = blend(pixel[2], colour.blue, cover);
}

/* --- ground ----------------------------------------------------------------------------------- */

/* What the ground is made of: at the points, and the slopes there in cells of the grid. */
struct ground {
    const struct quiver *quiver;
    double *value; /* ln p; or the share of the longest */
};

static double length_at(const struct quiver *quiver, size_t i)
{
    double dx = (double)quiver->vectors[2 * i], dy = (double)quiver->vectors[2 * i + 1];
    float point[2];

    if (quiver->reaches) {
        quiver_point(&quiver->grid, i, point);
        dx -= (double)point[0];
        dy -= (double)point[1];
    }
    return sqrt(dx * dx + dy * dy);
}

static double longest(const struct quiver *quiver)
{
    const size_t count = quiver->grid.size[0] * quiver->grid.size[1];
    double most = 0.0;

    for (size_t i = 0; i < count; i++)
        most = fmax(most, length_at(quiver, i));
    return most > 0.0 ? most : 1.0;
}

static double *lengths(const struct quiver *quiver)
{
    const size_t count = quiver->grid.size[0] * quiver->grid.size[1];
    const double most = longest(quiver);
    double *value = malloc(count * sizeof *value);

    for (size_t i = 0; value != NULL && i < count; i++)
        value[i] = length_at(quiver, i) / most;
    return value;
}

/* Cubic, by the values at 0 and 1 and the slopes there. */
static double hermite(double share, const double value[2], const double slope[2])
{
    const double rest = 1.0 - share, rise = value[1] - value[0];

    return value[0] + share * share * (3.0 - 2.0 * share) * rise +
           share * rest * (slope[0] * rest - slope[1] * share);
}

/* ln p within a cell: its values and its own gradient at the corners. */
static double log_density(const struct ground *ground, size_t corner, const double share[2])
{
    const struct quiver_grid *grid = &ground->quiver->grid;
    const float *score = ground->quiver->score;
    const size_t width = grid->size[0];
    double value[2], slope[2], step[2];

    for (size_t axis = 0; axis < 2; axis++)
        step[axis] = (grid->to[axis] - grid->from[axis]) / (double)(grid->size[axis] - 1);
    for (size_t line = 0; line < 2; line++) {
        const size_t i = corner + line * width;
        const double values[2] = {ground->value[i], ground->value[i + 1]};
        const double slopes[2] = {(double)score[2 * i] * step[0],
                                  (double)score[2 * i + 2] * step[0]};

        value[line] = hermite(share[0], values, slopes);
        slope[line] =
            ((1.0 - share[0]) * (double)score[2 * i + 1] + share[0] * (double)score[2 * i + 3]) *
            step[1];
    }
    return hermite(share[1], value, slope);
}

static double length_share(const struct ground *ground, size_t corner, const double share[2])
{
    const double *low = ground->value + corner, *high = low + ground->quiver->grid.size[0];
    const double below = low[0] + share[0] * (low[1] - low[0]);
    const double above = high[0] + share[0] * (high[1] - high[0]);

    return below + share[1] * (above - below);
}

/* 0..1. The root shows what is rare, too. */
static double shade(const struct ground *ground, size_t corner, const double share[2])
{
    if (ground->quiver->score == NULL)
        return length_share(ground, corner, share);
    return math_exp(fmin(log_density(ground, corner, share), 0.0) / 2.0);
}

/* The cell of the grid that a pixel of the box lies in. */
static bool find_cell(const struct quiver_grid *grid, const double at[2], size_t *corner,
                      double share[2])
{
    size_t cell[2];

    for (size_t axis = 0; axis < 2; axis++) {
        const double cells = (double)(grid->size[axis] - 1);
        const double place =
            (at[axis] - grid->from[axis]) / (grid->to[axis] - grid->from[axis]) * cells;

        if (!(place >= 0.0 && place <= cells))
            return false;
        cell[axis] = (size_t)place;
        if (cell[axis] + 1 == grid->size[axis])
            cell[axis]--;
        share[axis] = place - (double)cell[axis];
    }
    *corner = cell[1] * grid->size[0] + cell[0];
    return true;
}

static void print_ground(struct picture *picture, const struct ground *ground, const double view[4])
{
    for (size_t y = 0; y < PLOT_SIDE; y++)
        for (size_t x = 0; x < PLOT_SIDE; x++) {
            const double at[2] = {view[0] + (view[1] - view[0]) * (double)x / (PLOT_SIDE - 1),
                                  view[3] - (view[3] - view[2]) * (double)y / (PLOT_SIDE - 1)};
            double share[2];
            size_t corner;

            if (find_cell(&ground->quiver->grid, at, &corner, share))
                cover_pixel(picture, x, y, GROUND, GROUND_COVER * shade(ground, corner, share));
        }
}

static bool draw_ground(struct picture *picture, const struct quiver *quiver, const double view[4])
{
    struct ground ground = {.quiver = quiver};

    if (quiver->grid.size[0] < 2 || quiver->grid.size[1] < 2)
        return true;
    ground.value =
        quiver->score != NULL ? quiver_log_density(&quiver->grid, quiver->score) : lengths(quiver);
    if (ground.value == NULL)
        return false;
    print_ground(picture, &ground, view);
    free(ground.value);
    return true;
}

/* --- arrows ----------------------------------------------------------------------------------- */

struct arrow {
    double tail[2], tip[2]; /* in pixels of the box */
    double along[2];        /* of length 1 */
    double length, head;
    double shaft; /* 0..1: its ink */
};

static double limited(double value)
{
    return fmin(fmax(value, 0.0), 1.0);
}

/* How much of the pixel at (x, y) the arrow covers, by its distance from shaft and head. */
static double arrow_cover(const struct arrow *arrow, double x, double y)
{
    const double dx = x - arrow->tail[0], dy = y - arrow->tail[1];
    const double forth = dx * arrow->along[0] + dy * arrow->along[1];
    const double aside = fabs(dx * arrow->along[1] - dy * arrow->along[0]);
    const double neck = arrow->length - arrow->head;
    const double slant = sqrt(1.0 + HEAD_WIDTH * HEAD_WIDTH);
    const double flank = ((arrow->length - forth) * HEAD_WIDTH - aside) / slant;
    double shaft, head;

    if (arrow->length < DOT)
        return limited(DOT + 0.5 - sqrt(dx * dx + dy * dy));
    shaft = arrow->shaft * limited(SHAFT + 0.5 - aside) * limited(forth + 0.5) *
            limited(neck + 1.0 - forth);
    head = limited(fmin(flank, forth - neck) + 0.5);
    return fmax(shaft, head);
}

/* Narrows low..high to the pixels of the line y that lie within REACH of the arrow's line: a long
 * arrow's box is nearly empty. One that lies flat has a low box. */
static void narrow(const struct arrow *arrow, double y, double *low, double *high)
{
    const double rise = arrow->along[1];
    double middle, half;

    if (fabs(rise) < FLAT)
        return;
    middle = arrow->tail[0] + (y - arrow->tail[1]) * arrow->along[0] / rise;
    half = REACH / fabs(rise);
    *low = fmax(*low, floor(middle - half));
    *high = fmin(*high, ceil(middle + half));
}

static void add_arrow(float *sheet, const struct arrow *arrow)
{
    double low[2], high[2];

    for (size_t axis = 0; axis < 2; axis++) {
        low[axis] = floor(fmin(arrow->tail[axis], arrow->tip[axis]) - REACH);
        high[axis] = ceil(fmax(arrow->tail[axis], arrow->tip[axis]) + REACH);
        low[axis] = fmin(fmax(low[axis], 0.0), PLOT_SIDE);
        high[axis] = fmin(fmax(high[axis], -1.0), PLOT_SIDE - 1);
    }
    for (long y = (long)low[1]; y <= (long)high[1]; y++) {
        double first = low[0], last = high[0];

        narrow(arrow, (double)y, &first, &last);
        for (long x = (long)first; x <= (long)last; x++) {
            float *ink = &sheet[y * PLOT_SIDE + x];
            const float cover = (float)arrow_cover(arrow, (double)x, (double)y);

            *ink = cover > *ink ? cover : *ink;
        }
    }
}

static void finish_arrow(struct arrow *arrow)
{
    const double dx = arrow->tip[0] - arrow->tail[0], dy = arrow->tip[1] - arrow->tail[1];

    arrow->length = sqrt(dx * dx + dy * dy);
    arrow->head = fmin(fmin(fmax(HEAD_SHARE * arrow->length, HEAD_MIN), HEAD_MAX), arrow->length);
    arrow->along[0] = arrow->length > 0.0 ? dx / arrow->length : 1.0;
    arrow->along[1] = arrow->length > 0.0 ? dy / arrow->length : 0.0;
}

/* Sides of a cell in pixels; of a grid of one point the box. */
static double cell_side(const struct quiver_grid *grid, const double view[4])
{
    double side = PLOT_SIDE;

    for (size_t axis = 0; axis < 2; axis++)
        if (grid->size[axis] > 1)
            side = fmin(side, (grid->to[axis] - grid->from[axis]) / (double)(grid->size[axis] - 1) /
                                  (view[2 * axis + 1] - view[2 * axis]) * (PLOT_SIDE - 1));
    return side;
}

/* Around the point, so that it stays in its cell. */
static void scale_arrow(struct arrow *arrow, const struct quiver *quiver, size_t i, double scale)
{
    const double length = length_at(quiver, i);
    const double by = length > 0.0 ? scale / sqrt(length) : 0.0; /* root of the length */
    const double dx = (double)quiver->vectors[2 * i] * by;
    const double dy = -(double)quiver->vectors[2 * i + 1] * by;

    arrow->tip[0] = arrow->tail[0] + dx / 2.0;
    arrow->tip[1] = arrow->tail[1] + dy / 2.0;
    arrow->tail[0] -= dx / 2.0;
    arrow->tail[1] -= dy / 2.0;
}

static void add_arrows(float *sheet, const struct quiver *quiver, const double view[4])
{
    const size_t count = quiver->grid.size[0] * quiver->grid.size[1];
    const double scale = CELL_SHARE * cell_side(&quiver->grid, view) / sqrt(longest(quiver));

    for (size_t i = 0; i < count; i++) {
        struct arrow arrow = {.shaft = quiver->reaches ? LONG_SHAFT : 1.0};
        float point[2];

        quiver_point(&quiver->grid, i, point);
        to_pixels(view, (double)point[0], (double)point[1], arrow.tail);
        if (arrow.tail[0] < 0.0 || arrow.tail[1] < 0.0 || arrow.tail[0] > PLOT_SIDE - 1 ||
            arrow.tail[1] > PLOT_SIDE - 1)
            continue;
        if (quiver->reaches)
            to_pixels(view, (double)quiver->vectors[2 * i], (double)quiver->vectors[2 * i + 1],
                      arrow.tip);
        else
            scale_arrow(&arrow, quiver, i, scale);
        finish_arrow(&arrow);
        add_arrow(sheet, &arrow);
    }
}

static bool draw_arrows(struct picture *picture, const struct quiver *quiver, const double view[4])
{
    float *sheet = calloc((size_t)PLOT_SIDE * PLOT_SIDE, sizeof *sheet);

    if (sheet == NULL)
        return false;
    add_arrows(sheet, quiver, view);
    for (size_t y = 0; y < PLOT_SIDE; y++)
        for (size_t x = 0; x < PLOT_SIDE; x++)
            cover_pixel(picture, x, y, INK, INK_COVER * (double)sheet[y * PLOT_SIDE + x]);
    free(sheet);
    return true;
}

bool quiver_draw(const struct quiver *quiver, const double view[4], struct picture *picture,
                 struct error *error)
{
    assert(view[0] < view[1] && view[2] < view[3]);
    assert(quiver->grid.size[0] <= QUIVER_SIDE_MAX && quiver->grid.size[1] <= QUIVER_SIDE_MAX);
    *picture = (struct picture){PLOT_SIZE, PLOT_SIZE, 3, malloc((size_t)PLOT_SIZE * PLOT_SIZE * 3)};
    if (picture->pixels == NULL)
        return error_set(error, ERROR_NO_MEMORY, "no memory for a plot");
    plot_axes(picture, view);
    if (!draw_ground(picture, quiver, view) || !draw_arrows(picture, quiver, view)) {
        free(picture->pixels);
        picture->pixels = NULL;
        return error_set(error, ERROR_NO_MEMORY, "no memory for a plot");
    }
    plot_frame(picture);
    return true;
}
