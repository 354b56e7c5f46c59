#include "proto/openapi.h"

#include "core/base/version.h"
#include "proto/problem.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_TYPE "application/problem+json"

static enum problem_code problem_named(const char *name)
{
    static const char *const NAMES[] = {
#define PROBLEM_NAME(code, status, name, title) [PROBLEM_##code] = (name),
        PROBLEMS(PROBLEM_NAME)
#undef PROBLEM_NAME
    };

    for (size_t i = 1; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(NAMES[i], name) == 0)
            return (enum problem_code)i;
    return PROBLEM_INTERNAL;
}

/* To "Problem", or what goes in or out by a body: "SampleRequest". */
static cJSON *reference(const char *schema, const char *direction)
{
    cJSON *object = cJSON_CreateObject();
    char path[96];

    (void)snprintf(path, sizeof path, "#/components/schemas/%s%s", schema, direction);
    cJSON_AddStringToObject(object, "$ref", path);
    return object;
}

/* What the answer of a media type looks like. */
static cJSON *media_schema(const struct openapi_route *route, const char *media_type)
{
    if (strcmp(media_type, "application/json") != 0)
        return cJSON_Parse(strncmp(media_type, "text/", 5) == 0
                               ? "{\"type\":\"string\"}"
                               : "{\"type\":\"string\",\"format\":\"binary\"}");
    if (route->body != NULL)
        return reference(body_name(route->body), "Answer");
    return cJSON_Parse("{\"type\":\"object\"}");
}

static cJSON *add_content(cJSON *responses, const char *status, const char *description)
{
    cJSON *answer = cJSON_AddObjectToObject(responses, status);

    cJSON_AddStringToObject(answer, "description", description);
    return cJSON_AddObjectToObject(answer, "content");
}

static void add_schema(cJSON *content, const char *media_type, cJSON *schema)
{
    cJSON_AddItemToObject(cJSON_AddObjectToObject(content, media_type), "schema", schema);
}

static void add_answers(cJSON *responses, const struct openapi_route *route)
{
    cJSON *content = add_content(responses, "200", "as asked");

    for (size_t i = 0; route->media_types[i] != NULL; i++)
        add_schema(content, route->media_types[i], media_schema(route, route->media_types[i]));
    if (route->unready != NULL)
        add_schema(add_content(responses, "503", route->unready), "application/json",
                   media_schema(route, "application/json"));
}

/* Codes that share a status share its entry. */
static void add_problem(cJSON *responses, const char *name)
{
    const enum problem_code code = problem_named(name);
    cJSON *answer, *description;
    char status[16], text[256];

    (void)snprintf(status, sizeof status, "%d", problem_status(code));
    answer = cJSON_GetObjectItemCaseSensitive(responses, status);
    if (answer != NULL) {
        description = cJSON_GetObjectItemCaseSensitive(answer, "description");
        (void)snprintf(text, sizeof text, "%s, %s", description->valuestring, name);
        cJSON_SetValuestring(description, text);
        return;
    }
    add_schema(add_content(responses, status, name), PROBLEM_TYPE, reference("Problem", ""));
}

/* "/models/{name}" has one parameter, a string. */
static void add_parameters(cJSON *operation, const char *path)
{
    const char *open = strchr(path, '{'), *close = open == NULL ? NULL : strchr(open, '}');
    cJSON *parameter;
    char name[64];

    if (close == NULL)
        return;
    (void)snprintf(name, sizeof name, "%.*s", (int)(close - open - 1), open + 1);
    parameter = cJSON_CreateObject();
    cJSON_AddItemToArray(cJSON_AddArrayToObject(operation, "parameters"), parameter);
    cJSON_AddStringToObject(parameter, "name", name);
    cJSON_AddStringToObject(parameter, "in", "path");
    cJSON_AddBoolToObject(parameter, "required", 1);
    cJSON_AddItemToObject(parameter, "schema", cJSON_Parse("{\"type\":\"string\"}"));
}

static void add_body(cJSON *operation, const struct body *kind)
{
    cJSON *body = cJSON_AddObjectToObject(operation, "requestBody");
    cJSON *content;

    cJSON_AddBoolToObject(body, "required", 1);
    content = cJSON_AddObjectToObject(body, "content");
    add_schema(content, "application/json", reference(body_name(kind), "Request"));
}

static void add_route(cJSON *paths, const struct openapi_route *route)
{
    cJSON *path = cJSON_GetObjectItemCaseSensitive(paths, route->path), *operation, *responses;
    char method[16] = "";

    for (size_t i = 0; route->method[i] != '\0' && i + 1 < sizeof method; i++)
        method[i] = (char)tolower((unsigned char)route->method[i]);
    if (path == NULL)
        path = cJSON_AddObjectToObject(paths, route->path);
    operation = cJSON_AddObjectToObject(path, method);
    cJSON_AddStringToObject(operation, "summary", route->summary);
    add_parameters(operation, route->path);
    if (route->body != NULL)
        add_body(operation, route->body);
    responses = cJSON_AddObjectToObject(operation, "responses");
    add_answers(responses, route);
    for (size_t i = 0; route->problems != NULL && route->problems[i] != NULL; i++)
        add_problem(responses, route->problems[i]);
}

static cJSON *problem_schema(void)
{
    cJSON *schema =
        cJSON_Parse("{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\","
                    "\"detail\"],\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{"
                    "\"type\":\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":"
                    "\"string\"},\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
                    "\"properties\":{\"pointer\":{\"type\":\"string\"},\"detail\":{\"type\":"
                    "\"string\"}}}},\"request_id\":{\"type\":\"string\"}}}");
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(schema, "properties");
    cJSON *codes = cJSON_AddArrayToObject(cJSON_AddObjectToObject(properties, "code"), "enum");

#define PROBLEM_CODE(code, status, name, title)                                                    \
    cJSON_AddItemToArray(codes, cJSON_CreateString(name));
    PROBLEMS(PROBLEM_CODE)
#undef PROBLEM_CODE
    return schema;
}

/* Each body has one route. */
static void add_body_schemas(cJSON *schemas, const struct body *body)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%sRequest", body_name(body));
    cJSON_AddItemToObject(schemas, name, body_schema(body));
    (void)snprintf(name, sizeof name, "%sAnswer", body_name(body));
    cJSON_AddItemToObject(schemas, name, body_answer_schema(body));
}

void openapi_print(const struct openapi_route *routes, size_t count, struct buffer *out)
{
    cJSON *root = cJSON_CreateObject(), *part;
    char *text;

    cJSON_AddStringToObject(root, "openapi", "3.1.0");
    part = cJSON_AddObjectToObject(root, "info");
    cJSON_AddStringToObject(part, "title", "denoised");
    cJSON_AddStringToObject(part, "version", DENOISED_VERSION);
    cJSON_AddStringToObject(part, "summary", "samples from diffusion models");
    part = cJSON_AddObjectToObject(root, "paths");
    for (size_t i = 0; i < count; i++)
        add_route(part, &routes[i]);
    part = cJSON_AddObjectToObject(cJSON_AddObjectToObject(root, "components"), "schemas");
    for (size_t i = 0; i < count; i++)
        if (routes[i].body != NULL)
            add_body_schemas(part, routes[i].body);
    cJSON_AddItemToObject(part, "Problem", problem_schema());
    text = cJSON_Print(root);
    cJSON_Delete(root);
    if (text == NULL) {
        out->failed = true;
        return;
    }
    buffer_text(out, text);
    buffer_text(out, "\n");
    free(text);
}
