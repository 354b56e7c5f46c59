/* The fields `init_image`, `strength`, `mask`, `x_T` and `trajectory`, as far as they are read on
 * the loop: what they are, and whether they go together. Pictures and numbers are decoded later, on
 * a worker: sample_prepare.c. */
#include "proto/sample_fields.h"

#include "core/image/png_read.h"
#include "proto/base64.h"

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

static const struct cJSON *read_picture(struct sample_reading *reading, const char *pointer,
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
                      sample_got(value, got));
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

void sample_init_image_read(struct sample_reading *reading, const struct sample_field *field,
                            const struct cJSON *value)
{
    const struct model *model = reading->fields.model;

    (void)field;
    reading->fields.init_image =
        read_picture(reading, "/init_image", value, model != NULL ? model->shape.channels : 0);
}

void sample_mask_read(struct sample_reading *reading, const struct sample_field *field,
                      const struct cJSON *value)
{
    (void)field;
    reading->fields.mask = read_picture(reading, "/mask", value, 1);
    if (value != NULL && reading->fields.init_image == NULL)
        problem_fault(reading->problem, "/mask", "needs init_image: the picture to be kept");
}

void sample_strength_read(struct sample_reading *reading, const struct sample_field *field,
                          const struct cJSON *value)
{
    struct sample_fields *fields = &reading->fields;

    fields->strength = fields->mask != NULL ? 1.0 : STRENGTH_DEFAULT;
    if (value == NULL)
        return;
    fields->has_strength = true;
    if (!sample_number(reading->problem, "/strength", value, field->minimum, field->maximum,
                       &fields->strength))
        return;
    if (fields->strength <= 0.0)
        problem_fault(reading->problem, "/strength", "must be above 0");
    if (fields->init_image == NULL)
        problem_fault(reading->problem, "/strength", "needs init_image: the picture to begin from");
}

void sample_x_T_read(struct sample_reading *reading, const struct sample_field *field,
                     const struct cJSON *value)
{
    struct sample_fields *fields = &reading->fields;
    char got[GOT_SIZE];

    (void)field;
    fields->x_T = value;
    if (value == NULL)
        return;
    if (fields->init_image != NULL)
        problem_fault(reading->problem, "/x_T", "excludes init_image: give one of the two");
    if (!cJSON_IsArray(value))
        problem_fault(reading->problem, "/x_T", "must be an array, got %s", sample_got(value, got));
    else if (fields->n != 0 && (size_t)cJSON_GetArraySize(value) != fields->n)
        problem_fault(reading->problem, "/x_T", "must hold n = %zu starts, got %d", fields->n,
                      cJSON_GetArraySize(value));
}

void sample_trajectory_read(struct sample_reading *reading, const struct sample_field *field,
                            const struct cJSON *value)
{
    double every;

    if (value != NULL && sample_integer(reading->problem, "/trajectory", value, field->minimum,
                                        field->maximum, &every))
        reading->fields.trajectory = (size_t)every;
}
