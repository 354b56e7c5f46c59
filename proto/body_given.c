/* What rows begin with, and `trajectory`, as far as they are read on the loop: what they are, and
 * whether they go together. Pictures and numbers are decoded later, on a worker: work_prepare.c. */
#include "proto/body_fields.h"

#include "core/image/png_read.h"
#include "proto/base64.h"
#include "proto/npy.h"

#include <stdio.h>
#include <string.h>

/* Characters that PNG_START and NPY_START bytes take. */
#define START_CHARACTERS     ((size_t)PNG_START / 3 * 4)
#define NPY_START_CHARACTERS ((size_t)NPY_START / 3 * 4)

/* The head of the file alone: a picture of another size or kind is refused before it waits. */
static bool check_head(const char *text, const struct png_size *want, struct error *error)
{
    unsigned char start[PNG_START];
    size_t length = strlen(text), size;

    if (length > START_CHARACTERS)
        length = START_CHARACTERS;
    return base64_decode(text, length, start, &size, error) &&
           png_check_start(start, size, want, error);
}

static const struct cJSON *read_picture(struct body_reading *reading, const char *pointer,
                                        const struct cJSON *value, size_t channels)
{
    const struct model *model = reading->fields.model;
    char got[GOT_SIZE];
    struct error error;

    if (value == NULL || model == NULL)
        return value;
    if (model->shape.is_points) {
        problem_fault(reading->problem, pointer, "model '%s' makes points, not pictures",
                      model->name);
    } else if (!cJSON_IsString(value)) {
        problem_fault(reading->problem, pointer, "must be a PNG file in base64, got %s",
                      body_got(value, got));
    } else if (channels != 1 && channels != 3) {
        problem_fault(reading->problem, pointer,
                      "a picture has 1 or 3 channels; model '%s' has %zu", model->name, channels);
    } else {
        const struct png_size want = {model->shape.width, model->shape.height, channels};

        if (!check_head(value->valuestring, &want, &error))
            problem_fault(reading->problem, pointer, "%s", error.text);
    }
    return value;
}

static void read_init_image(struct body_reading *reading, const struct body_field *field,
                            const struct cJSON *value)
{
    const struct model *model = reading->fields.model;

    (void)field;
    if (value != NULL && reading->fields.interpolates)
        problem_fault(reading->problem, "/init_image",
                      "excludes interpolate, whose samples begin with noise");
    else
        reading->fields.init_image =
            read_picture(reading, "/init_image", value, model != NULL ? model->shape.channels : 0);
}

static void read_mask(struct body_reading *reading, const struct body_field *field,
                      const struct cJSON *value)
{
    (void)field;
    reading->fields.mask = read_picture(reading, "/mask", value, 1);
    if (value != NULL && reading->fields.init_image == NULL)
        problem_fault(reading->problem, "/mask", "needs init_image: the picture to be kept");
}

static void read_strength(struct body_reading *reading, const struct body_field *field,
                          const struct cJSON *value)
{
    struct body_values *fields = &reading->fields;

    fields->strength = fields->mask != NULL ? 1.0 : STRENGTH_DEFAULT;
    if (value == NULL)
        return;
    fields->has_strength = true;
    if (!body_number(reading->problem, "/strength", value, field->minimum, field->maximum,
                     &fields->strength))
        return;
    if (fields->strength <= 0.0)
        problem_fault(reading->problem, "/strength", "must be above 0");
    if (fields->init_image == NULL)
        problem_fault(reading->problem, "/strength", "needs init_image: the picture to begin from");
}

/* Bytes that the text stands for, if it is base64, without an npy file's header. */
static size_t packed_bytes(const char *text)
{
    const size_t length = strlen(text);
    size_t bytes = length / 4 * 3, size, header = 0;
    unsigned char start[NPY_START];
    struct error error;

    for (size_t i = 1; i <= 2 && i <= length && text[length - i] == '='; i++)
        bytes--;
    if (length > NPY_START_CHARACTERS &&
        base64_decode(text, NPY_START_CHARACTERS, start, &size, &error) && size == NPY_START)
        header = npy_header_size(start);
    return header <= bytes ? bytes - header : 0;
}

size_t body_array_rows(const struct body_field *field, const struct cJSON *value,
                       const struct model *model)
{
    const size_t row = model == NULL ? 0 : model->shape.dim * sizeof(float);
    size_t bytes;

    if (field->packs == NULL)
        return cJSON_IsArray(value) ? (size_t)cJSON_GetArraySize(value) : SIZE_MAX;
    if (!cJSON_IsString(value) || row == 0 || strlen(value->valuestring) % 4 != 0)
        return SIZE_MAX;
    bytes = packed_bytes(value->valuestring);
    return bytes % row == 0 ? bytes / row : SIZE_MAX;
}

/* One entry a row, which are counted here and read on a worker. */
static void check_entries(struct body_reading *reading, const struct body_field *field,
                          const struct cJSON *value)
{
    const struct body_values *fields = &reading->fields;
    const size_t rows = body_array_rows(field, value, fields->model);
    char got[GOT_SIZE], pointer[32];

    (void)snprintf(pointer, sizeof pointer, "/%s", field->name);
    if (rows != SIZE_MAX) {
        if (fields->n != 0 && rows != fields->n)
            problem_fault(reading->problem, pointer, "must hold n = %zu entries, got %zu",
                          fields->n, rows);
    } else if (field->packs == NULL) {
        problem_fault(reading->problem, pointer, "must be an array, got %s", body_got(value, got));
    } else if (!cJSON_IsString(value)) {
        problem_fault(reading->problem, pointer, "must be float32 numbers in base64, got %s",
                      body_got(value, got));
    } else if (fields->model != NULL) {
        problem_fault(reading->problem, pointer,
                      "must be rows of %zu float32 numbers in base64, little-endian, or an npy "
                      "file of them",
                      fields->model->shape.dim);
    }
}

static struct body_array array_of(const struct body_field *field, const struct cJSON *value)
{
    const bool is_packed = field->packs != NULL;

    return (struct body_array){value, is_packed ? field->packs : field->name, field->name,
                               is_packed};
}

/* Both spellings of one array. */
static bool is_first(struct body_reading *reading, const struct body_field *field,
                     const struct body_array *array)
{
    char pointer[32];

    if (array->value == NULL)
        return true;
    (void)snprintf(pointer, sizeof pointer, "/%s", field->name);
    problem_fault(reading->problem, pointer, "excludes %s: give one of the two", array->field);
    return false;
}

void body_read_start(struct body_reading *reading, const struct body_field *field,
                     const struct cJSON *value)
{
    char pointer[32];

    if (value == NULL || !is_first(reading, field, &reading->fields.start))
        return;
    reading->fields.start = array_of(field, value);
    (void)snprintf(pointer, sizeof pointer, "/%s", field->name);
    if (reading->fields.init_image != NULL)
        problem_fault(reading->problem, pointer, "excludes init_image: give one of the two");
    if (reading->fields.interpolates)
        problem_fault(reading->problem, pointer, "excludes interpolate: give one of the two");
    else
        check_entries(reading, field, value);
}

void body_read_noise(struct body_reading *reading, const struct body_field *field,
                     const struct cJSON *value)
{
    if (value == NULL || !is_first(reading, field, &reading->fields.noise))
        return;
    reading->fields.noise = array_of(field, value);
    check_entries(reading, field, value);
}

static void read_trajectory(struct body_reading *reading, const struct body_field *field,
                            const struct cJSON *value)
{
    double every;

    if (value != NULL && body_integer(reading->problem, "/trajectory", value, field->minimum,
                                      field->maximum, &every))
        reading->fields.trajectory = (size_t)every;
}

const struct body_field FIELD_INIT_IMAGE = {
    .name = "init_image",
    .help = "a PNG of the model's exact size, in base64: the samples begin with it",
    .schema = "{\"type\":\"string\",\"contentEncoding\":\"base64\",\"contentMediaType\":"
              "\"image/png\"}",
    .read = read_init_image};

const struct body_field FIELD_X0_IMAGE = {
    .name = "init_image",
    .help = "a PNG of the model's exact size, in base64, in place of x_0: its bytes as -1..1",
    .schema = "{\"type\":\"string\",\"contentEncoding\":\"base64\",\"contentMediaType\":"
              "\"image/png\"}",
    .read = read_init_image};

const struct body_field FIELD_MASK = {
    .name = "mask",
    .help = "a grey PNG of the model's size, in base64: from 128 on a pixel is repainted, below it "
            "is init_image's",
    .schema = "{\"type\":\"string\",\"contentEncoding\":\"base64\",\"contentMediaType\":"
              "\"image/png\"}",
    .read = read_mask};

const struct body_field FIELD_STRENGTH = {
    .name = "strength",
    .help = "the share of the steps that are run from init_image on; with a mask 1, else .8",
    .schema = "{\"type\":\"number\",\"exclusiveMinimum\":0}",
    .maximum = 1,
    .read = read_strength};

const struct body_field FIELD_START = {
    .name = "x_T",
    .help = "n starts in the order of the answers and the sampler's own coordinates, in place of "
            "the first draws; excludes seed where the sampler draws nothing else",
    .schema = "{\"type\":\"array\",\"items\":{\"type\":\"array\"}}",
    .read = body_read_start};

const struct body_field FIELD_START_F32 = {
    .name = "x_T_f32",
    .help =
        "x_T as /encode returns it with encoding f32: float32, little-endian, in base64, with or "
        "without the header of its npy file",
    .schema = "{\"type\":\"string\",\"contentEncoding\":\"base64\"}",
    .packs = "x_T",
    .read = body_read_start};

const struct body_field FIELD_TRAJECTORY = {
    .name = "trajectory",
    .help = "also return x_t and the x_0 predicted from it before every k-th step, and last the "
            "sample as both",
    .schema = "{\"type\":\"integer\"}",
    .minimum = 1,
    .maximum = SCHEDULE_TIMESTEPS_MAX,
    .read = read_trajectory};
