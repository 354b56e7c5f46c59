/* The formulas of points, each on its own scale around the origin. */
#include "core/base/math.h"
#include "core/train/data.h"

#include <math.h>

#define PI       0x1.921fb54442d18p+1
#define OUTLINED .03 /* outlines have no area: without noise their density would be infinite */

static double uniform(struct rng *rng)
{
    return (double)rng_word(rng) * 0x1p-32;
}

static size_t one_of(struct rng *rng, size_t count)
{
    return (size_t)((uint64_t)rng_word(rng) * count >> 32);
}

static void polar(double radius, double angle, double x[2])
{
    x[0] = radius * math_cos(angle);
    x[1] = radius * math_sin(angle);
}

static void two_gaussians(struct rng *rng, double x[2])
{
    x[0] = x[1] = uniform(rng) < .2 ? 3.0 : -3.0;
}

static void eight_gaussians(struct rng *rng, double x[2])
{
    polar(10.0, PI / 4 * (double)one_of(rng, 8), x);
}

/* Uniform along the radius, which the angle follows. */
static void swiss_roll(struct rng *rng, double x[2])
{
    const double radius = 1.0 + 2.0 * uniform(rng);

    polar(radius, 1.5 * PI * radius, x);
}

/* A turn and a half of Archimedes' spiral, uniform in the angle's square. */
static void wide_spiral(struct rng *rng, double x[2])
{
    const double along = sqrt(uniform(rng));

    polar(4.0 * along, 3.0 * PI * along, x);
}

static void ten_points(struct rng *rng, double x[2])
{
    static const double points[10][2] = {{-2.6, .4}, {-1.7, 2.2}, {-1.2, -.9}, {-.4, 1.0},
                                         {.1, -2.7}, {.6, 2.6},   {1.0, .1},   {1.6, -1.5},
                                         {2.2, 1.5}, {2.8, -.4}};
    const double *point = points[one_of(rng, 10)];

    x[0] = point[0];
    x[1] = point[1];
}

static void heart(struct rng *rng, double x[2])
{
    const double t = 2 * PI * uniform(rng), sine = math_sin(t);

    x[0] = 16 * sine * sine * sine / 9;
    x[1] =
        (13 * math_cos(t) - 5 * math_cos(2 * t) - 2 * math_cos(3 * t) - math_cos(4 * t) + 2.5) / 9;
}

static void spiral(struct rng *rng, double x[2])
{
    const double along = sqrt(uniform(rng));

    polar(1.9 * along, 6 * PI * along, x);
}

static void moons(struct rng *rng, double x[2])
{
    const bool is_upper = one_of(rng, 2) == 0;
    const double angle = PI * uniform(rng), cosine = math_cos(angle), sine = math_sin(angle);

    x[0] = 1.25 * ((is_upper ? cosine : 1 - cosine) - .5);
    x[1] = 1.25 * ((is_upper ? sine : .5 - sine) - .25);
}

static void ring(struct rng *rng, double x[2])
{
    polar(1.7, 2 * PI * uniform(rng), x);
}

static void cross(struct rng *rng, double x[2])
{
    const size_t long_axis = one_of(rng, 2);

    x[long_axis] = 1.8 * (2 * uniform(rng) - 1);
    x[1 - long_axis] = .3 * (2 * uniform(rng) - 1);
}

/* A face, a mouth and two eyes. */
static void smiley(struct rng *rng, double x[2])
{
    const double part = uniform(rng), along = uniform(rng);

    if (part < .55) {
        polar(1.75, 2 * PI * along, x);
    } else if (part < .85) {
        polar(1.05, PI * (1.15 + .7 * along), x);
    } else {
        polar(.18, 2 * PI * along, x);
        x[0] += one_of(rng, 2) == 0 ? -.6 : .6;
        x[1] += .55;
    }
}

static void corner(size_t index, double x[2])
{
    polar(index % 2 == 0 ? 1.9 : .8, PI / 2 + PI / 5 * (double)index, x);
}

static void star(struct rng *rng, double x[2])
{
    const size_t edge = one_of(rng, 10);
    const double along = uniform(rng);
    double from[2], to[2];

    corner(edge, from);
    corner(edge + 1, to);
    for (size_t i = 0; i < 2; i++)
        x[i] = from[i] + (to[i] - from[i]) * along;
}

/* The eight dark fields of four times four. */
static void checkerboard(struct rng *rng, double x[2])
{
    const size_t field = one_of(rng, 8), row = field / 2, column = 2 * (field % 2) + row % 2;

    x[0] = .95 * ((double)column + uniform(rng) - 2);
    x[1] = .95 * ((double)row + uniform(rng) - 2);
}

#define OUTLINE(function, text, about, ...)                                                        \
    static const struct outline function##_outline = {                                             \
        .name = text, .title = about, .point = function, __VA_ARGS__};
OUTLINE(two_gaussians, "two-gaussians", "Two Gaussians, 0.2 and 0.8", .jitter = 1, .extent = 8)
OUTLINE(eight_gaussians, "8-gaussians", "Eight clouds on a circle of radius 10", .jitter = .5,
        .extent = 13)
OUTLINE(swiss_roll, "swiss-roll", "A swiss roll of radius 1 to 3", .jitter = .05, .extent = 4)
OUTLINE(wide_spiral, "annulus-to-spiral", "A spiral, by a flow from an annulus", .jitter = .05,
        .extent = 6, .inner = 4, .outer = 5)
OUTLINE(ten_points, "10-points", "Ten points and nothing else", .jitter = 0, .extent = 4)
OUTLINE(heart, "heart", "A heart", .jitter = OUTLINED, .extent = 2.4)
OUTLINE(spiral, "spiral", "A spiral of three turns", .jitter = OUTLINED, .extent = 2.4)
OUTLINE(moons, "moons", "Two half moons", .jitter = OUTLINED, .extent = 2.4)
OUTLINE(ring, "ring", "A ring of radius 1.7", .jitter = OUTLINED, .extent = 2.4)
OUTLINE(cross, "cross", "A cross of two bars", .jitter = OUTLINED, .extent = 2.4)
OUTLINE(smiley, "smiley", "A smiling face", .jitter = OUTLINED, .extent = 2.4)
OUTLINE(star, "star", "A star of five points", .jitter = OUTLINED, .extent = 2.4)
OUTLINE(checkerboard, "checkerboard", "The dark fields of a checkerboard", .jitter = OUTLINED,
        .extent = 2.4)
#undef OUTLINE

const struct outline *const data_outlines[] = {&two_gaussians_outline, &eight_gaussians_outline,
                                               &swiss_roll_outline,    &wide_spiral_outline,
                                               &ten_points_outline,    &heart_outline,
                                               &spiral_outline,        &moons_outline,
                                               &ring_outline,          &cross_outline,
                                               &smiley_outline,        &star_outline,
                                               &checkerboard_outline,  NULL};

const struct outline *const data_shapes[DATA_SHAPES] = {
    &heart_outline, &spiral_outline, &moons_outline, &ring_outline,
    &cross_outline, &smiley_outline, &star_outline,  &checkerboard_outline};
