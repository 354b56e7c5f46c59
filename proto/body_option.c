/* The value of one option of a sampler, by its type. */
#include "proto/body_fields.h"

#include <math.h>
#include <stdio.h>

#define POINTER_SIZE 112
#define CHOICES_MAX  16

struct target {
    struct body_reading *reading;
    enum sampler_option code;
    const struct option_description *option;
    const char *pointer;
    double *value;
    const int **list;
};

static bool read_number(const struct target *target, const struct cJSON *value)
{
    const struct option_description *option = target->option;

    if (option->is_nullable && cJSON_IsNull(value)) {
        *target->value = (double)NAN;
        return true;
    }
    return body_number(target->reading->problem, target->pointer, value, option->minimum,
                       option->maximum, target->value);
}

static bool read_integer(const struct target *target, const struct cJSON *value)
{
    return body_integer(target->reading->problem, target->pointer, value, target->option->minimum,
                        target->option->maximum, target->value);
}

/* Among the choices that the sampler has. */
static bool read_choice(const struct target *target, const struct cJSON *value)
{
    const struct sampler *sampler = target->reading->fields.sampler;
    const struct option_description *option = target->option;
    const char *names[CHOICES_MAX + 1];
    size_t indices[CHOICES_MAX], count = 0, choice;

    for (size_t i = 0; option->choices[i] != NULL && count < CHOICES_MAX; i++)
        if (sampler == NULL || sampler_has_choice(sampler, target->code, i)) {
            names[count] = option->choices[i];
            indices[count++] = i;
        }
    names[count] = NULL;
    if (!body_choice(target->reading->problem, target->pointer, value, names, &choice))
        return false;
    *target->value = (double)indices[choice];
    return true;
}

static bool read_bool(const struct target *target, const struct cJSON *value)
{
    bool flag;
    const bool good = body_flag(target->reading->problem, target->pointer, value, &flag);

    *target->value = flag ? 1.0 : 0.0;
    return good;
}

static bool read_entries(const struct target *target, const struct cJSON *value, int *list)
{
    const struct option_description *option = target->option;
    const struct cJSON *entry;
    char pointer[POINTER_SIZE];
    size_t count = 0;
    double number;

    cJSON_ArrayForEach(entry, value)
    {
        (void)snprintf(pointer, sizeof pointer, "%s/%zu", target->pointer, count);
        if (!body_integer(target->reading->problem, pointer, entry, option->minimum,
                          option->maximum, &number))
            return false;
        list[count++] = (int)number;
    }
    *target->value = (double)count;
    *target->list = list;
    return true;
}

static bool read_list(const struct target *target, const struct cJSON *value)
{
    struct body_values *fields = &target->reading->fields;
    char got[GOT_SIZE];

    if (!cJSON_IsArray(value)) {
        problem_fault(target->reading->problem, target->pointer, "must be an array, got %s",
                      body_got(value, got));
        return false;
    }
    if (cJSON_GetArraySize(value) > OPTION_LIST_MAX) {
        problem_fault(target->reading->problem, target->pointer,
                      "must hold at most %d integers, got %d", OPTION_LIST_MAX,
                      cJSON_GetArraySize(value));
        return false;
    }
    return read_entries(target, value, fields->lists[fields->list_count++]);
}

void body_option_read(struct body_reading *reading, enum sampler_option option, const char *pointer,
                      const struct cJSON *value)
{
    static bool (*const READ[])(const struct target *target, const struct cJSON *value) = {
        [OPTION_NUMBER] = read_number, [OPTION_INTEGER] = read_integer, [OPTION_BOOL] = read_bool,
        [OPTION_CHOICE] = read_choice, [OPTION_LIST] = read_list,
    };
    struct option_values *options = &reading->fields.options;
    const struct target target = {.reading = reading,
                                  .code = option,
                                  .option = option_describe(option),
                                  .pointer = pointer,
                                  .value = &options->value[option],
                                  .list = &options->list[option]};

    options->given[option] = READ[target.option->type](&target, value);
}
