/* Fields of vectors as pictures: arrows that go where they should, on a ground that is the density
 * whose logarithm has the score as its gradient. */
#include "tests/support/test.h"

#include "core/base/digest.h"
#include "core/base/math.h"
#include "core/image/plot_axes.h"
#include "core/image/quiver.h"
#include "core/image/quiver_density.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 17

static const double VIEW[4] = {-8, 8, -8, 8};
static const struct quiver_grid GRID = {.from = {-8, -8}, .to = {8, 8}, .size = {SIDE, SIDE}};

/* Two clouds: ln p without its constant, and its gradient. */
static double log_of_clouds(double x, double y, double gradient[2])
{
    static const double CENTRES[2][3] = {{3, 2, 0.3}, {-3, -2, 0.7}};
    double p = 0.0, slope[2] = {0.0, 0.0};

    for (size_t k = 0; k < 2; k++) {
        const double dx = x - CENTRES[k][0], dy = y - CENTRES[k][1];
        const double part = CENTRES[k][2] * math_exp(-(dx * dx + dy * dy) / 4.0);

        p += part;
        slope[0] -= part * dx / 2.0;
        slope[1] -= part * dy / 2.0;
    }
    gradient[0] = slope[0] / p;
    gradient[1] = slope[1] / p;
    return math_log(p);
}

static void fill_clouds(const struct quiver_grid *grid, float *score, double *log_density)
{
    double highest = -1e9, gradient[2];
    const size_t count = grid->size[0] * grid->size[1];
    float point[2];

    for (size_t i = 0; i < count; i++) {
        quiver_point(grid, i, point);
        log_density[i] = log_of_clouds((double)point[0], (double)point[1], gradient);
        highest = fmax(highest, log_density[i]);
        score[2 * i] = (float)gradient[0];
        score[2 * i + 1] = (float)gradient[1];
    }
    for (size_t i = 0; i < count; i++)
        log_density[i] -= highest;
}

static struct picture draw(const struct quiver *quiver)
{
    struct picture picture;
    struct error error;

    assert_true(quiver_draw(quiver, VIEW, &picture, &error));
    assert_int_equal(picture.width, PLOT_SIZE);
    assert_int_equal(picture.height, PLOT_SIZE);
    return picture;
}

static long column(double x)
{
    return (long)(PLOT_LEFT + (x + 8.0) / 16.0 * (PLOT_SIDE - 1) + 0.5);
}

static long line(double y)
{
    return (long)(PLOT_TOP + (8.0 - y) / 16.0 * (PLOT_SIDE - 1) + 0.5);
}

/* The darkest red of the pixels within 2 of the point: arrows are nearly black. */
static int darkest(const struct picture *picture, double x, double y)
{
    int dark = 255;

    for (long j = line(y) - 2; j <= line(y) + 2; j++)
        for (long i = column(x) - 2; i <= column(x) + 2; i++) {
            const int red = picture->pixels[((size_t)j * picture->width + (size_t)i) * 3];

            dark = red < dark ? red : dark;
        }
    return dark;
}

static void points_go_line_by_line(void **state)
{
    const struct quiver_grid grid = {.from = {-1, 2}, .to = {1, 5}, .size = {3, 2}};
    const struct quiver_grid single = {.from = {-1, 2}, .to = {1, 5}, .size = {1, 1}};
    static const float WANTED[6][2] = {{-1, 2}, {0, 2}, {1, 2}, {-1, 5}, {0, 5}, {1, 5}};
    float point[2];

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        quiver_point(&grid, i, point);
        assert_memory_equal(point, WANTED[i], sizeof point);
    }
    quiver_point(&single, 0, point);
    assert_memory_equal(point, WANTED[0], sizeof point);
}

static void the_density_of_a_score_is_found(void **state)
{
    const struct quiver_grid grid = {.from = {-6, -5}, .to = {6, 5}, .size = {49, 41}};
    const size_t count = 49 * 41;
    float *score = malloc(2 * count * sizeof *score);
    double *wanted = malloc(count * sizeof *wanted), *found;

    (void)state;
    fill_clouds(&grid, score, wanted);
    found = quiver_log_density(&grid, score);
    assert_non_null(found);
    for (size_t i = 0; i < count; i++)
        assert_true(fabs(found[i] - wanted[i]) < 0.02);
    free(found);
    free(wanted);
    free(score);
}

/* Of one point, of a line, and of a score that belongs to nothing: a number all the same. */
static void any_field_has_some_density(void **state)
{
    static const size_t SIZES[][2] = {{1, 1}, {6, 1}, {1, 6}, {6, 6}};
    float score[72];

    (void)state;
    for (size_t i = 0; i < 72; i++)
        score[i] = (float)((int)(i * 2654435761u % 2001u) - 1000);
    for (size_t k = 0; k < 4; k++) {
        const struct quiver_grid grid = {
            .from = {0, 0}, .to = {1, 1}, .size = {SIZES[k][0], SIZES[k][1]}};
        double *found = quiver_log_density(&grid, score), highest = -1e9;

        for (size_t i = 0; i < SIZES[k][0] * SIZES[k][1]; i++) {
            assert_true(isfinite(found[i]));
            highest = fmax(highest, found[i]);
        }
        assert_true(highest == 0.0);
        free(found);
    }
}

static void the_ground_is_the_density(void **state)
{
    float score[2 * SIDE * SIDE], zero[2 * SIDE * SIDE] = {0};
    const struct quiver quiver = {.grid = GRID, .vectors = zero, .score = score};
    double unused[SIDE * SIDE];
    struct picture picture;
    const uint8_t *pixel;
    double gradient[2];

    (void)state;
    fill_clouds(&GRID, score, unused);
    picture = draw(&quiver);
    for (int j = -7; j < 7; j++)
        for (int i = -7; i < 7; i++) {
            const double x = i + 0.5, y = j + 0.5;
            const double p = math_exp(log_of_clouds(x, y, gradient) - math_log(0.7));
            const double wanted = 255.0 - 0.62 * sqrt(p) * (255.0 - 38.0);

            pixel = picture.pixels + ((size_t)line(y) * PLOT_SIZE + (size_t)column(x)) * 3;
            assert_true(fabs((double)pixel[0] - wanted) < 10.0);
        }
    free(picture.pixels);
}

static void without_a_score_the_ground_is_the_length(void **state)
{
    float vectors[2 * SIDE * SIDE];
    const struct quiver quiver = {.grid = GRID, .vectors = vectors};
    struct picture picture;
    int red[2];

    (void)state;
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
        vectors[2 * i] = (float)(i % SIDE);
        vectors[2 * i + 1] = 0.0f;
    }
    picture = draw(&quiver);
    for (size_t k = 0; k < 2; k++)
        red[k] =
            picture
                .pixels[((size_t)line(0.5) * PLOT_SIZE + (size_t)column(k == 0 ? -6.5 : 6.5)) * 3];
    assert_true(red[0] > red[1] + 80);
    free(picture.pixels);
}

static void arrows_stay_in_their_cells(void **state)
{
    const struct quiver_grid grid = {.from = {-4, -4}, .to = {4, 4}, .size = {3, 3}};
    float vectors[18] = {0};
    const struct quiver quiver = {.grid = grid, .vectors = vectors};
    struct picture picture;

    (void)state;
    vectors[8] = 1e6f; /* the one in the middle, to the right */
    picture = draw(&quiver);
    assert_true(darkest(&picture, 0.0, 0.0) < 90);
    assert_true(darkest(&picture, 1.6, 0.0) < 90);
    assert_true(darkest(&picture, -1.6, 0.0) < 90);
    assert_true(darkest(&picture, 2.3, 0.0) > 120);
    assert_true(darkest(&picture, 0.0, 1.0) > 120);
    assert_true(darkest(&picture, 4.0, 4.0) < 130); /* a dot */
    free(picture.pixels);
}

/* Pixels of ink in a box of 2 around the point. */
static int ink_around(const struct picture *picture, double x, double y)
{
    int count = 0;

    for (long j = line(y + 1.0); j <= line(y - 1.0); j++)
        for (long i = column(x - 1.0); i <= column(x + 1.0); i++)
            count += picture->pixels[((size_t)j * picture->width + (size_t)i) * 3] < 140;
    return count;
}

static void heads_are_where_vectors_point(void **state)
{
    const struct quiver_grid grid = {.from = {0, 0}, .to = {0, 0}, .size = {1, 1}};
    const float up[2] = {0, 1}, left[2] = {-1, 0};
    struct quiver quiver = {.grid = grid, .vectors = up};
    struct picture picture = draw(&quiver);

    (void)state;
    assert_true(ink_around(&picture, 0.0, 7.0) > ink_around(&picture, 0.0, -7.0) + 5);
    free(picture.pixels);
    quiver.vectors = left;
    picture = draw(&quiver);
    assert_true(ink_around(&picture, -7.0, 0.0) > ink_around(&picture, 7.0, 0.0) + 5);
    free(picture.pixels);
}

static void arrows_that_reach_end_where_they_say(void **state)
{
    const struct quiver_grid grid = {.from = {-4, -4}, .to = {-4, -4}, .size = {1, 1}};
    float tip[2] = {4, 4}, outside[2] = {1e30f, 0};
    struct quiver quiver = {.grid = grid, .vectors = tip, .reaches = true};
    struct picture picture = draw(&quiver);

    (void)state;
    assert_true(darkest(&picture, 3.8, 3.8) < 90);
    assert_true(darkest(&picture, 0.0, 0.0) < 180);
    assert_true(darkest(&picture, 5.5, 5.5) > 200);
    free(picture.pixels);
    quiver.vectors = outside;
    picture = draw(&quiver);
    assert_true(darkest(&picture, 7.5, -4.0) < 180);
    assert_true(darkest(&picture, -6.0, -4.0) > 200);
    free(picture.pixels);
}

static void long_arrows_are_whole_however_they_lie(void **state)
{
    static const double ENDS[][4] = {
        {-7, 0, 7, .2}, {-7, 0, 7, 1}, {-6, 1, 6, -3}, {0, 7, .5, -7}, {0, 7, 0, -7}};

    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        const double *ends = ENDS[i];
        const struct quiver_grid grid = {{ends[0], ends[1]}, {ends[0], ends[1]}, {1, 1}};
        const float tip[2] = {(float)ends[2], (float)ends[3]};
        struct picture picture =
            draw(&(struct quiver){.grid = grid, .vectors = tip, .reaches = true});

        for (int percent = 5; percent < 100; percent++)
            assert_true(darkest(&picture, ends[0] + percent / 100.0 * (ends[2] - ends[0]),
                                ends[1] + percent / 100.0 * (ends[3] - ends[1])) < 215);
        free(picture.pixels);
    }
    (void)state;
}

static void what_lies_outside_is_left_out(void **state)
{
    const struct quiver_grid grid = {.from = {20, 20}, .to = {30, 30}, .size = {3, 3}};
    const float vectors[18] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const struct quiver quiver = {.grid = grid, .vectors = vectors};
    struct picture picture = draw(&quiver);
    struct picture axes = {PLOT_SIZE, PLOT_SIZE, 3, malloc((size_t)3 * PLOT_SIZE * PLOT_SIZE)};

    (void)state;
    plot_axes(&axes, VIEW);
    plot_frame(&axes);
    assert_memory_equal(picture.pixels, axes.pixels, (size_t)3 * PLOT_SIZE * PLOT_SIZE);
    free(axes.pixels);
    free(picture.pixels);
}

/* Doubles without libm: a digest holds everywhere. */
static void pictures_have_the_same_bits_everywhere(void **state)
{
    float score[2 * SIDE * SIDE];
    double unused[SIDE * SIDE];
    char digest[DIGEST_TEXT_SIZE];
    struct picture picture;

    (void)state;
    fill_clouds(&GRID, score, unused);
    picture = draw(&(struct quiver){.grid = GRID, .vectors = score, .score = score});
    digest_of(picture.pixels, (size_t)3 * PLOT_SIZE * PLOT_SIZE, digest);
    assert_string_equal(digest, "4205913fa7d13e736230126057905c9c09ae333d9b397f8ed4595f70bec8462d");
    free(picture.pixels);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(points_go_line_by_line),
        cmocka_unit_test(the_density_of_a_score_is_found),
        cmocka_unit_test(any_field_has_some_density),
        cmocka_unit_test(the_ground_is_the_density),
        cmocka_unit_test(without_a_score_the_ground_is_the_length),
        cmocka_unit_test(arrows_stay_in_their_cells),
        cmocka_unit_test(heads_are_where_vectors_point),
        cmocka_unit_test(arrows_that_reach_end_where_they_say),
        cmocka_unit_test(long_arrows_are_whole_however_they_lie),
        cmocka_unit_test(what_lies_outside_is_left_out),
        cmocka_unit_test(pictures_have_the_same_bits_everywhere),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
