/* What rows begin with, and `trajectory`, as far as they are read on the loop: what they are, and
 * whether they go together. Pictures and numbers are decoded later, on a worker: work_prepare.c. */
#include "proto/body_fields.h"

#include "core/image/png_read.h"
#include "proto/base64.h"

#include <stdio.h>
#include <string.h>

/* Characters that PNG_START bytes take. */
#define START_CHARACTERS ((size_t)PNG_START / 3 * 4)

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

/* One entry a row, which are counted here and read on a worker. */
static void check_entries(struct body_reading *reading, const struct body_field *field,
                          const struct cJSON *value)
{
    const struct body_values *fields = &reading->fields;
    char got[GOT_SIZE], pointer[32];

    (void)snprintf(pointer, sizeof pointer, "/%s", field->name);
    if (!cJSON_IsArray(value))
        problem_fault(reading->problem, pointer, "must be an array, got %s", body_got(value, got));
    else if (fields->n != 0 && (size_t)cJSON_GetArraySize(value) != fields->n)
        problem_fault(reading->problem, pointer, "must hold n = %zu entries, got %d", fields->n,
                      cJSON_GetArraySize(value));
}

void body_read_start(struct body_reading *reading, const struct body_field *field,
                     const struct cJSON *value)
{
    char pointer[32];

    if (value == NULL)
        return;
    reading->fields.start = value;
    reading->fields.start_name = field->name;
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
    if (value == NULL)
        return;
    reading->fields.noise = value;
    reading->fields.noise_name = field->name;
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

const struct body_field FIELD_TRAJECTORY = {
    .name = "trajectory",
    .help = "also return x_t and the x_0 predicted from it before every k-th step, and last the "
            "sample as both",
    .schema = "{\"type\":\"integer\"}",
    .minimum = 1,
    .maximum = SCHEDULE_TIMESTEPS_MAX,
    .read = read_trajectory};
