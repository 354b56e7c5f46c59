#include "server/selftest_ask.h"

#include <cjson/cJSON.h>

/* Rows of one body: numbers and arrays of it stay below what a body may hold. */
#define PIECE 16000

static void write_body(struct buffer *body, const struct selftest_question *question,
                       const float *x, size_t n, size_t first)
{
    buffer_printf(body, "{%s,\"encoding\":\"array\",\"%s\":[", question->fields, question->rows);
    for (size_t i = 0; i < n; i++)
        buffer_printf(body, "%s[%.9g,%.9g]", i > 0 ? "," : "", (double)x[2 * i],
                      (double)x[2 * i + 1]);
    buffer_text(body, "]");
    if (question->has_seed)
        buffer_printf(body, ",\"seed\":%lu", (unsigned long)question->seed + first);
    buffer_text(body, "}");
}

static bool read_number(const cJSON *item, double *value)
{
    *value = cJSON_GetNumberValue(item);
    return cJSON_IsNumber(item);
}

static bool read_row(const cJSON *row, size_t width, double *values)
{
    const cJSON *item;
    size_t i = 0;

    if (width == 1)
        return read_number(row, values);
    cJSON_ArrayForEach(item, row) if (i == width || !read_number(item, &values[i++])) return false;
    return i == width;
}

static bool read_column(const cJSON *answer, const struct selftest_column *column, size_t n,
                        size_t first)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, column->name), *row;
    size_t i = 0;

    if (column->width == 0)
        return read_number(list, column->values);
    cJSON_ArrayForEach(
        row,
        list) if (i == n || !read_row(row, column->width,
                                      column->values + (first + i++) * column->width)) return false;
    return i == n;
}

static bool ask_piece(struct selftest *selftest, const struct selftest_question *question,
                      const struct selftest_points_asked *points, size_t first, struct error *error)
{
    const size_t n = points->n - first < PIECE ? points->n - first : PIECE;
    struct buffer body = {.data = NULL};
    cJSON *answer;
    bool is_good;

    write_body(&body, question, points->x + 2 * first, n, first);
    answer = buffer_ok(&body) ? selftest_post(selftest, question->path, &body, error) : NULL;
    is_good = answer != NULL;
    if (!buffer_ok(&body))
        error_write(error, ERROR_NO_MEMORY, "no memory for a body of %zu rows", n);
    for (size_t i = 0; is_good && i < SELFTEST_COLUMNS && points->columns[i].name != NULL; i++)
        if (!read_column(answer, &points->columns[i], n, first))
            is_good = error_set(error, ERROR_INVALID, "the answer has not the %s of %zu rows",
                                points->columns[i].name, n);
    cJSON_Delete(answer);
    buffer_finish(&body);
    return is_good;
}

bool selftest_ask(struct selftest *selftest, const struct selftest_question *question,
                  const struct selftest_points_asked *points, struct error *error)
{
    for (size_t first = 0; first < points->n; first += PIECE)
        if (!ask_piece(selftest, question, points, first, error))
            return false;
    return true;
}
