/* The fields `format` and `encoding`, and the Accept header: what an answer is made of. */
#include "proto/body_fields.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *media_types[3]; /* the first is the answer's */
} FORMATS[] = {
    [FORMAT_PNG] = {"png", {"image/png"}},
    [FORMAT_JSON] = {"json", {"application/json"}},
    [FORMAT_NPY] = {"npy", {"application/x-npy", "application/octet-stream"}},
    [FORMAT_APNG] = {"apng", {"image/apng"}},
};

static const char *const ENCODINGS[] = {
    [ENCODING_PNG] = "png", [ENCODING_F32] = "f32", [ENCODING_ARRAY] = "array"};

const char *body_media_type(enum body_format format)
{
    return FORMATS[format].media_types[0];
}

bool body_has_picture(const struct model *model)
{
    const size_t channels = model->shape.channels;

    return channels == 1 || (model->shape.is_points ? channels == 2 : channels == 3);
}

bool body_makes_numbers(const struct model *model, enum body_format format)
{
    (void)model;
    return format == FORMAT_JSON || format == FORMAT_NPY;
}

enum body_format body_usual_json(const struct model *model)
{
    (void)model;
    return FORMAT_JSON;
}

void body_formats(const struct body *body, const struct model *model,
                  const char *names[FORMAT_NAMES])
{
    size_t count = 0;

    for (enum body_format format = FORMAT_PNG; format < FORMAT_NONE; format++)
        if (body->makes(model, format))
            names[count++] = FORMATS[format].name;
    names[count] = NULL;
}

/* One media range of an Accept header: RFC 9110, 12.5.1. */
struct media_range {
    char type[64]; /* lower case; "" when it is too long to be one of ours */
    double quality;
};

/* Reads up to the next comma; false at the end. A quality that is none counts as 0: not asked for.
 */
static bool next_range(const char **cursor, struct media_range *range)
{
    const char *start = *cursor, *end, *quality;
    size_t length = 0;

    start += strspn(start, " \t,");
    if (*start == '\0')
        return false;
    end = start + strcspn(start, ",");
    for (; length < sizeof range->type - 1 && strchr(",; \t", start[length]) == NULL; length++)
        range->type[length] = (char)tolower((unsigned char)start[length]);
    range->type[strchr(",; \t", start[length]) == NULL ? 0 : length] = '\0';
    range->quality = 1.0;
    for (const char *part = start; (part = memchr(part, ';', (size_t)(end - part))) != NULL;) {
        part++;
        quality = part + strspn(part, " \t");
        if (tolower((unsigned char)quality[0]) == 'q' && quality[1] == '=')
            range->quality = isdigit((unsigned char)quality[2]) ? strtod(quality + 2, NULL) : 0.0;
    }
    *cursor = end;
    return true;
}

/* How closely a range names a media type: 0 not at all, 1 by both stars, 2 by one, 3 fully. */
static int closeness(const char *range, const char *media_type)
{
    const size_t kind = strcspn(media_type, "/") + 1;

    if (strcmp(range, "*/*") == 0)
        return 1;
    if (strncmp(range, media_type, kind) != 0)
        return 0;
    if (strcmp(range + kind, "*") == 0)
        return 2;
    return strcmp(range + kind, media_type + kind) == 0 ? 3 : 0;
}

static double quality_of(const char *accept, const char *media_type)
{
    struct media_range range;
    double quality = 0.0;
    int closest = 0, close;

    while (next_range(&accept, &range)) {
        close = closeness(range.type, media_type);
        if (close > closest) {
            closest = close;
            quality = range.quality;
        }
    }
    return quality;
}

static double format_quality(const char *accept, enum body_format format)
{
    double best = 0.0;

    for (size_t i = 0; FORMATS[format].media_types[i] != NULL; i++) {
        double quality = quality_of(accept, FORMATS[format].media_types[i]);

        if (quality > best)
            best = quality;
    }
    return best;
}

static bool fits(const struct body *body, const struct body_values *values, enum body_format format)
{
    return body->makes(values->model, format) && (body->fits == NULL || body->fits(values, format));
}

void body_refuse_accept(const struct body *body, const struct body_values *values,
                        enum body_format but, struct problem *problem)
{
    struct buffer list = {0};

    for (enum body_format format = FORMAT_PNG; format < FORMAT_NONE; format++)
        if (format != but && fits(body, values, format))
            buffer_printf(&list, "%s%s", list.size == 0 ? "" : ", ", FORMATS[format].name);
    buffer_append(&list, "", 1);
    (void)problem_set(problem, PROBLEM_NOT_ACCEPTABLE,
                      "the Accept header takes none of the formats of model '%s': %s",
                      values->model->name,
                      buffer_ok(&list) ? (const char *)list.data : FORMATS[FORMAT_JSON].name);
    buffer_finish(&list);
}

/* The one of the highest quality; among equals the model's usual one, then the table's order. */
static enum body_format format_by_accept(const struct body *body, const char *accept,
                                         const struct body_values *values)
{
    enum body_format best = body->usual(values->model);
    double best_quality = format_quality(accept, best);

    for (enum body_format format = FORMAT_PNG; format < FORMAT_NONE; format++) {
        double quality = format_quality(accept, format);

        if (fits(body, values, format) && quality > best_quality) {
            best = format;
            best_quality = quality;
        }
    }
    return best_quality > 0.0 ? best : FORMAT_NONE;
}

static enum body_format format_named(const char *name)
{
    enum body_format format = FORMAT_PNG;

    while (strcmp(FORMATS[format].name, name) != 0)
        format++;
    return format;
}

static void read_format(struct body_reading *reading, const struct body_field *field,
                        const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    const char *accept = reading->accept;
    const char *names[FORMAT_NAMES];
    size_t index;

    (void)field;
    reading->fields.format = FORMAT_NONE;
    reading->fields.has_format = value != NULL;
    if (value != NULL) {
        body_formats(reading->body, model, names);
        if (body_choice(reading->problem, "/format", value, names, &index))
            reading->fields.format = format_named(names[index]);
    } else if (model != NULL) {
        accept = accept == NULL || accept[strspn(accept, " \t,")] == '\0' ? "*/*" : accept;
        reading->fields.format = format_by_accept(reading->body, accept, &reading->fields);
    }
}

/* Which encodings the answer may have, as a set of bits, and the usual one. */
static unsigned encodings_of(const struct body_reading *reading, enum body_encoding *usual)
{
    const struct body_values *fields = &reading->fields;
    const bool points = fields->model->shape.is_points, pixels = reading->body->makes_pixels;

    *usual = ENCODING_PIXELS;
    if (fields->format == FORMAT_PNG || fields->format == FORMAT_APNG)
        return 0;
    if (fields->format == FORMAT_NPY) {
        *usual = points || !pixels || fields->trajectory > 0 ? ENCODING_F32 : ENCODING_PIXELS;
        return 1u << ENCODING_F32;
    }
    *usual = points || !pixels || !body_has_picture(fields->model) ? ENCODING_ARRAY : ENCODING_PNG;
    return 1u << ENCODING_F32 | 1u << ENCODING_ARRAY |
           (*usual == ENCODING_PNG ? 1u << ENCODING_PNG : 0u);
}

static void read_encoding(struct body_reading *reading, const struct body_field *field,
                          const struct cJSON *value)
{
    struct body_values *fields = &reading->fields;
    const char *names[ENCODING_PIXELS + 1];
    enum body_encoding encodings[ENCODING_PIXELS];
    unsigned set = ~0u;
    size_t count = 0, index;

    (void)field;
    if (fields->model != NULL && fields->format != FORMAT_NONE)
        set = encodings_of(reading, &fields->encoding);
    if (value == NULL)
        return;
    if (set == 0) {
        problem_fault(reading->problem, "/encoding",
                      "goes with format json or npy; this answer is a picture");
        return;
    }
    for (enum body_encoding i = ENCODING_PNG; i < ENCODING_PIXELS; i++)
        if ((set >> i & 1u) != 0) {
            encodings[count] = i;
            names[count++] = ENCODINGS[i];
        }
    names[count] = NULL;
    if (body_choice(reading->problem, "/encoding", value, names, &index))
        fields->encoding = encodings[index];
}

const struct body_field FIELD_FORMAT = {
    .name = "format",
    .help = "of the answer; else the Accept header chooses; apng shows the reverse process, "
            "or the frames of interpolate",
    .schema = "{\"enum\":[\"png\",\"json\",\"npy\",\"apng\"]}",
    .read = read_format};

const struct body_field FIELD_ENCODING = {
    .name = "encoding",
    .help = "of the values: png, f32 or array inside json, f32 inside npy",
    .schema = "{\"enum\":[\"png\",\"f32\",\"array\"]}",
    .read = read_encoding};
