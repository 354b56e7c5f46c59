#include "core/train/data.h"

#include "core/model/model.h"
#include "core/train/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHAPES       "shapes"
#define SHAPES_TITLE "Eight shapes, a class each: heart, spiral, moons, ring and more"
#define HELP_COLUMN  20
#define LEAST_FRAME  1e-6 /* of its distance from 0 */

/* Nobody means a file by a word without a dot and a slash. */
static bool is_path(const char *name)
{
    return strpbrk(name, "./") != NULL;
}

static bool is_shapes(const char *name)
{
    return strcmp(name, SHAPES) == 0;
}

const struct outline *data_outline(const char *name)
{
    if (is_shapes(name))
        return data_shapes[0];
    for (size_t i = 0; data_outlines[i] != NULL; i++)
        if (strcmp(data_outlines[i]->name, name) == 0)
            return data_outlines[i];
    return NULL;
}

static bool refuse_name(const char *name, struct error *error)
{
    struct buffer names = {0};

    data_names(&names);
    if (buffer_ok(&names))
        error_write(error, ERROR_INVALID, "there are no data '%.60s': say one of %.*s, or FILE.csv",
                    name, (int)names.size, (const char *)names.data);
    else
        error_write(error, ERROR_NO_MEMORY, "no memory for the names of data");
    buffer_finish(&names);
    return false;
}

/* --- points of a formula --- */

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_NO_MEMORY, "no memory for the data's points");
}

static bool name_classes(struct data *data, struct error *error)
{
    data->class_names = calloc(DATA_SHAPES, sizeof *data->class_names);
    if (data->class_names == NULL)
        return no_memory(error);
    while (data->class_count < DATA_SHAPES) {
        char *name = strdup(data_shapes[data->class_count]->name);

        if (name == NULL)
            return no_memory(error);
        data->class_names[data->class_count++] = name;
    }
    return true;
}

/* Normals are there already, two a point. */
static void draw_point(const struct outline *outline, struct rng *rng, float point[2])
{
    double x[2];

    outline->point(rng, x);
    for (size_t k = 0; k < 2; k++)
        point[k] = (float)(x[k] + outline->jitter * (double)point[k]);
}

static void draw(struct data *data, uint32_t seed)
{
    struct rng rng;

    rng_seed(&rng, seed);
    rng_randn(&rng, data->points, 2 * data->count);
    for (size_t i = 0; i < data->count; i++) {
        const struct outline *outline = data->outline;

        if (data->labels != NULL) {
            data->labels[i] = (int32_t)(rng_word(&rng) % DATA_SHAPES);
            outline = data_shapes[data->labels[i]];
        }
        draw_point(outline, &rng, data->points + 2 * i);
    }
}

static bool open_formula(struct data *data, uint32_t seed, struct error *error)
{
    data->dim = 2;
    data->count = DATA_POINTS;
    data->points = calloc(data->count, 2 * sizeof *data->points);
    if (data->points == NULL)
        return no_memory(error);
    if (is_shapes(data->name)) {
        data->labels = calloc(data->count, sizeof *data->labels);
        if (data->labels == NULL || !name_classes(data, error))
            return no_memory(error);
    }
    draw(data, seed);
    return true;
}

/* --- either kind --- */

static bool fill(struct data *data, uint32_t seed, struct error *error)
{
    if (data->outline != NULL)
        return open_formula(data, seed, error);
    return is_path(data->name) ? csv_read(data, data->name, error) : refuse_name(data->name, error);
}

bool data_open(struct data *data, const char *name, uint32_t seed, struct error *error)
{
    *data = (struct data){.name = name, .outline = data_outline(name)};
    if (fill(data, seed, error))
        return true;
    data_close(data);
    return false;
}

void data_close(struct data *data)
{
    for (size_t i = 0; i < data->class_count; i++)
        free(data->class_names[i]);
    free(data->class_names);
    free(data->points);
    free(data->labels);
    *data = (struct data){0};
}

const char *data_title(const struct data *data)
{
    const char *slash = strrchr(data->name, '/');

    if (data->outline != NULL)
        return is_shapes(data->name) ? SHAPES_TITLE : data->outline->title;
    return slash != NULL ? slash + 1 : data->name;
}

double data_energy(const struct data *data)
{
    double sum = 0;

    for (size_t i = 0; i < data->count * data->dim; i++)
        sum += (double)data->points[i] * (double)data->points[i];
    return sum / (double)data->count;
}

/* Of coordinate k, or of the last. */
static void find_range(const struct data *data, size_t k, double range[2])
{
    const float *x = data->points + (k < data->dim ? k : data->dim - 1);

    range[0] = range[1] = (double)x[0];
    for (size_t i = 0; i < data->count; i++, x += data->dim) {
        range[0] = fmin(range[0], (double)*x);
        range[1] = fmax(range[1], (double)*x);
    }
}

/* One scale for both axes, with room around the points, as far as a card's view may reach; never
 * so little that its two sides are one number. */
static double find_frame(const struct data *data, double middle[2])
{
    double half = 0, distance = 0, farthest;

    for (size_t k = 0; k < 2; k++) {
        double range[2];

        find_range(data, k, range);
        middle[k] = (range[0] + range[1]) / 2;
        half = fmax(half, .6 * (range[1] - range[0]));
        distance = fmax(distance, fabs(middle[k]));
    }
    half = half > 0 ? fmin(fmax(half, LEAST_FRAME * distance), CARD_VIEW_MAX) : 1;
    farthest = CARD_VIEW_MAX - half;
    for (size_t k = 0; k < 2; k++)
        middle[k] = fmin(fmax(middle[k], -farthest), farthest);
    return half;
}

void data_view(const struct data *data, double view[4])
{
    double middle[2] = {0, 0};
    const double half = data->outline != NULL ? data->outline->extent : find_frame(data, middle);

    for (size_t k = 0; k < 2; k++) {
        view[2 * k] = middle[k] - half;
        view[2 * k + 1] = middle[k] + half;
    }
}

void data_names(struct buffer *out)
{
    for (size_t i = 0; data_outlines[i] != NULL; i++)
        buffer_printf(out, "%s, ", data_outlines[i]->name);
    buffer_text(out, SHAPES);
}

void data_help(struct buffer *out)
{
    for (size_t i = 0; data_outlines[i] != NULL; i++)
        buffer_printf(out, "  %-*s%s\n", HELP_COLUMN, data_outlines[i]->name,
                      data_outlines[i]->title);
    buffer_printf(out, "  %-*s%s\n", HELP_COLUMN, SHAPES, SHAPES_TITLE);
}
