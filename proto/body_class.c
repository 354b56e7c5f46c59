/* The field `class`: an index, a name, null, or an array of n of them. */
#include "proto/body_fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool body_class_label(const struct model *model, const struct cJSON *value, int32_t *label)
{
    const struct class_input *input = &model->class_input;

    *label = -1;
    if (cJSON_IsNull(value))
        return true;
    if (cJSON_IsNumber(value) && floor(value->valuedouble) == value->valuedouble &&
        value->valuedouble >= 0.0 && value->valuedouble < (double)input->count)
        *label = (int32_t)value->valuedouble;
    for (size_t i = 0; cJSON_IsString(value) && i < input->name_count; i++)
        if (strcmp(input->names[i], value->valuestring) == 0)
            *label = (int32_t)i;
    return *label >= 0;
}

/* Names first: a long list is cut at its end. */
static void fault_class(struct problem *problem, const char *pointer, const struct model *model,
                        const struct cJSON *value)
{
    const struct class_input *input = &model->class_input;
    struct buffer list = {0};
    char got[GOT_SIZE];

    for (size_t i = 0; i < input->name_count && list.size < sizeof problem->faults[0].detail; i++)
        buffer_printf(&list, "%s%s", i == 0 ? ", or one of " : ", ", input->names[i]);
    problem_fault(problem, pointer, "got %s; must be 0..%zu%s", body_got(value, got),
                  input->count - 1, list.data != NULL ? (const char *)list.data : "");
    buffer_finish(&list);
}

static void read_one(struct body_reading *reading, const char *pointer, const struct cJSON *value)
{
    const struct model *model = reading->fields.model;
    const struct class_input *input = &model->class_input;
    int32_t label;

    if (value == NULL || cJSON_IsNull(value)) {
        reading->fields.has_null_class = true;
        if (input->has_classes && !input->has_null)
            problem_fault(reading->problem, pointer,
                          "model '%s' has no null class: a class must be given", model->name);
    } else if (!input->has_classes) {
        problem_fault(reading->problem, pointer, "model '%s' has no classes", model->name);
    } else if (!body_class_label(model, value, &label)) {
        fault_class(reading->problem, pointer, model, value);
    }
}

static void read_array(struct body_reading *reading, const struct cJSON *value)
{
    const int count = cJSON_GetArraySize(value);
    const struct cJSON *entry;
    char pointer[32];
    int index = 0;

    if (reading->fields.n != 0 && (size_t)count != reading->fields.n)
        problem_fault(reading->problem, "/class", "must hold n = %zu classes, got %d",
                      reading->fields.n, count);
    cJSON_ArrayForEach(entry, value)
    {
        (void)snprintf(pointer, sizeof pointer, "/class/%d", index++);
        read_one(reading, pointer, entry);
    }
}

static void read_class(struct body_reading *reading, const struct body_field *field,
                       const struct cJSON *value)
{
    const struct model *model = reading->fields.model;

    (void)field;
    if (model == NULL)
        return;
    if (model->class_input.needs_vector)
        problem_fault(reading->problem, "/class",
                      "class_embed_type identity needs a vector of E numbers; a request has no "
                      "field for it");
    else if (cJSON_IsArray(value))
        read_array(reading, value);
    else
        read_one(reading, "/class", value);
    reading->fields.classes = value;
}

const struct body_field FIELD_CLASS = {
    .name = "class",
    .help = "a class by index or name, or one for each of the n samples; null: no class",
    .schema = "{\"oneOf\":[{\"type\":[\"integer\",\"string\",\"null\"]},{\"type\":\"array\","
              "\"items\":{\"type\":[\"integer\",\"string\",\"null\"]}}],\"default\":null}",
    .read = read_class};
