#include "core/train/csv.h"

#include "core/base/array.h"
#include "core/base/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_MAX (DATA_DIM_MAX + 1)
#define VALUE_MAX   1e6
#define NO_COLUMN   SIZE_MAX
#define UTF8_MARK   "\xef\xbb\xbf"
#define BLANKS      " \t\r"

struct reader {
    FILE *file;
    const char *path;
    size_t line; /* of the file, from 1 */
    struct digest digest;
    char text[CSV_LINE_MAX + 2];
    char *field[COLUMNS_MAX];
    size_t field_count;
    size_t columns, first_line; /* of the first line that is not blank */
    size_t class_column;        /* or NO_COLUMN */
    struct data *data;
    size_t point_capacity, label_capacity;
    struct error *error;
};

#define REFUSE(reader, format, ...)                                                                \
    error_set((reader)->error, ERROR_INVALID, "%.200s:%zu: " format, (reader)->path,               \
              (reader)->line, __VA_ARGS__)

static bool no_memory(const struct reader *reader)
{
    return error_set(reader->error, ERROR_NO_MEMORY, "%.200s: no memory for its points",
                     reader->path);
}

/* --- lines and fields --- */

/* Into reader->text, without the line's end. *ended: there was none left. */
static bool read_line(struct reader *reader, bool *ended)
{
    size_t size = 0;
    int byte;

    reader->line++;
    while ((byte = getc_unlocked(reader->file)) != EOF && byte != '\n') {
        if (size == CSV_LINE_MAX)
            return REFUSE(reader, "a line of more than %u bytes", CSV_LINE_MAX);
        if (byte == '\0')
            return REFUSE(reader, "byte %zu is zero: this is no text", size + 1);
        reader->text[size++] = (char)byte;
    }
    if (ferror_unlocked(reader->file))
        return error_set(reader->error, ERROR_IO, "%.200s: cannot be read: %s", reader->path,
                         strerror(errno));
    *ended = byte == EOF && size == 0;
    reader->text[size] = '\n';
    digest_update(&reader->digest, reader->text, byte == EOF ? size : size + 1);
    reader->text[size] = '\0';
    return true;
}

static char *without_blanks(char *text)
{
    size_t size;

    text += strspn(text, BLANKS);
    size = strlen(text);
    while (size > 0 && strchr(BLANKS, text[size - 1]) != NULL)
        size--;
    text[size] = '\0';
    return text;
}

/* Commas between quotes are the field's own. `rest` moves behind the field's comma, or is NULL. */
static bool take_quoted(struct reader *reader, char **rest)
{
    char *field = *rest, *end = strchr(field + 1, '"');
    char *after = end != NULL ? end + 1 + strspn(end + 1, BLANKS) : NULL;

    if (after == NULL || (after[0] != ',' && after[0] != '\0'))
        return REFUSE(reader, "%.40s: a quote must end its field, and none may be within", field);
    *end = '\0';
    reader->field[reader->field_count++] = field + 1;
    *rest = after[0] == ',' ? after + 1 : NULL;
    return true;
}

static void take_plain(struct reader *reader, char **rest)
{
    char *field = *rest, *comma = strchr(field, ',');

    if (comma != NULL)
        *comma++ = '\0';
    reader->field[reader->field_count++] = without_blanks(field);
    *rest = comma;
}

/* Field by field; a blank line has none. */
static bool split(struct reader *reader)
{
    char *rest = reader->text;

    if (reader->line == 1 && strncmp(rest, UTF8_MARK, sizeof UTF8_MARK - 1) == 0)
        rest += sizeof UTF8_MARK - 1;
    rest = without_blanks(rest);
    reader->field_count = 0;
    while (rest != NULL && (rest[0] != '\0' || reader->field_count > 0)) {
        if (reader->field_count == COLUMNS_MAX)
            return REFUSE(reader, "more than %d columns", COLUMNS_MAX);
        rest += strspn(rest, BLANKS);
        if (rest[0] != '"')
            take_plain(reader, &rest);
        else if (!take_quoted(reader, &rest))
            return false;
    }
    return true;
}

/* --- values --- */

/* NaN and infinities are numbers here. */
static bool is_number(const char *field, double *value)
{
    char *end;

    *value = strtod(field, &end);
    return field[0] != '\0' && *end == '\0' && strpbrk(field, "xX") == NULL;
}

static bool add_number(struct reader *reader, size_t column, float *out)
{
    const char *field = reader->field[column];
    double value;

    if (field[0] == '\0')
        return REFUSE(reader, "column %zu is empty", column + 1);
    if (!is_number(field, &value))
        return REFUSE(reader, "column %zu is '%.40s', which is not a number%s", column + 1, field,
                      strpbrk(field, "; \t") != NULL ? ": commas part columns" : "");
    if (!isfinite(value))
        return REFUSE(reader, "column %zu is %.40s; numbers must be finite", column + 1, field);
    if (fabs(value) > VALUE_MAX)
        return REFUSE(reader, "column %zu is %.40s; numbers must lie within +-1e6", column + 1,
                      field);
    *out = (float)value;
    return true;
}

static bool add_class_name(struct reader *reader, const char *name)
{
    struct data *data = reader->data;

    if (data->class_count == CSV_CLASSES_MAX)
        return REFUSE(reader, "'%.40s' is one class too many: %u are the limit", name,
                      CSV_CLASSES_MAX);
    data->class_names[data->class_count] = strdup(name);
    return data->class_names[data->class_count++] != NULL || no_memory(reader);
}

/* As JSON would have it, without escapes: then it can stand in denoised.json as it is. */
static bool is_plain_text(const char *name)
{
    static const struct json_limits limits = {
        .depth = 1, .keys = 1, .values = 2, .string_bytes = CSV_CLASS_NAME_MAX, .number_bytes = 1};
    char text[CSV_CLASS_NAME_MAX + 8];
    struct error error;
    const int size = snprintf(text, sizeof text, "{\"%s\":0}", name);

    return strpbrk(name, "\"\\") == NULL && json_scan(text, (size_t)size, &limits, &error);
}

static bool find_class(struct reader *reader, const char *name, int32_t *label)
{
    struct data *data = reader->data;
    size_t i = 0;

    if (name[0] == '\0' || strlen(name) > CSV_CLASS_NAME_MAX)
        return REFUSE(reader, "column %zu %s: a class has a name of 1 to %u bytes",
                      reader->class_column + 1, name[0] == '\0' ? "is empty" : "is too long",
                      CSV_CLASS_NAME_MAX);
    if (!is_plain_text(name))
        return REFUSE(reader,
                      "column %zu is no name of a class: UTF-8 without quotes, backslashes "
                      "and control characters",
                      reader->class_column + 1);
    while (i < data->class_count && strcmp(data->class_names[i], name) != 0)
        i++;
    if (i == data->class_count && !add_class_name(reader, name))
        return false;
    *label = (int32_t)i;
    return true;
}

/* Room for one more point. */
static bool grow(struct reader *reader)
{
    struct data *data = reader->data;
    void *points = data->points, *labels = data->labels;
    const size_t point_bytes = data->dim * sizeof *data->points;
    bool ok = array_grow(&points, &reader->point_capacity, data->count, point_bytes);

    data->points = points;
    if (ok && reader->class_column != NO_COLUMN) {
        ok = array_grow(&labels, &reader->label_capacity, data->count, sizeof *data->labels);
        data->labels = labels;
    }
    return ok || no_memory(reader);
}

static bool add_row(struct reader *reader)
{
    struct data *data = reader->data;
    float *point;

    if (reader->field_count != reader->columns)
        return REFUSE(reader, "%zu column%s, but line %zu has %zu", reader->field_count,
                      reader->field_count == 1 ? "" : "s", reader->first_line, reader->columns);
    if (data->count == CSV_ROWS_MAX)
        return error_set(reader->error, ERROR_TOO_LARGE,
                         "%.200s:%zu: more than %u points, which are the limit", reader->path,
                         reader->line, CSV_ROWS_MAX);
    if (!grow(reader))
        return false;
    point = data->points + data->count * data->dim;
    for (size_t i = 0; i < reader->columns; i++)
        if (i == reader->class_column
                ? !find_class(reader, reader->field[i], &data->labels[data->count])
                : !add_number(reader, i, point++))
            return false;
    data->count++;
    return true;
}

/* --- what the first lines say --- */

static bool is_header(const struct reader *reader)
{
    double value;

    for (size_t i = 0; i < reader->field_count; i++)
        if (is_number(reader->field[i], &value))
            return false;
    return true;
}

static void find_class_column(struct reader *reader)
{
    for (size_t i = 0; i < reader->field_count; i++)
        if (strcasecmp(reader->field[i], "class") == 0)
            reader->class_column = i;
}

/* By the first line with numbers. */
static bool settle(struct reader *reader)
{
    struct data *data = reader->data;
    double value;

    if (reader->class_column == NO_COLUMN && reader->columns > 1 &&
        !is_number(reader->field[reader->columns - 1], &value))
        reader->class_column = reader->columns - 1;
    data->dim = reader->columns - (reader->class_column != NO_COLUMN ? 1 : 0);
    if (data->dim < 1 || data->dim > DATA_DIM_MAX)
        return REFUSE(reader, "points of %zu coordinates; 1 to %d can be learnt", data->dim,
                      DATA_DIM_MAX);
    if (reader->class_column == NO_COLUMN)
        return true;
    data->class_names = calloc(CSV_CLASSES_MAX, sizeof *data->class_names);
    return data->class_names != NULL || no_memory(reader);
}

static bool take_line(struct reader *reader)
{
    if (!split(reader))
        return false;
    if (reader->field_count == 0)
        return true;
    if (reader->columns == 0) {
        reader->columns = reader->field_count;
        reader->first_line = reader->line;
        if (is_header(reader)) {
            find_class_column(reader);
            return true;
        }
    }
    if (reader->data->dim == 0 && reader->field_count == reader->columns && !settle(reader))
        return false;
    return add_row(reader);
}

/* --- the order of classes --- */

static bool whole_number(const char *name, long *value)
{
    char *end;

    errno = 0;
    *value = strtol(name, &end, 10);
    return *end == '\0' && errno == 0;
}

static bool are_numbers(const struct data *data)
{
    long value;

    for (size_t i = 0; i < data->class_count; i++)
        if (!whole_number(data->class_names[i], &value))
            return false;
    return true;
}

static bool comes_before(const char *a, const char *b, bool by_value)
{
    long first, second;

    if (by_value && whole_number(a, &first) && whole_number(b, &second) && first != second)
        return first < second;
    return strcmp(a, b) < 0;
}

static void sort_classes(struct data *data)
{
    const bool by_value = are_numbers(data);
    int32_t place[CSV_CLASSES_MAX];
    char *names[CSV_CLASSES_MAX] = {NULL};

    for (size_t i = 0; i < data->class_count; i++) {
        place[i] = 0;
        for (size_t k = 0; k < data->class_count; k++)
            place[i] += comes_before(data->class_names[k], data->class_names[i], by_value);
        names[place[i]] = data->class_names[i];
    }
    for (size_t i = 0; i < data->class_count; i++)
        data->class_names[i] = names[i];
    for (size_t i = 0; data->class_count > 0 && i < data->count; i++)
        data->labels[i] = place[data->labels[i]];
}

/* --- the file --- */

static bool read_all(struct reader *reader)
{
    bool ended = false;

    while (read_line(reader, &ended) && !ended)
        if (!take_line(reader))
            return false;
    if (!ended)
        return false;
    if (reader->data->count < 2)
        return error_set(reader->error, ERROR_INVALID, "%.200s: %zu points; at least 2 are needed",
                         reader->path, reader->data->count);
    sort_classes(reader->data);
    digest_text(&reader->digest, reader->data->digest);
    return true;
}

bool csv_read(struct data *data, const char *path, struct error *error)
{
    struct reader reader = {.path = path, .class_column = NO_COLUMN, .data = data, .error = error};
    bool ok;

    reader.file = fopen(path, "re");
    if (reader.file == NULL)
        return error_set(error, ERROR_IO, "%.200s: cannot be opened: %s", path, strerror(errno));
    digest_init(&reader.digest);
    ok = read_all(&reader);
    (void)fclose(reader.file);
    return ok;
}
