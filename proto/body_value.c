/* The kinds of values that fields have, and how a fault quotes one. */
#include "proto/body_fields.h"

#include "proto/json_write.h"
#include "proto/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define QUOTED_MAX 40

const char *body_got(const struct cJSON *value, char text[GOT_SIZE])
{
    static const struct {
        int type;
        const char *name;
    } NAMES[] = {{cJSON_NULL, "null"},
                 {cJSON_True, "true"},
                 {cJSON_False, "false"},
                 {cJSON_Array, "an array"},
                 {cJSON_Object, "an object"}};

    if (cJSON_IsString(value)) {
        char cut[QUOTED_MAX + 1];

        text_clean(value->valuestring, cut, sizeof cut);
        (void)snprintf(text, GOT_SIZE, "'%s%s'", cut,
                       strlen(value->valuestring) > QUOTED_MAX ? "..." : "");
        return text;
    }
    if (cJSON_IsNumber(value)) {
        number_text(value->valuedouble, text);
        return text;
    }
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if ((value->type & 0xFF) == NAMES[i].type)
            return NAMES[i].name;
    return "something else";
}

static bool in_range(struct problem *problem, const char *pointer, double value, double minimum,
                     double maximum)
{
    char got[32], low[32], high[32];

    if (value >= minimum && value <= maximum)
        return true;
    number_text(value, got);
    number_text(minimum, low);
    number_text(maximum, high);
    problem_fault(problem, pointer, "must be %s..%s, got %s", low, high, got);
    return false;
}

bool body_number(struct problem *problem, const char *pointer, const struct cJSON *value,
                 double minimum, double maximum, double *result)
{
    char got[GOT_SIZE];

    if (!cJSON_IsNumber(value)) {
        problem_fault(problem, pointer, "must be a number, got %s", body_got(value, got));
        return false;
    }
    *result = value->valuedouble;
    return in_range(problem, pointer, *result, minimum, maximum);
}

bool body_integer(struct problem *problem, const char *pointer, const struct cJSON *value,
                  double minimum, double maximum, double *result)
{
    char got[GOT_SIZE];

    if (!cJSON_IsNumber(value) || floor(value->valuedouble) != value->valuedouble) {
        problem_fault(problem, pointer, "must be an integer, got %s", body_got(value, got));
        return false;
    }
    *result = value->valuedouble;
    return in_range(problem, pointer, *result, minimum, maximum);
}

bool body_flag(struct problem *problem, const char *pointer, const struct cJSON *value,
               bool *result)
{
    char got[GOT_SIZE];

    *result = cJSON_IsTrue(value);
    if (cJSON_IsBool(value))
        return true;
    problem_fault(problem, pointer, "must be true or false, got %s", body_got(value, got));
    return false;
}

bool body_choice(struct problem *problem, const char *pointer, const struct cJSON *value,
                 const char *const *choices, size_t *result)
{
    struct buffer list = {0};
    char got[GOT_SIZE];

    for (*result = 0; choices[*result] != NULL; ++*result)
        if (cJSON_IsString(value) && strcmp(value->valuestring, choices[*result]) == 0)
            return true;
    for (size_t i = 0; choices[i] != NULL; i++)
        buffer_printf(&list, "%s%s", i == 0 ? "" : ", ", choices[i]);
    problem_fault(problem, pointer, "must be one of %s, got %s",
                  list.data != NULL ? (const char *)list.data : "none", body_got(value, got));
    buffer_finish(&list);
    return false;
}
