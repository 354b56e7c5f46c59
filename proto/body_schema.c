/* Bodies as JSON Schema, printed from the tables that the parser reads. */
#include "proto/body_fields.h"

#include <string.h>

static struct cJSON *field_schema(const struct body_field *field)
{
    cJSON *schema = cJSON_Parse(field->schema);
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(schema, "type");
    const bool is_number = cJSON_IsString(type) && (strcmp(type->valuestring, "integer") == 0 ||
                                                    strcmp(type->valuestring, "number") == 0);

    cJSON_AddStringToObject(schema, "description", field->help);
    if (is_number)
        cJSON_AddNumberToObject(schema, "minimum", field->minimum);
    if (is_number && field->maximum > field->minimum)
        cJSON_AddNumberToObject(schema, "maximum", field->maximum);
    return schema;
}

static struct cJSON *option_schema(enum sampler_option code)
{
    static const char *const TYPES[] = {[OPTION_NUMBER] = "number",
                                        [OPTION_INTEGER] = "integer",
                                        [OPTION_BOOL] = "boolean",
                                        [OPTION_CHOICE] = "string",
                                        [OPTION_LIST] = "array"};
    const struct option_description *option = option_describe(code);
    cJSON *schema = cJSON_CreateObject(), *choices, *items;

    if (option->is_nullable) {
        choices = cJSON_AddArrayToObject(schema, "type");
        cJSON_AddItemToArray(choices, cJSON_CreateString(TYPES[option->type]));
        cJSON_AddItemToArray(choices, cJSON_CreateString("null"));
    } else {
        cJSON_AddStringToObject(schema, "type", TYPES[option->type]);
    }
    cJSON_AddStringToObject(schema, "description", option->help);
    if (option->type == OPTION_NUMBER || option->type == OPTION_INTEGER) {
        cJSON_AddNumberToObject(schema, "minimum", option->minimum);
        cJSON_AddNumberToObject(schema, "maximum", option->maximum);
    }
    if (option->type == OPTION_LIST) {
        cJSON_AddNumberToObject(schema, "maxItems", OPTION_LIST_MAX);
        items = cJSON_AddObjectToObject(schema, "items");
        cJSON_AddStringToObject(items, "type", "integer");
        cJSON_AddNumberToObject(items, "minimum", option->minimum);
        cJSON_AddNumberToObject(items, "maximum", option->maximum);
    }
    if (option->type == OPTION_CHOICE) {
        choices = cJSON_AddArrayToObject(schema, "enum");
        for (size_t i = 0; option->choices[i] != NULL; i++)
            if (choice_is_used(code, i))
                cJSON_AddItemToArray(choices, cJSON_CreateString(option->choices[i]));
    }
    return schema;
}

const char *body_name(const struct body *body)
{
    return body->name;
}

struct cJSON *body_answer_schema(const struct body *body)
{
    return cJSON_Parse(body->answer_schema);
}

struct cJSON *body_schema(const struct body *body)
{
    cJSON *schema = cJSON_CreateObject(), *properties;

    cJSON_AddStringToObject(schema, "type", "object");
    cJSON_AddBoolToObject(schema, "additionalProperties", 0);
    properties = cJSON_AddObjectToObject(schema, "properties");
    for (size_t i = 0; body->fields[i] != NULL; i++)
        cJSON_AddItemToObject(properties, body->fields[i]->name, field_schema(body->fields[i]));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const enum sampler_option option = (enum sampler_option)i;

        if (body->has_option != NULL && body->has_option(option))
            cJSON_AddItemToObject(properties, option_describe(option)->name, option_schema(option));
    }
    return schema;
}
