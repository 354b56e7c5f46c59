/* What of a request a plan refuses. */
#include "proto/work_inside.h"

#include <stdio.h>
#include <string.h>

#define STEPS (-1) /* in place of an option */

static const char *point_at(const char *field, char pointer[64])
{
    (void)snprintf(pointer, 64, "/%s", field);
    return pointer;
}

static const char *point_at_field(int field, char pointer[64])
{
    return point_at(field == STEPS ? "steps" : option_describe((enum sampler_option)field)->name,
                    pointer);
}

static bool is_refused(const struct plan_request *asked, struct error *error)
{
    struct plan *plan = plan_create(asked, error);

    plan_destroy(plan);
    return plan == NULL;
}

static bool is_refused_so(const struct plan_request *asked, const char *text)
{
    struct error error;

    return is_refused(asked, &error) && strcmp(error.text, text) == 0;
}

static bool is_given(const struct plan_request *asked, int field)
{
    return field == STEPS ? asked->steps_asked : asked->options->given[field];
}

/* The option that the text begins with, among those that are given; -1: none. */
static int named_option(const struct plan_request *asked, const char *text)
{
    const size_t length = strcspn(text, " ");

    for (int i = 0; i < OPTION_COUNT; i++) {
        const char *name = option_describe((enum sampler_option)i)->name;

        if (asked->options->given[i] && strlen(name) == length && memcmp(name, text, length) == 0)
            return i;
    }
    return -1;
}

/* Only one field of the request is said. */
static bool alone_is_refused_so(const struct plan_request *bare, const struct plan_request *asked,
                                int field, const char *text)
{
    struct option_values options = *bare->options;
    struct plan_request tried = *bare;

    tried.options = &options;
    if (field == STEPS) {
        tried.steps = asked->steps;
        tried.steps_asked = true;
    } else {
        options.given[field] = true;
        options.value[field] = asked->options->value[field];
        options.list[field] = asked->options->list[field];
    }
    return is_refused_so(&tried, text);
}

/* Where several fields would each be refused: the option that the text begins with, the sampler
 * where that is refused whatever else is said, or the field that alone is refused in these words.
 */
static const char *first_of_several(const struct plan_request *asked, const char *sampler,
                                    size_t steps, char pointer[64])
{
    const struct option_values none = {.given = {false}};
    struct plan_request bare = *asked;
    struct error error = {0}, other;

    (void)is_refused(asked, &error);
    if (named_option(asked, error.text) >= 0)
        return point_at_field(named_option(asked, error.text), pointer);
    bare.options = &none;
    bare.steps = steps;
    bare.steps_asked = false;
    if (is_refused_so(&bare, error.text)) {
        bare.sampler = sampler;
        return is_refused(&bare, &other) ? "" : point_at("sampler", pointer);
    }
    for (int field = STEPS; field < OPTION_COUNT; field++)
        if (is_given(asked, field) && alone_is_refused_so(&bare, asked, field, error.text))
            return point_at_field(field, pointer);
    return "";
}

const char *work_plan_culprit(const struct plan_request *asked, const char *sampler, size_t steps,
                              char pointer[64])
{
    struct option_values options;
    struct plan_request tried;
    struct error error;

    for (int field = STEPS; field < OPTION_COUNT; field++) {
        if (!is_given(asked, field) && field != STEPS)
            continue;
        options = *asked->options;
        tried = *asked;
        tried.options = &options;
        if (field == STEPS) {
            tried.steps = steps;
            tried.steps_asked = false;
        } else {
            options.given[field] = false;
        }
        if (!is_refused(&tried, &error))
            return point_at_field(field, pointer);
    }
    tried = *asked;
    tried.sampler = sampler;
    if (!is_refused(&tried, &error))
        return point_at("sampler", pointer);
    return first_of_several(asked, sampler, steps, pointer);
}
