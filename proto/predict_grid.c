/* The field `grid`: points of the plane, side by side, in place of x_t. */
#include "proto/predict_inside.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

static const char *const MEMBERS[] = {"from", "to", "size", NULL};

/* Two numbers minimum..maximum. */
static bool read_pair(struct body_reading *reading, const struct cJSON *object, const char *name,
                      const double range[2], double pair[2])
{
    const struct cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    const bool is_size = strcmp(name, "size") == 0;
    bool good = true;
    char pointer[32];

    (void)snprintf(pointer, sizeof pointer, "/grid/%s", name);
    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != 2) {
        problem_fault(reading->problem, pointer, "must hold two numbers: %s",
                      is_size ? "how many points across, and how many lines" : "x and y");
        return false;
    }
    for (int i = 0; i < 2; i++) {
        const struct cJSON *entry = cJSON_GetArrayItem(value, i);

        (void)snprintf(pointer, sizeof pointer, "/grid/%s/%d", name, i);
        good &= (is_size ? body_integer : body_number)(reading->problem, pointer, entry, range[0],
                                                       range[1], &pair[i]);
    }
    return good;
}

static bool check_sides(struct problem *problem, const struct quiver_grid *grid)
{
    char pointer[32];

    for (int i = 0; i < 2; i++)
        if (grid->size[i] > 1 && !(grid->from[i] < grid->to[i])) {
            (void)snprintf(pointer, sizeof pointer, "/grid/to/%d", i);
            problem_fault(problem, pointer, "must be above from");
            return false;
        }
    return true;
}

static void read_members(struct body_reading *reading, const struct cJSON *object)
{
    const struct model *model = reading->fields.model;
    const size_t limit = body_n_limit(reading->context, model);
    const double numbers[2] = {-(double)FLT_MAX, (double)FLT_MAX}, sizes[2] = {1.0, (double)limit};
    struct quiver_grid grid = {.size = {0}};
    double size[2];

    /* All are looked at, so that all faults are told. */
    const bool known = body_members(reading->problem, "grid", object, MEMBERS);
    const bool from = read_pair(reading, object, "from", numbers, grid.from);
    const bool to = read_pair(reading, object, "to", numbers, grid.to);

    if (!read_pair(reading, object, "size", sizes, size) || !from || !to || !known)
        return;
    if (size[0] * size[1] > (double)limit) {
        problem_fault(reading->problem, "/grid/size", "must be at most %zu points, got %.0f", limit,
                      size[0] * size[1]);
        return;
    }
    grid.size[0] = (size_t)size[0];
    grid.size[1] = (size_t)size[1];
    if (!check_sides(reading->problem, &grid))
        return;
    reading->fields.question.grid = grid;
    reading->fields.n = grid.size[0] * grid.size[1];
}

static void read_grid(struct body_reading *reading, const struct body_field *field,
                      const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    char got[GOT_SIZE];

    (void)field;
    if (value == NULL && reading->fields.start.value == NULL)
        problem_fault(reading->problem, "/x_t", "must be given: where the model is asked%s",
                      model != NULL && model->shape.is_points && model->shape.dim == 2 ? "; or grid"
                                                                                       : "");
    if (value == NULL || model == NULL)
        return;
    if (reading->fields.start.value != NULL)
        problem_fault(reading->problem, "/grid", "excludes %s: give one of the two",
                      reading->fields.start.field);
    else if (!model->shape.is_points || model->shape.dim != 2)
        problem_fault(reading->problem, "/grid",
                      "is of points in the plane: model '%s' makes none of these", model->name);
    else if (!cJSON_IsObject(value))
        problem_fault(reading->problem, "/grid", "must be an object with from, to and size, got %s",
                      body_got(value, got));
    else
        read_members(reading, value);
}

const struct body_field FIELD_GRID = {
    .name = "grid",
    .help = "in place of x_t, where points lie in the plane: size[0] points a line, the first at "
            "from[0], the last at to[0]; size[1] lines, the first at from[1]; values are lines of "
            "points then; a png draws at most 128 by 128",
    .schema = "{\"type\":\"object\",\"required\":[\"from\",\"to\",\"size\"],"
              "\"additionalProperties\":false,\"properties\":{\"from\":{\"type\":\"array\","
              "\"minItems\":2,\"maxItems\":2,\"items\":{\"type\":\"number\"}},\"to\":{\"type\":"
              "\"array\",\"minItems\":2,\"maxItems\":2,\"items\":{\"type\":\"number\"}},\"size\":{"
              "\"type\":\"array\",\"minItems\":2,\"maxItems\":2,\"items\":{\"type\":\"integer\","
              "\"minimum\":1}}}}",
    .read = read_grid};
